# SPDX-License-Identifier: Apache-2.0
"""Times as people write them: each form of systemd.time(7), refused texts, and arbitrary input."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from hypothesis import example, given
from hypothesis import strategies as st

from traceloop_cli.options.moments import parse

S = 10**9
NOW = 1_795_539_723 * S + 123_456_789  # 2026-11-24 17:02:03.123456789 UTC, a Tuesday
MIDNIGHT = 1_795_478_400 * S
MINUTE, HOUR, DAY = 60 * S, 3600 * S, 86400 * S


@pytest.fixture
def zone(monkeypatch):
    def change(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield change
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("now", NOW),
        ("today", MIDNIGHT),
        ("yesterday", MIDNIGHT - DAY),
        ("tomorrow", MIDNIGHT + DAY),
        ("yesterday 23:59", MIDNIGHT - MINUTE),
        ("2026-11-24", MIDNIGHT),
        ("2026-11-24 16:00", MIDNIGHT + 16 * HOUR),
        ("  2026-11-24   16:00:05  ", MIDNIGHT + 16 * HOUR + 5 * S),
        ("2026-11-24 16:00:05.25", MIDNIGHT + 16 * HOUR + 5 * S + S // 4),
        ("Tue 2026-11-24 16:00", MIDNIGHT + 16 * HOUR),
        ("tuesday, 2026-11-24", MIDNIGHT),
        ("16:00", MIDNIGHT + 16 * HOUR),
        ("6:00:01", MIDNIGHT + 6 * HOUR + S),
        ("16:00 UTC", MIDNIGHT + 16 * HOUR),
        ("16:00 +01:00", MIDNIGHT + 15 * HOUR),
        ("2026-11-24 UTC", MIDNIGHT),
        ("2026-11-24 16:00 Europe/Berlin", MIDNIGHT + 15 * HOUR),
        ("2026-07-01 16:00 Europe/Berlin", 1_782_914_400 * S),
        ("2026-11-24T16:00:00Z", MIDNIGHT + 16 * HOUR),
        ("2026-11-24t16:00:00.000000001z", MIDNIGHT + 16 * HOUR + 1),
        ("2026-11-24T16:00:00.0000000019Z", MIDNIGHT + 16 * HOUR + 1),
        ("2026-11-24T16:00:00-05:30", MIDNIGHT + 21 * HOUR + 30 * MINUTE),
        ("2016-12-31T23:59:60Z", 1_483_228_800 * S),
        ("@0", 0),
        ("@1795536000", 1_795_536_000 * S),
        ("@1795536000.5", 1_795_536_000 * S + S // 2),
        ("-1h", NOW - HOUR),
        ("- 1h", NOW - HOUR),
        ("+1h30min", NOW + 90 * MINUTE),
        ("-1h 30min 5s", NOW - 90 * MINUTE - 5 * S),
        ("-5", NOW - 5 * S),
        ("-1.5h", NOW - 90 * MINUTE),
        ("-250ms", NOW - S // 4),
        ("10min ago", NOW - 10 * MINUTE),
        ("10 minutes ago", NOW - 10 * MINUTE),
        ("1d 2h ago", NOW - 26 * HOUR),
        ("2 days left", NOW + 2 * DAY),
        ("-1M", NOW - 2_629_800 * S),
        ("-1m", NOW - MINUTE),
        ("-1y", NOW - 31_557_600 * S),
    ],
)
def test_what_a_text_means(zone, text, meant):
    zone("UTC")
    assert parse(text, NOW) == meant


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "16.00", "16", "1h", "h", "-", "+", "-h", "ago", " ago", "-1h ago", "5 ago ago", "@", "@-1", "@x"),
        *("2026-02-31", "2026-13-01", "0000-01-01", "24:00", "16:60", "16:00:61", "16:00 +24:00", "26-11-24"),
        *("Mon 2026-11-24", "Tue 16:00", "Tue", "2026-11-24 16", "2026-11-24T", "16:00:00.", "16:00Z+01:00"),
        *("-1parsec", "16:00 Europe/Nowhere", "16:00 Europe/../../etc/passwd", "16:00 Europe/", "today today"),
        *("1960-01-01", "9999-12-31", "-100y", "@999999999999", "@" + "9" * 5000, "-" + "9" * 5000 + "y", "9" * 5000),
        *("١٦:٠٠", "16:00\x1b[2J", "\0"),  # noqa: RUF001 - only ASCII digits count
    ],
)
def test_what_is_refused_in_one_line_with_examples(text):
    with pytest.raises(ValueError, match=re.escape("write it as 2026-11-24 16:00, 16:00, yesterday, -1h")) as refused:
        parse(text, NOW)
    assert str(refused.value).startswith(repr(text))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("16.00", "not a time"),
        ("-1parsec", "parsec is not a unit of time"),
        ("Mon 2026-11-24", "that day is a Tuesday"),
        ("2026-02-31", "day is out of range for month"),
        ("24:00", "no such day or time"),
        ("-100y", "is before 1970 or after 2261"),
        ("16:00 Europe/Nowhere", "unknown time zone Europe/Nowhere"),
    ],
)
def test_why_it_is_refused(text, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        parse(text, NOW)


def test_the_local_zone_counts_and_its_summer(zone):
    zone("Europe/Berlin")
    assert parse("today", NOW) == MIDNIGHT - HOUR
    assert parse("2026-07-01 16:00", NOW) == parse("2026-07-01 14:00 UTC", NOW)
    assert parse("2026-11-24 16:00", NOW) == parse("2026-11-24 15:00 UTC", NOW)
    # Berlin's day begins before UTC's.
    assert parse("today", MIDNIGHT - MINUTE) == MIDNIGHT - HOUR
    assert parse("today UTC", MIDNIGHT - MINUTE) == MIDNIGHT - DAY


@given(
    st.integers(2 * 86400 * 10**6, 291 * 365 * 86400 * 10**6),
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
def test_whatever_rfc_3339_writes_is_read(since_us, away_min):
    sign, away = "-" if away_min < 0 else "+", abs(away_min)
    local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=since_us, minutes=away_min)
    text = f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond:06}{sign}{away // 60:02}:{away % 60:02}"
    assert parse(text, NOW) == since_us * 1000


PIECES = (
    *("now", "today", "yesterday", "Tue", "2026-11-24", "2026", "-", "+", ":", ".", "T", "Z", "UTC", "+01:00", "/"),
    *("Europe/Berlin", "@", "1", "16:00", "99", "h", "min", "M", "ago", "left", " "),
)


@given(
    st.one_of(
        st.text(),
        st.lists(st.sampled_from(PIECES)).map("".join),
        st.from_regex(r"[-+@]?[0-9:. a-zA-Z/+-]*", fullmatch=True),
    )
)
@example("1" * 100_000)
@example("-" + "1h" * 50_000)
@example("1 " * 50_000 + "ago")
@example("a" * 50_000 + "/")
def test_whatever_is_typed_is_a_time_or_refused(text):
    try:
        assert 0 <= parse(text, NOW) < 1 << 63
    except ValueError as error:
        assert "write it as" in str(error)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
@pytest.mark.parametrize(
    "text",
    [
        *("now", "today", "yesterday", "tomorrow", "16:00", "6:00:01", "2026-11-24", "2026-11-24 16:00"),
        *("2026-11-24 16:00:05.25", "Tue 2026-11-24 16:00 UTC", "@1795536000.5"),
        *("-1h", "+1h30min", "-5", "-1.5h", "10min ago", "1d 2h ago", "2 days left", "-1M", "-1y", "-3w", "-250ms"),
    ],
)
def test_systemd_means_the_same(zone, text):
    zone("America/New_York")
    before_ns = time.time_ns()
    command = ["systemd-analyze", "timestamp", "--", text]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    seconds, micros = re.search(r"UNIX seconds: @(\d+)(\.\d+)?", said).groups()
    meant_us = int(seconds) * 10**6 + int((micros or ".")[1:].ljust(6, "0"))
    assert parse(text, before_ns) // 1000 <= meant_us <= parse(text, time.time_ns()) // 1000 + 1
