# SPDX-License-Identifier: Apache-2.0
"""Measures the kernel memory of a ring, and of the recorder without rings, as the kernel accounts it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from report import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from traceloop_bpf.tracer import Tracer

_KIB = 1 << 10
_RING_MAX_KIB = 1.15 * _KIB
"""Target for a container with the default sizes."""


def measure(tracer: Tracer) -> Iterator[Figure | str]:
    """Yields sizes from the memlock lines of fdinfo: proc_pid_fdinfo(5), kernel/bpf/syscall.c."""
    recording = tracer.record([])
    yield Figure(
        "a ring (one per container, and those in stock)", _memlock(recording.ring.fd) / _KIB, "KiB", _RING_MAX_KIB
    )
    parts = tracer.geometry
    yield Figure("  of these its data", parts.ring_size / _KIB, "KiB")
    yield Figure("  of these the calls that were new", sum(size for _, size in parts.areas()) / _KIB, "KiB")
    counts = parts.area_offset(0) - parts.areas_offset
    yield Figure("  of these totals, and what finds new calls", counts / _KIB, "KiB")
    tracer.give_back(recording)
    tracer.pool.wait_idle()
    fds = tracer._programs.fds()  # noqa: SLF001 - as in programs.take_off
    yield Figure("tables and programs", sum(map(_memlock, fds.values())) / _KIB, "KiB")


def _memlock(fd: int) -> int:
    # Returns bytes; 0 for a link, which has no memlock line.
    found = re.search(r"^memlock:\s+(\d+)$", Path(f"/proc/self/fdinfo/{fd}").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0
