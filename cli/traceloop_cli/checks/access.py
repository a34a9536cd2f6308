# SPDX-License-Identifier: Apache-2.0
"""Access to the daemon's sockets: the group, owners, modes, and whether a process listens."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from traceloop_cli.checks.model import CONTROL, GROUP, QUERIES, Machine
from traceloop_cli.findings import Finding, Level

_AREA: Final = "sockets"
_PRIVATE: Final = 0o077
_OTHERS: Final = 0o007
_WRITABLE: Final = 0o022


def findings(machine: Machine) -> Iterator[Finding]:
    """Yields findings about the group, the runtime directory and each socket."""
    group = _number(machine, "/etc/group", GROUP)
    if group is None:
        why = f"only root can read traces; other users must be members of the group {GROUP}"
        yield Finding(_AREA, Level.WARNING, f"there is no group {GROUP}", why, f"groupadd --system {GROUP}")
    else:
        yield Finding(_AREA, Level.OK, f"the group {GROUP} exists")
    owners = {0, os.geteuid() if machine.is_root else 0, _number(machine, "/etc/passwd", GROUP)}
    directory = machine.runtime_dir
    try:
        about = machine.host.path(directory).stat()
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            yield Finding(_AREA, Level.UNKNOWN, f"{directory}: {error.strerror}", "", "run this as root")
            return
        why = "the daemon's sockets belong there, so the daemon is not running"
        yield Finding(_AREA, Level.ERROR, f"there is no {directory}", why, "systemctl start traceloopd")
        return
    if about.st_uid not in owners or about.st_mode & _WRITABLE:
        why = "users other than the daemon's can put their own sockets there"
        remedy = f"chown {GROUP}:{GROUP} {directory} && chmod 0755 {directory}"
        yield Finding(_AREA, Level.ERROR, f"{directory} {_described(about)}", why, remedy)
    for path in (machine.hook_socket, directory / CONTROL, directory / QUERIES):
        yield from _socket(machine, path, owners, group)


def _socket(machine: Machine, path: Path, owners: set[int | None], group: int | None) -> Iterator[Finding]:
    restart = "systemctl restart traceloopd-hook.socket traceloopd.service"
    mine = path.name != QUERIES
    why = {
        CONTROL: "traceloopctl add and close do not work",
        QUERIES: "traceloopctl cannot ask the daemon",
    }.get(path.name, "hooks cannot reach the daemon, so containers are not recorded")
    try:
        about = machine.host.path(path).lstat()
    except FileNotFoundError:
        yield Finding(_AREA, Level.ERROR, f"there is no {path}", why, restart)
        return
    except OSError as error:
        yield Finding(_AREA, Level.UNKNOWN, f"{path}: {error.strerror}", "", "run this as root")
        return
    if not stat.S_ISSOCK(about.st_mode):
        yield Finding(_AREA, Level.ERROR, f"{path} is not a socket", why, f"rm {path} && {restart}")
        return
    if about.st_uid not in owners:
        what = f"{path} {_described(about)}: neither root nor {GROUP}"
        danger = "its owner can intercept requests, and can give other users access"
        owner = "root:root" if mine else f"root:{GROUP}"
        yield Finding(_AREA, Level.ERROR, what, danger, f"chown {owner} {path} && {restart}")
    elif mine and about.st_mode & _PRIVATE:
        danger = "users other than root can change what is recorded"
        yield Finding(_AREA, Level.ERROR, f"{path} {_described(about)}", danger, f"chmod 0600 {path}")
    elif not mine and about.st_mode & _OTHERS:
        danger = "every user of this machine can read what containers did"
        yield Finding(_AREA, Level.ERROR, f"{path} {_described(about)}", danger, f"chmod 0660 {path}")
    elif not mine and group is not None and (about.st_gid != group or not about.st_mode & 0o060):
        danger = f"members of the group {GROUP} cannot read traces"
        remedy = f"chgrp {GROUP} {path} && chmod 0660 {path}"
        yield Finding(_AREA, Level.WARNING, f"{path} {_described(about)}", danger, remedy)
    elif not _is_served(machine.host.path(path)):
        yield Finding(_AREA, Level.ERROR, f"no process listens on {path}", why, restart)
    else:
        yield Finding(_AREA, Level.OK, f"{path} {_described(about)}")


def _is_served(path: Path) -> bool:
    # A datagram socket cannot connect to a stream socket, so the listener notices nothing; the error number tells
    # whether there is one: EPROTOTYPE if so (unix(7)).
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        return probe.connect_ex(str(path)) not in (errno.ENOENT, errno.ECONNREFUSED)


def _described(about: os.stat_result) -> str:
    return f"has mode {stat.S_IMODE(about.st_mode):04o}, user {about.st_uid}, group {about.st_gid}"


def _number(machine: Machine, file: str, name: str) -> int | None:
    # Parses the file itself, since the system that is checked may lie below another root.
    for line in machine.text(file).splitlines():
        fields = line.split(":")
        if fields[0] == name and len(fields) > 2 and fields[2].isdigit():
            return int(fields[2])
    return None
