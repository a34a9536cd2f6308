# SPDX-License-Identifier: Apache-2.0
"""Parses times in the forms of systemd.time(7) and RFC 3339 into nanoseconds since 1970.

::

    now  today  yesterday  tomorrow             the last three: midnight, or followed by a time of day
    [Tue] 2026-11-24 [16:00[:30[.5]]] [ZONE]    without a time of day: midnight
    16:00[:30[.5]] [ZONE]                       today
    2026-11-24T16:00:30.5Z  ...+01:00           RFC 3339
    @1795536000[.5]                             seconds since 1970
    -1h  +1h30min  10min ago  2 days left       relative to now

ZONE is UTC, Z, an offset such as +01:00, or a name such as Europe/Berlin; the default is the local zone.
Units of spans: us, ms, s, min or m, h, d, w, M or month, y, and their long names; the default is seconds.

dateutil knows neither `yesterday`, `@1795536000` nor `10min ago`, and takes `-1h` for 01:00.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Final

from traceloop_decode.spans import DAY_S, SECOND_NS, fraction_ns, span_ns

_TIME_MAX_NS: Final = (1 << 63) - 1
_EXAMPLES: Final = "write it as 2026-11-24 16:00, 16:00, yesterday, -1h, 10min ago or @1795536000"
_DAYS: Final = {"": 0, "today": 0, "yesterday": -1, "tomorrow": 1}
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_EPOCH: Final = re.compile(r"@([0-9]{1,12})(?:\.([0-9]+))?")
_CALENDAR: Final = re.compile(
    r"(?:(?:(?P<weekday>[a-z]{3,9}),? )?(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
    r"|(?P<word>today|yesterday|tomorrow))?"
    r"(?:(?:^|[t ])(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]+))?)?)?"
    r"(?: ?(?P<offset>z|utc|[+-][0-9]{2}:?[0-9]{2})| (?P<zone>[a-z]+(?:/[a-z0-9_+-]+)+))?",
    re.IGNORECASE,
)


def parse(text: str, now_ns: int) -> int:
    """Returns the time that a text means. now_ns: CLOCK_REALTIME, the origin of relative times.

    Raises ValueError, whose message says what is wrong with the text, and how to write a time.
    """
    words = " ".join(text.split())
    try:
        found_ns = _parsed(words, now_ns)
    except (OverflowError, ValueError) as error:
        why = str(error) if type(error) is ValueError and str(error) else "no such day or time"
        raise ValueError(f"{text!r}: {why}; {_EXAMPLES}") from error
    if not 0 <= found_ns <= _TIME_MAX_NS:
        raise ValueError(f"{text!r} is before 1970 or after 2261; {_EXAMPLES}")
    return found_ns


def _parsed(words: str, now_ns: int) -> int:
    if words == "now":
        return now_ns
    if match := _EPOCH.fullmatch(words):
        return int(match[1]) * SECOND_NS + fraction_ns(match[2])
    if words.startswith(("-", "+")):
        away_ns = span_ns(words[1:].lstrip())
        return now_ns + away_ns if words[0] == "+" else now_ns - away_ns
    if words.endswith((" ago", " left")):
        span, _, direction = words.rpartition(" ")
        return now_ns + span_ns(span) if direction == "left" else now_ns - span_ns(span)
    match = _CALENDAR.fullmatch(words)
    if match is None or not (match["year"] or match["word"] or match["hour"]):
        raise ValueError("not a time")
    return _calendar_ns(match, now_ns)


def _calendar_ns(match: re.Match[str], now_ns: int) -> int:
    zone = _zone(match["offset"], match["zone"])
    if match["year"]:
        day = date(int(match["year"]), int(match["month"]), int(match["day"]))
        weekday = (match["weekday"] or "").lower()
        if weekday not in ("", _WEEKDAYS[day.weekday()], _WEEKDAYS[day.weekday()][:3]):
            raise ValueError(f"that day is a {_WEEKDAYS[day.weekday()].capitalize()}")
    else:
        today = datetime.fromtimestamp(now_ns // SECOND_NS, UTC).astimezone(zone).date()  # None: the local zone
        day = today + timedelta(_DAYS[(match["word"] or "").lower()])
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    if hour > 23 or minute > 59 or second > 60:  # 60: a leap second (RFC 3339)
        raise ValueError
    if zone is None:
        since_s = int(time.mktime((day.year, day.month, day.day, hour, minute, 0, 0, 0, -1)))
    else:
        since = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone) - datetime(1970, 1, 1, tzinfo=UTC)
        since_s = since.days * DAY_S + since.seconds
    return (since_s + second) * SECOND_NS + fraction_ns(match["fraction"])


def _zone(offset: str | None, name: str | None) -> tzinfo | None:
    # Returns None for the local zone.
    if name is not None:
        from zoneinfo import ZoneInfo  # noqa: PLC0415 - few name a zone

        try:
            return ZoneInfo(name)
        except (OSError, LookupError, ValueError) as error:
            raise ValueError(f"unknown time zone {name}") from error
    if offset is None:
        return None
    if offset.lower() in ("z", "utc"):
        return UTC
    hours, minutes = int(offset[1:3]), int(offset[-2:])
    if hours > 23 or minutes > 59:
        raise ValueError(f"{offset} is not an offset from UTC")
    away = timedelta(hours=hours, minutes=minutes)
    return timezone(away if offset[0] == "+" else -away)
