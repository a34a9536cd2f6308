# SPDX-License-Identifier: Apache-2.0
"""What /proc tells of a cgroup's processes: what they have open when their recording has begun, and which is the first.

It is bounded, as hooks wait for it. What cannot be read is left out: the process is gone, or has closed it meanwhile,
or the path is longer than /proc tells.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from traceloop_daemon.system.cgroupfs import below
from traceloop_decode.open_files import OpenFiles, Process

PROCESSES_MAX: Final = 64
FDS_MAX: Final = 1024
_FDINFO_MAX: Final = 256  # bytes: `flags` stands in the second line (fs/proc/fd.c, seq_show)
_GONE: Final = (FileNotFoundError, ProcessLookupError, PermissionError)


def read_open_files(cgroup: Path, proc: Path = Path("/proc")) -> OpenFiles:
    """The descriptors and directories of the processes in a cgroup and below it, as far as the bounds go."""
    from_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    processes: dict[int, Process] = {}
    left = FDS_MAX
    for pid in islice(_pids(cgroup), PROCESSES_MAX):
        at = f"{proc}/{pid}"
        fds = _fds(at, left)
        if fds is not None:
            processes[pid] = Process(_link(f"{at}/cwd"), _link(f"{at}/root"), fds)
            left -= len(fds)
    return OpenFiles(from_ns, time.clock_gettime_ns(time.CLOCK_BOOTTIME), processes)


def first_process(cgroup: Path, proc: Path = Path("/proc")) -> int:
    """The process in a cgroup, or below it, that began first; 0: there is none."""
    began = [(began, pid) for pid in _pids(cgroup) if (began := _began(proc / str(pid) / "stat")) is not None]
    return min(began, default=(0, 0))[1]


def _began(stat: Path) -> int | None:
    try:
        text = stat.read_bytes()
    except _GONE:
        return None
    # starttime is the 22nd field of proc_pid_stat(5); the second, the name, may hold blanks and parentheses.
    return int(text.rpartition(b") ")[2].split()[22 - 3])


def _pids(cgroup: Path) -> Iterator[int]:
    for directory in (str(cgroup), *below(cgroup)):
        try:
            with open(f"{directory}/cgroup.procs", "rb", buffering=0) as procs:  # noqa: PTH123 - a hook waits
                yield from [int(line) for line in procs.read().split()]
        except OSError:  # it vanished, or is a threaded one, which shows no processes (EOPNOTSUPP)
            continue


def _fds(at: str, count_max: int) -> dict[int, tuple[bytes, bool]] | None:
    try:
        with os.scandir(f"{at}/fd") as entries:
            numbers = sorted(int(entry.name) for entry in entries)
    except _GONE:
        return None
    found = {}
    for fd in numbers[:count_max]:
        name = _link(f"{at}/fd/{fd}")
        closed_by_exec = _closed_by_exec(f"{at}/fdinfo/{fd}")
        if name is not None and closed_by_exec is not None:
            found[fd] = name, closed_by_exec
    return found


def _closed_by_exec(path: str) -> bool | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = os.read(fd, _FDINFO_MAX)
        finally:
            os.close(fd)
    except _GONE:
        return None
    flags = text.partition(b"\nflags:\t")[2].split(b"\n", 1)[0]
    return bool(int(flags, 8) & os.O_CLOEXEC) if flags else None


def _link(path: str) -> bytes | None:
    try:
        return os.readlink(os.fsencode(path))  # noqa: PTH115 - its bytes, whatever they are
    except _GONE:
        return None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:  # what a program has open may lie deeper than the kernel can tell
            raise
        return None
