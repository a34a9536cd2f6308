# SPDX-License-Identifier: Apache-2.0
"""How often programs ran, and for how long, by the kernel's own clock: BPF_ENABLE_STATS of bpf(2).

While it is on, each run of any program of the node takes some ten nanoseconds more. It is on as long as someone holds a
descriptor that asks for it, or as kernel.bpf_stats_enabled is 1.
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
    """The kernel does not time programs for this process. The message says what to do."""


@dataclass(frozen=True, slots=True)
class RunTime:
    """Of one program, by the name of its function."""

    program: str
    runs: int
    time_ns: int


def measure(programs: Mapping[str, int], wait: Callable[[], object]) -> list[RunTime]:
    """Those of programs, by name and descriptor, while `wait` waits. Raises NotTimed, OSError."""
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
    # -1: they are timed anyway.
    try:
        return bpfcalls.enable_run_times()
    except OSError as error:
        if error.errno != errno.EPERM:
            raise
        if _SYSCTL.read_text().strip() == "1":
            return -1
        raise NotTimed(
            "the kernel times programs for CAP_SYS_ADMIN alone, which this daemon does not have: as root, "
            "`sysctl kernel.bpf_stats_enabled=1`, ask again, and set it back to 0"
        ) from error
