# SPDX-License-Identifier: Apache-2.0
"""What a ring, and the recorder without rings, take of the kernel's memory, by the kernel's own account."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from report import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from traceloop_bpf.tracer import Tracer

_KIB = 1 << 10


def measure(tracer: Tracer) -> Iterator[Figure | str]:
    """From the memlock lines of fdinfo: proc_pid_fdinfo(5), kernel/bpf/syscall.c."""
    recording = tracer.record([])
    yield Figure("a ring (one per container, and those in stock)", _memlock(recording.ring.fd) / _KIB, "KiB")
    tracer.give_back(recording)
    tracer.pool.wait_idle()
    fds = tracer._programs.fds()  # noqa: SLF001 - as in programs.take_off
    yield Figure("tables and programs", sum(map(_memlock, fds.values())) / _KIB, "KiB")


def _memlock(fd: int) -> int:
    """Bytes; 0 for a link, which has no such line."""
    found = re.search(r"^memlock:\s+(\d+)$", Path(f"/proc/self/fdinfo/{fd}").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0
