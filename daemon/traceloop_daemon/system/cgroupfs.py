# SPDX-License-Identifier: Apache-2.0
"""The cgroup2 file system: its mount point, a process's cgroup, a cgroup's descendants and whether it is populated.

The roots of all paths are parameters, so that tests can build their own trees.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from traceloop_daemon.errors import ConfigError, RegistrationError
from traceloop_decode.mountinfo import mounts

_ABOVE: Final = re.compile(r"(/\.\.)+")
_OUT_OF_REACH: Final = (errno.ENOENT, errno.ENAMETOOLONG)


def find_mount(proc: Path = Path("/proc")) -> Path:
    """Returns the mount point of cgroup2, from proc_pid_mountinfo(5). Raises ConfigError if there is none.

    Within a cgroup namespace a mount of the whole hierarchy is preferred: its root is above the namespace's, /../..
    """
    found = [
        mount
        for mount in mounts(os.fsdecode((proc / "self/mountinfo").read_bytes()))
        if mount.kind == "cgroup2" and (mount.root == "/" or _ABOVE.fullmatch(mount.root))
    ]
    if found:
        return Path(max(found, key=lambda mount: len(mount.root) if mount.root != "/" else 0).point)
    raise ConfigError(
        "no cgroup2 file system is mounted: boot with systemd.unified_cgroup_hierarchy=1, "
        "or mount it beside the others: mount -t cgroup2 none /sys/fs/cgroup/unified"
    )


def cgroup_of(pid: int, proc: Path = Path("/proc")) -> str:
    """Returns the cgroup2 path of a process: the text after ``0::``, see cgroups(7). Raises RegistrationError."""
    try:
        lines = _lines(proc / str(pid) / "cgroup")
    except (FileNotFoundError, ProcessLookupError) as error:
        raise RegistrationError(f"process {pid} is gone: it ended before it was registered") from error
    for line in lines:
        if line.startswith("0::"):
            path = line.removeprefix("0::").removesuffix(" (deleted)")
            break
    else:
        raise RegistrationError(f"process {pid} is in no cgroup of version 2: {proc}/{pid}/cgroup has no line 0::")
    if path == "/":
        raise RegistrationError(
            f"process {pid} is in the root cgroup (0::/), which contains the whole node: "
            "configure the runtime to give the container its own cgroup"
        )
    path = _from_top(path)
    if path.startswith("/.."):
        raise RegistrationError(f"the cgroup of process {pid} ({path}) is outside of this daemon's cgroup namespace")
    return path


def is_gone(pid: int, proc: Path = Path("/proc")) -> bool:
    """Tells whether there is no such process any more; one that has ended and was not waited for is there."""
    return not (proc / str(pid)).exists()


def anywhere(pid: int, proc: Path = Path("/proc")) -> str:
    """The same of a process wherever it is, in the root cgroup too; of one that is gone, ""."""
    try:
        lines = _lines(proc / str(pid) / "cgroup")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    found = next((line for line in lines if line.startswith("0::")), "0::")
    return _from_top(found.removeprefix("0::").removesuffix(" (deleted)"))


def _from_top(path: str) -> str:
    # /proc gives paths from the top of this process's cgroup namespace: /../../pod2/c1.
    return os.path.normpath(f"{_own_path()}/{path}") if path.startswith("/..") and _own_path() else path


@cache
def _own_path() -> str:
    """Returns the path of the cgroup namespace's top in the mounted hierarchy; "" if none above it is mounted.

    No file tells it, so it is searched by this process's number.
    """
    mount = find_mount()
    return next(
        (str(found).removeprefix(str(mount)) for found in below(mount) if os.getpid() in processes(Path(found))), ""
    )


def _lines(path: Path) -> list[str]:
    # Names of cgroups may contain any bytes but newlines: also other line ends, and invalid UTF-8.
    return os.fsdecode(path.read_bytes()).split("\n")


def cgroup_text(cgroup: str) -> str:
    """Returns a cgroup's path as text that can be sent on: bytes that are not UTF-8 become ``\\xff``."""
    return os.fsencode(cgroup).decode("utf-8", "backslashreplace")


