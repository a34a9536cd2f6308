# SPDX-License-Identifier: Apache-2.0
"""The cost limits of reading one input: CPU time and memory in proportion to its size."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_CPU_S: Final = 2.0
_CPU_S_PER_BYTE: Final = 500e-6  # the code is instrumented, and the machine busy
_MEMORY_BYTES: Final = 64 << 20  # caches and tables, which the first input that needs them fills
_MEMORY_BYTES_PER_BYTE: Final = 1000


@contextmanager
def budget(size_bytes: int) -> Iterator[None]:
    """Raises AssertionError if the block takes more than reading `size_bytes` bytes may."""
    before_bytes, began_s = _peak_bytes(), time.process_time()
    yield
    took_s, rose_bytes = time.process_time() - began_s, _peak_bytes() - before_bytes
    assert took_s < _CPU_S + size_bytes * _CPU_S_PER_BYTE, f"{took_s:.1f} s for {size_bytes} bytes"
    assert rose_bytes < _MEMORY_BYTES + size_bytes * _MEMORY_BYTES_PER_BYTE, f"{rose_bytes} for {size_bytes} bytes"


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
