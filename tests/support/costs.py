# SPDX-License-Identifier: Apache-2.0
"""Measures how the cost of reading a trace grows with its size: CPU time at two sizes, and Python's peak memory."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

_Made = TypeVar("_Made")
TIMES: Final = 4
GROWTH_MAX: Final = 8
"""Limit of the growth of CPU time for an input TIMES as large: between 4 (linear) and 16 (quadratic)."""
_ROUNDS: Final = 3


def growth(make: Callable[[int], _Made], read: Callable[[_Made], object], size: int) -> float:
    """Returns how many times longer it takes to read an input TIMES as large, not counting the making of the input."""
    small, large = make(size), make(TIMES * size)
    return min(_cpu_s(read, large) for _ in range(_ROUNDS)) / min(_cpu_s(read, small) for _ in range(_ROUNDS))


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
