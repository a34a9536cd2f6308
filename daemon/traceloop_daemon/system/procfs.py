# SPDX-License-Identifier: Apache-2.0
"""Reads from /proc about a cgroup's processes: the files that they have open, the first one, one of another container.

The number of cgroups, processes and descriptors is limited, as hooks wait for this. Entries that cannot be read are
left out: the process is gone, has closed the file in the meantime, or the path is longer than /proc can report.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Final, NamedTuple

from traceloop_daemon.system.cgroupfs import below
from traceloop_daemon.system.devices import device
from traceloop_decode.open_files import OpenFiles, Process

PROCESSES_MAX: Final = 64
FDS_MAX: Final = 1024
CGROUPS_MAX: Final = 4096
_DEV: Final = b"/dev/"
_FDINFO_MAX: Final = 256  # bytes: pos, flags, mnt_id and ino are the first lines (fs/proc/fd.c, seq_show)
_MOUNTINFO_MAX: Final = 1 << 18  # bytes: some 2,000 mounts, which the kernel takes a millisecond to print
_FDINFO: Final = re.compile(rb"^flags:\t([0-7]+)\nmnt_id:\t(\d+)$", re.MULTILINE)
_MOUNT: Final = re.compile(rb"^\d+", re.MULTILINE)
_NS_GET_PARENT: Final = 0xB702  # linux/nsfs.h
_RUNTIMES: Final = re.compile(r"crun|(?:runc|youki):\[2:INIT\]")
_GONE: Final = (FileNotFoundError, ProcessLookupError, PermissionError)


def read_open_files(cgroup: Path, proc: Path = Path("/proc")) -> OpenFiles:
    """Reads the descriptors and directories of the processes in a cgroup and below it, up to the limits."""
    return _read(islice(_pids(cgroup), PROCESSES_MAX), proc)


def read_process(pid: int, proc: Path = Path("/proc")) -> OpenFiles:
    """Reads the descriptors and directories of one process, as `read_open_files` does."""
    return _read([pid], proc)


def _read(pids: Iterable[int], proc: Path) -> OpenFiles:
    from_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    processes: dict[int, Process] = {}
    left = FDS_MAX
    for pid in pids:
        at = f"{proc}/{pid}"
        fds = _fds(at, left)
        if fds is not None:
            named = {fd: (each.name, each.closed_by_exec) for fd, each in fds.items()}
            directories = _link(f"{at}/cwd"), _link(f"{at}/root")
            processes[pid] = Process(*directories, named, _devices(at, named), _outside(at, fds))
            left -= len(fds)
    return OpenFiles(from_ns, time.clock_gettime_ns(time.CLOCK_BOOTTIME), processes)


def first_process(cgroup: Path, proc: Path = Path("/proc")) -> int:
    """Returns the process in a cgroup or below it that started first, or 0 if there is none."""
    began = [(began, pid) for pid in _pids(cgroup) if (began := _began(proc / str(pid) / "stat")) is not None]
    return min(began, default=(0, 0))[1]


def is_runtimes(pid: int, proc: Path = Path("/proc")) -> bool:
    """Tells whether a container's first process is its runtime's still, by its name; of runc, crun and youki."""
    return _RUNTIMES.fullmatch(_name(proc / str(pid) / "comm") or "") is not None


@dataclass(frozen=True, slots=True)
class Outsider:
    """A process that is not its container's. why: how that is known, after its number and name."""

    pid: int
    name: str
    why: str


def outsider(cgroup: Path, first: int, proc: Path = Path("/proc")) -> Outsider | None:
    """Finds a process in a container's cgroup, or below it, that is not the container's.

    That is the one that started it, or one whose pid namespace is not below the container's. first: the container's
    first process. Looks at a limited number of processes.
    """
    namespace, parent = _pid_namespace(proc, first), _stat_field(proc / str(first) / "stat", 4)
    for pid in islice(_pids(cgroup), PROCESSES_MAX):
        if pid == first:
            continue
        if pid == parent:
            why = "which started it"
        elif namespace is not None and not _is_below(proc, pid, namespace):
            why = "which is outside of its pid namespace"
        else:
            continue
        name = _name(proc / str(pid) / "comm")
        if name is not None:
            return Outsider(pid, name, why)
    return None


