# SPDX-License-Identifier: Apache-2.0
"""Spans of time in the forms of systemd.time(7): ``14d``, ``1h 30min``, ``1.5h``, ``90``.

libsystemd does not export its parser of them.
"""

from __future__ import annotations

import re
from typing import Final

SECOND_NS: Final = 1_000_000_000
DAY_S: Final = 86_400
_YEAR_S: Final = 31_557_600  # systemd.time(7): 365.25 days, and a month is a twelfth
_UNITS_NS: Final = {
    **dict.fromkeys(("ns", "nsec"), 1),
    **dict.fromkeys(("us", "usec"), 1000),
    **dict.fromkeys(("ms", "msec"), 1_000_000),
    **dict.fromkeys(("", "s", "sec", "second", "seconds"), SECOND_NS),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60 * SECOND_NS),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600 * SECOND_NS),
    **dict.fromkeys(("d", "day", "days"), DAY_S * SECOND_NS),
    **dict.fromkeys(("w", "week", "weeks"), 7 * DAY_S * SECOND_NS),
    **dict.fromkeys(("M", "month", "months"), _YEAR_S // 12 * SECOND_NS),
    **dict.fromkeys(("y", "year", "years"), _YEAR_S * SECOND_NS),
}
_PART: Final = re.compile(r"([0-9]{1,20})(?:\.([0-9]+))? ?([A-Za-z]*) ?")


def span_ns(text: str) -> int:
    """Returns the nanoseconds of a span; a number without a unit counts seconds. Raises ValueError."""
    total_ns = at = 0
    while match := _PART.match(text, at):
        unit_ns = _UNITS_NS.get(match[3])
        if unit_ns is None:
            raise ValueError(f"{match[3]} is not a unit of time")
        total_ns += int(match[1]) * unit_ns + fraction_ns(match[2]) * unit_ns // SECOND_NS
        at = match.end()
    if not text or at < len(text):
        raise ValueError("not a time")
    return total_ns


def fraction_ns(digits: str | None) -> int:
    """Returns the nanoseconds of a second's decimals: 500,000,000 for ``5``. Finer decimals are cut off."""
    return int((digits or "")[:9].ljust(9, "0"))
