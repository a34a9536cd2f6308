# SPDX-License-Identifier: Apache-2.0
"""What reading a trace costs as it grows: CPU time at two sizes, and the peak of Python's memory."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

_Made = TypeVar("_Made")
TIMES: Final = 4
GROWTH_MAX: Final = 8
"""Of the time, where the input is TIMES as large: in between 4 (linear) and 16 (quadratic)."""
_ROUNDS: Final = 3


def growth(make: Callable[[int], _Made], read: Callable[[_Made], object], size: int) -> float:
    """How much longer it takes to read what is TIMES as large. Making it does not count."""
    small, large = make(size), make(TIMES * size)
    return min(_cpu_s(read, large) for _ in range(_ROUNDS)) / min(_cpu_s(read, small) for _ in range(_ROUNDS))


def peak_bytes(read: Callable[[_Made], object], made: _Made) -> int:
    """The most memory that reading takes."""
    gc.collect()
    tracemalloc.start()
    try:
        read(made)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def exhaust(lines: Iterable[object]) -> int:
    """Takes all of it, and keeps none; how many there were."""
    return sum(1 for _ in lines)


def _cpu_s(read: Callable[[_Made], object], made: _Made) -> float:
    gc.collect()
    began_s = time.process_time()
    read(made)
    return time.process_time() - began_s