def _pid_namespace(proc: Path, pid: int) -> int | None:
    try:
        return (proc / str(pid) / "ns/pid").stat().st_ino
    except _GONE:
        return None


def _is_below(proc: Path, pid: int, namespace: int) -> bool:
    # Whether a process is in a pid namespace or one below it; true too where that cannot be seen.
    try:
        fd = os.open(proc / str(pid) / "ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    except _GONE:
        return True
    while os.fstat(fd).st_ino != namespace:
        try:
            above = fcntl.ioctl(fd, _NS_GET_PARENT)
        except PermissionError:  # ioctl_ns(2): it is the caller's own, or outside of that
            return False
        finally:
            os.close(fd)
        fd = above
    os.close(fd)
    return True


def _name(comm: Path) -> str | None:
    try:
        return comm.read_bytes().removesuffix(b"\n").decode("utf-8", "backslashreplace")
    except _GONE:
        return None


def _began(stat: Path) -> int | None:
    return _stat_field(stat, 22)  # starttime


def _stat_field(stat: Path, number: int) -> int | None:
    try:
        text = stat.read_bytes()
    except _GONE:
        return None
    # By proc_pid_stat(5); the second field, the name, may contain blanks and parentheses.
    return int(text.rpartition(b") ")[2].split()[number - 3])


def _pids(cgroup: Path) -> Iterator[int]:
    for directory in islice(chain((str(cgroup),), below(cgroup)), CGROUPS_MAX):
        try:
            with open(f"{directory}/cgroup.procs", "rb", buffering=0) as procs:  # noqa: PTH123 - a hook waits
                yield from [int(line) for line in procs.read().split()]
        except OSError:  # the cgroup was removed, or is threaded and lists no processes (EOPNOTSUPP)
            continue


class _Fd(NamedTuple):
    name: bytes
    closed_by_exec: bool
    mount: int


def _fds(at: str, count_max: int) -> dict[int, _Fd] | None:
    try:
        # The kernel lists them in order. A process may have a million, which take a second, while other hooks wait.
        with os.scandir(f"{at}/fd") as entries:
            numbers = sorted(int(entry.name) for entry in islice(entries, count_max))
    except _GONE:
        return None
    found = {}
    for fd in numbers:
        name = _link(f"{at}/fd/{fd}")
        info = _FDINFO.search(_begin(f"{at}/fdinfo/{fd}", _FDINFO_MAX) or b"")
        if name is not None and info is not None:
            found[fd] = _Fd(name, bool(int(info[1], 8) & os.O_CLOEXEC), int(info[2]))
    return found


def _outside(at: str, fds: Mapping[int, _Fd]) -> frozenset[int]:
    # The files whose mount is not in the process's mount namespace, or may not be: paths are of another one.
    named = frozenset(fd for fd, each in fds.items() if each.name.startswith(b"/"))
    text = _begin(f"{at}/mountinfo", _MOUNTINFO_MAX) if named else b""
    if text is None or len(text) == _MOUNTINFO_MAX:
        return named
    mounts = {int(number) for number in _MOUNT.findall(text)}
    return frozenset(fd for fd in named if fds[fd].mount not in mounts)


def _devices(at: str, fds: Mapping[int, tuple[bytes, bool]]) -> dict[int, str]:
    named = [fd for fd, (name, _) in fds.items() if name.startswith(_DEV)]
    return {fd: found for fd in named if (found := device(f"{at}/fd/{fd}"))}


def _begin(path: str, size: int) -> bytes | None:
    # Returns a file's first bytes, up to `size`; None if it cannot be read. A read(2) of /proc may return few of them.
    text = b""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while len(text) < size and (more := os.read(fd, size - len(text))):
                text += more
        finally:
            os.close(fd)
    except OSError as error:
        if not isinstance(error, _GONE) and error.errno != errno.EINVAL:  # mountinfo of a process that is ending
            raise
        return None
    return text


def _link(path: str) -> bytes | None:
    try:
        return os.readlink(os.fsencode(path))  # noqa: PTH115 - as bytes, which may be in no encoding
    except _GONE:
        return None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:  # the path of an open file may be longer than the kernel can report
            raise
        return None
