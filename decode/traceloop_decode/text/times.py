# SPDX-License-Identifier: Apache-2.0
"""The time in front of a line: since the recording began, or as strace's options have it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

_SECOND_NS: Final = 1_000_000_000
_DAY_S: Final = 86400

Clock = Callable[[int], str]
"""CLOCK_BOOTTIME in nanoseconds -> what stands in front of the line, with a space behind it."""


def no_clock(_ts_ns: int) -> str:
    """No time."""
    return ""


def wall_clock(form: int, offset_ns: int) -> Clock:
    """form: 1 ``14:03:02`` (-t), 2 ``14:03:02.123456`` (-tt), 3 ``1766412182.123456`` (-ttt).

    offset_ns: CLOCK_REALTIME - CLOCK_BOOTTIME; but for form 3 with the local zone's offset from UTC.
    """

    def text(ts_ns: int) -> str:
        seconds, rest_ns = divmod(ts_ns + offset_ns, _SECOND_NS)
        shown = str(seconds) if form == 3 else _time_of_day(seconds % _DAY_S)
        return f"{shown} " if form == 1 else f"{shown}.{rest_ns // 1000:06} "

    return text


def relative_clock(wall: Clock | None = None) -> Clock:
    """``     0.000123``: seconds since the line before (-r); behind another clock as ``(+     0.000123)``."""
    before_ns: int | None = None

    def text(ts_ns: int) -> str:
        nonlocal before_ns
        passed_ns = max(ts_ns - before_ns, 0) if before_ns is not None else 0
        before_ns = ts_ns
        passed = f"{passed_ns // _SECOND_NS:6}.{passed_ns % _SECOND_NS // 1000:06}"
        return f"{passed} " if wall is None else f"{wall(ts_ns)}(+{passed}) "

    return text


@lru_cache(maxsize=16)
def _time_of_day(second: int) -> str:
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"


def clock(elapsed_ns: int) -> str:
    """``MM:SS.nnnnnnnnn``; the minutes go on after 59."""
    seconds, nanoseconds = divmod(abs(elapsed_ns), 1_000_000_000)
    text = f"{_minutes(seconds)}.{nanoseconds:09}"
    return text if elapsed_ns >= 0 else f"-{text}"


@lru_cache(maxsize=16)
def _minutes(seconds: int) -> str:
    return f"{seconds // 60:02}:{seconds % 60:02}"
