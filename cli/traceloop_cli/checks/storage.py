# SPDX-License-Identifier: Apache-2.0
"""Storage for traces of ended containers: the state directory, and the free space in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from traceloop_cli.checks.model import GROUP, Machine
from traceloop_cli.findings import Finding, Level

_AREA: Final = "storage"
_MIB: Final = 1 << 20
_ROOM_ERROR: Final = 2 * _MIB  # a trace takes 1 MiB at most before it is packed
_ROOM_WARNING: Final = 64 * _MIB
_WHY: Final = "traces of ended containers wait in the daemon's memory (up to archive.memory_max), then are lost"


def findings(machine: Machine) -> Iterator[Finding]:
    """Yields findings about the state directory and its file system."""
    directory = machine.state_dir
    try:
        about = machine.host.path(directory).stat()
        room = os.statvfs(machine.host.path(directory))
    except FileNotFoundError:
        why = "traces of ended containers belong there; does the daemon run with another --state-dir?"
        remedy = f"install -d -m 0750 -o {GROUP} -g {GROUP} {directory}, or give doctor the same --state-dir"
        yield Finding(_AREA, Level.WARNING, f"there is no {directory}", why, remedy)
        return
    except OSError as error:
        yield Finding(_AREA, Level.UNKNOWN, f"{directory}: {error.strerror}", "", "run this as root")
        return
    if about.st_mode & 0o007:
        why = "every user of this machine can read what containers did"
        what = f"{directory} has mode {about.st_mode & 0o7777:04o}"
        yield Finding(_AREA, Level.ERROR, what, why, f"chmod 0750 {directory}")
    free = room.f_bavail * room.f_frsize
    shown = f"{free / _MIB:.1f} MiB free" if free < 1 << 30 else f"{free / (1 << 30):.0f} GiB free"
    remedy = f"free space on the file system of {directory}, or lower archive.max_use in /etc/traceloop/traceloop.toml"
    if room.f_flag & os.ST_RDONLY:
        yield Finding(
            _AREA, Level.ERROR, f"{directory} is on a read-only file system", _WHY, f"mount -o remount,rw {directory}"
        )
    elif room.f_files and not room.f_favail:
        yield Finding(_AREA, Level.ERROR, f"{directory}: the file system has no inode left", _WHY, remedy)
    elif free < _ROOM_ERROR:
        yield Finding(_AREA, Level.ERROR, f"{directory} is full: {shown}", _WHY, remedy)
    elif free < _ROOM_WARNING:
        why = "old traces will soon be removed to make room for new ones"
        yield Finding(_AREA, Level.WARNING, f"{directory} has little space: {shown}", why, remedy)
    else:
        yield Finding(_AREA, Level.OK, f"{directory}: {shown}")
