# SPDX-License-Identifier: Apache-2.0
"""The cgroup2 file system: where it is, which cgroup a process is in, what lies below one, whether it is populated.

All paths start at roots that are given, so that tests can build trees of their own.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from traceloop_daemon.errors import ConfigError, RegistrationError

_OUT_OF_REACH: Final = (errno.ENOENT, errno.ENAMETOOLONG)


def find_mount(proc: Path = Path("/proc")) -> Path:
    """Where cgroup2 is mounted (mountinfo of proc_pid_mountinfo(5)). Raises ConfigError where it is not."""
    for line in _lines(proc / "self/mountinfo"):
        fields, _, rest = line.partition(" - ")
        if rest.split(" ", 1)[0] == "cgroup2" and fields.split(" ")[3] == "/":
            return Path(fields.split(" ")[4].encode().decode("unicode_escape"))
    raise ConfigError(
        "no cgroup2 file system is mounted: boot with systemd.unified_cgroup_hierarchy=1, "
        "or mount it beside the old ones: mount -t cgroup2 none /sys/fs/cgroup/unified"
    )


def cgroup_of(pid: int, proc: Path = Path("/proc")) -> str:
    """The cgroup2 path of a process, as after ``0::`` in cgroups(7). Raises RegistrationError."""
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
            f"process {pid} is in the root cgroup (0::/), where the whole node is: "
            "the runtime must give the container a cgroup of its own"
        )
    if path.startswith("/.."):
        raise RegistrationError(f"the cgroup of process {pid} ({path}) lies outside of this daemon's cgroup namespace")
    return path


def _lines(path: Path) -> list[str]:
    # Names of cgroups may hold all but newlines: other ends of lines, and what is not UTF-8.
    return os.fsdecode(path.read_bytes()).split("\n")


def directory(mount: Path, cgroup: str) -> Path:
    """The directory of a cgroup path."""
    return mount / cgroup.lstrip("/")


def cgroup_id(path: Path) -> int:
    """The id by which the kernel knows a cgroup: its directory's inode. Raises RegistrationError."""
    try:
        return os.stat(path).st_ino
    except OSError as error:
        raise RegistrationError(f"no cgroup {path}: {error.strerror}") from error


def below(path: Path) -> Iterator[str]:
    """The directories below one, each before those that lie in it; those that vanish meanwhile are left out.

    A container may nest its cgroups without end: this does not recurse, and ends where a path would be too long.
    """
    left = [str(path)]  # no Path: of a deep one that takes longer than all else here
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
    """The ids of all cgroups below one, as `below` finds them; it may vanish too."""
    for directory in below(path):
        try:
            yield os.stat(directory).st_ino
        except OSError as error:
            if error.errno not in _OUT_OF_REACH:
                raise


def open_events(path: Path) -> int:
    """A descriptor of cgroup.events, whose changes poll(2) reports as POLLPRI. Raises RegistrationError."""
    try:
        return os.open(path / "cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise RegistrationError(f"{path}/cgroup.events: {error.strerror}") from error


def populated(events_fd: int) -> bool | None:
    """Whether a process is in the cgroup or below it; None if the cgroup was removed."""
    try:
        return b"populated 1" in os.pread(events_fd, 256, 0)
    except OSError as error:
        if error.errno == errno.ENODEV:
            return None
        raise
