# SPDX-License-Identifier: Apache-2.0
"""Times of day as text."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_TICKS: Final = 100  # a second, in clock_t: USER_HZ of x86 and arm64


@lru_cache(maxsize=16)
def time_of_day(second: int) -> str:
    """Returns ``23:31:30`` for a second of the day."""
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"


def clock_ticks(ticks: int, constants: str) -> str:
    """Returns ``46 /* 0.46 s */`` for a clock_t; constants: as -X has it."""
    return f"{ticks} /* {ticks / _TICKS:.2f} s */" if ticks and constants != "raw" else str(ticks)
