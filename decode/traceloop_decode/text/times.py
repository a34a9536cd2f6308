# SPDX-License-Identifier: Apache-2.0
"""Times in lines: at the start, since the recording began or as strace's options say; at the end, a call's duration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from traceloop_decode.spans import DAY_S, SECOND_NS
from traceloop_decode.values.times import time_of_day

Clock = Callable[[int], str]
"""Formats CLOCK_BOOTTIME in nanoseconds as the text at the start of a line, with a trailing space."""


@dataclass(frozen=True, slots=True)
class Stamps:
    """The times of lines. clock: at the start; None: since the recording began.

    duration_digits: digits of the fraction of a call's duration (-T), or None to leave durations out. open_until_ns:
    how long calls lasted at least that neither returned nor ended with their thread; None if it is not known.
    """

    clock: Clock | None = None
    duration_digits: int | None = None
    open_until_ns: int | None = None


NO_STAMPS = Stamps()


def no_clock(_ts_ns: int) -> str:
    """Returns no time."""
    return ""


def wall_clock(offset_ns: int, *, unix: bool = False, digits: int = 0) -> Clock:
    """Makes a clock ``14:03:02.123456``, or of the seconds since 1970, with that many digits of the fraction.

    offset_ns: CLOCK_REALTIME - CLOCK_BOOTTIME; unless `unix`, plus the local zone's offset from UTC.
    """

    def text(ts_ns: int) -> str:
        seconds, rest_ns = divmod(ts_ns + offset_ns, SECOND_NS)
        shown = str(seconds) if unix else time_of_day(seconds % DAY_S)
        return f"{shown}{_fraction(rest_ns, digits)} "

    return text


def relative_clock(wall: Clock | None = None, *, digits: int = 6) -> Clock:
    """Makes a clock of the seconds since the previous line (-r): ``     0.000123``; after `wall`, in ``(+...)``."""
    before_ns: int | None = None

    def text(ts_ns: int) -> str:
        nonlocal before_ns
        passed_ns = max(ts_ns - before_ns, 0) if before_ns is not None else 0
        before_ns = ts_ns
        passed = f"{passed_ns // SECOND_NS:6}{_fraction(passed_ns % SECOND_NS, digits)}"
        return f"{passed} " if wall is None else f"{wall(ts_ns)}(+{passed}) "

    return text


def duration(passed_ns: int, digits: int) -> str:
    """Formats how long a call took (-T): ``<0.000123>``."""
    seconds, rest_ns = divmod(max(passed_ns, 0), SECOND_NS)
    return f"<{seconds}{_fraction(rest_ns, digits)}>"


def _fraction(rest_ns: int, digits: int) -> str:
    return f".{rest_ns:09}"[: digits + 1] if digits else ""


def clock(elapsed_ns: int) -> str:
    """Returns ``MM:SS.nnnnnnnnn``; minutes continue after 59."""
    seconds, nanoseconds = divmod(abs(elapsed_ns), SECOND_NS)
    text = f"{_minutes(seconds)}.{nanoseconds:09}"
    return text if elapsed_ns >= 0 else f"-{text}"


@lru_cache(maxsize=16)
def _minutes(seconds: int) -> str:
    return f"{seconds // 60:02}:{seconds % 60:02}"