def directory(mount: Path, cgroup: str) -> Path:
    """Returns the directory of a cgroup path."""
    return mount / cgroup.lstrip("/")


def cgroup_id(path: Path) -> int:
    """Returns the kernel's id of a cgroup, which is its directory's inode number. Raises RegistrationError."""
    try:
        return os.stat(path).st_ino
    except OSError as error:
        raise RegistrationError(f"no cgroup {path}: {error.strerror}") from error


def is_made_by_root(path: Path) -> bool:
    """Returns whether root alone can have made a cgroup. Users may give any name to those below their own."""
    try:
        above = path.parent.stat()
    except FileNotFoundError:
        return False
    return above.st_uid in (0, os.geteuid()) and not above.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def below(path: Path) -> Iterator[str]:
    """Yields the directories below one, parents before children. Directories removed in the meantime are left out.

    A container may nest cgroups to any depth, so this does not recurse, and stops where a path would be too long.
    """
    left = [str(path)]  # str, because a deep Path takes longer than everything else here
    while left:
        try:
            with os.scandir(left.pop()) as entries:
                found = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError as error:
            if error.errno not in _OUT_OF_REACH:
                raise
            continue
        yield from found
        left += found


def descendants(path: Path) -> Iterator[int]:
    """Yields the ids of all cgroups below one, in the order of `below`; the cgroup itself may be removed meanwhile."""
    for directory in below(path):
        try:
            yield os.stat(directory).st_ino
        except OSError as error:
            if error.errno not in _OUT_OF_REACH:
                raise


def processes(path: Path) -> list[int]:
    """Returns the processes in a cgroup, not those below it; none if the cgroup is gone or lists none."""
    try:
        return [int(line) for line in (path / "cgroup.procs").read_bytes().split()]
    except OSError:  # removed, or threaded (EOPNOTSUPP)
        return []


def has_ended(path: Path) -> bool:
    """Returns whether processes ran in a cgroup (by cpu.stat), and none is in it or below it now."""
    try:
        events, used = (path / "cgroup.events").read_bytes(), (path / "cpu.stat").read_bytes()
    except OSError:  # removed
        return True
    return b"populated 0" in events and not used.startswith(b"usage_usec 0\n")


def path_of(mount: Path, cgroup_id: int) -> str:
    """Searches for a cgroup by its id, and returns its path in the hierarchy; of one that is gone, ""."""
    for found in below(mount):
        try:
            if os.stat(found).st_ino == cgroup_id:
                return found.removeprefix(str(mount))
        except OSError as error:
            if error.errno not in _OUT_OF_REACH:
                raise
    return ""


def path_inside(mount: Path, path: str, cgroup_id: int) -> str | None:
    """Returns the part of a cgroup's path that is below the mount's root, by the cgroup's id; None if it is gone."""
    parts = path.split("/")[1:]
    for n in range(len(parts)):
        inside = "/" + "/".join(parts[n:])
        try:
            if os.stat(f"{mount}{inside}").st_ino == cgroup_id:
                return inside
        except OSError as error:
            if error.errno not in _OUT_OF_REACH:
                raise
    return None


def open_events(path: Path) -> int:
    """Opens cgroup.events, whose changes poll(2) reports as POLLPRI. Raises RegistrationError."""
    try:
        return os.open(path / "cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise RegistrationError(f"cannot read {path}/cgroup.events: {error.strerror}") from error


def populated(events_fd: int) -> bool | None:
    """Returns whether a process is in the cgroup or below it, or None if the cgroup was removed."""
    try:
        return b"populated 1" in os.pread(events_fd, 256, 0)
    except OSError as error:
        if error.errno == errno.ENODEV:
            return None
        raise
