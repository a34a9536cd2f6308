# SPDX-License-Identifier: Apache-2.0
"""Measures how often programs ran and for how long, with the kernel's statistics: BPF_ENABLE_STATS of bpf(2).

While the statistics are on, each run of any program on the node takes some ten nanoseconds longer. They are on as long
as a process holds a descriptor that requests them, or while kernel.bpf_stats_enabled is 1.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from traceloop_bpf import bpfcalls

_SYSCTL: Final = Path("/proc/sys/kernel/bpf_stats_enabled")


class NotTimed(Exception):
    """The kernel does not time programs for this process. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class RunTime:
    """The run time of one program. program: the name of its function."""

    program: str
    runs: int
    time_ns: int


def measure(programs: Mapping[str, int], wait: Callable[[], object]) -> list[RunTime]:
    """Measures programs, given by name and descriptor, while `wait` waits. Raises NotTimed, OSError."""
    fd = _enable()
    try:
        before = {name: bpfcalls.program_runs(program) for name, program in programs.items()}
        wait()
        after = {name: bpfcalls.program_runs(program) for name, program in programs.items()}
    finally:
        if fd >= 0:
            os.close(fd)
    return [RunTime(name, runs - before[name][1], time_ns - before[name][0]) for name, (time_ns, runs) in after.items()]


def _enable() -> int:
    # Returns -1 if programs are timed already.
    try:
        return bpfcalls.enable_run_times()
    except OSError as error:
        if error.errno != errno.EPERM:
            raise
        if _SYSCTL.read_text().strip() == "1":
            return -1
        raise NotTimed(
            "the kernel times programs only with CAP_SYS_ADMIN, which this daemon does not have: as root, run "
            "`sysctl kernel.bpf_stats_enabled=1`, try again, and set it back to 0"
        ) from error
