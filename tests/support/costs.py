# SPDX-License-Identifier: Apache-2.0
"""Measures how the cost of reading a trace grows with its size: CPU time at two sizes, and Python's peak memory."""

from __future__ import annotations

import gc
import math
import time
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

_Made = TypeVar("_Made")
TIMES: Final = 4
GROWTH_MAX: Final = 8
"""Limit of the growth of CPU time for an input TIMES as large: between 4 (linear) and 16 (quadratic)."""
_ROUNDS, _ROUNDS_MAX = 3, 20


def growth(make: Callable[[int], _Made], read: Callable[[_Made], object], size: int) -> float:
    """Returns how many times longer it takes to read an input TIMES as large, not counting the making of the input.

    Other work on the machine slows single rounds down: there are more of them while the growth seems to be too large.
    """
    small, large = make(size), make(TIMES * size)
    small_s = large_s = math.inf
    for number in range(_ROUNDS_MAX):
        small_s, large_s = min(small_s, _cpu_s(read, small)), min(large_s, _cpu_s(read, large))
        if number + 1 >= _ROUNDS and large_s < GROWTH_MAX * small_s:
            break
    return large_s / small_s


def peak_bytes(read: Callable[[_Made], object], made: _Made) -> int:
    """Returns the peak memory of the reading."""
    gc.collect()
    tracemalloc.start()
    try:
        read(made)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def exhaust(lines: Iterable[object]) -> int:
    """Consumes all lines without keeping any; returns their number."""
    return sum(1 for _ in lines)


def _cpu_s(read: Callable[[_Made], object], made: _Made) -> float:
    gc.collect()
    began_s = time.process_time()
    read(made)
    return time.process_time() - began_s
