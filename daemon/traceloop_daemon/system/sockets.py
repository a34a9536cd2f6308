# SPDX-License-Identifier: Apache-2.0
"""The daemon's sockets: their names, and their modes, which restrict access from creation on."""

from __future__ import annotations

import errno
import grp
import os
import socket
from functools import cache
from pathlib import Path
from typing import Final

GROUP: Final = "traceloop"
QUERIES: Final = "traceloop.sock"
"""Socket for root and GROUP: requests that change nothing."""
INNER: Final = "inner"
"""Directory for the daemon alone, where gRPC listens for connections that come by QUERIES."""
CONTROL: Final = "control.sock"
"""Socket for root and the daemon's own user: also requests that change what is recorded or kept."""
HOOKS: Final = "hook.sock"
"""Socket for root: hooks of runtimes register containers."""
BIRTHS: Final = "births"
"""File beside HOOKS while containers are recorded from their births: then hooks need not wait for an answer."""
PRIVATE_MODE: Final = 0o600
"""Mode of a socket that only its owner (and root) can use."""


def is_served(path: Path) -> bool:
    """Returns whether a process has a stream socket bound at `path`; also True if this process may not connect."""
    # A datagram socket never connects to a stream socket, and the errno (unix(7)) tells the state: EPROTOTYPE means a
    # live socket, ECONNREFUSED the file of a socket that is gone.
    return _probe().connect_ex(str(path)) not in (errno.ENOENT, errno.ECONNREFUSED)


@cache
def _probe() -> socket.socket:
    # Kept open: if the process has no free descriptor, that must not look like a socket that is gone.
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


def bind_private(path: Path) -> socket.socket:
    """Returns a stream socket bound at `path`, whose mode is PRIVATE_MODE from creation on. Raises OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # bind() gives the file the mode of the socket's own inode (unix_bind_bsd() in net/unix/af_unix.c). The umask
        # would do the same, but belongs to the whole process: other threads make directories meanwhile.
        os.fchmod(listener.fileno(), PRIVATE_MODE)
        listener.bind(str(path))
    except OSError:
        listener.close()
        raise
    return listener


def make_private_directory(path: Path) -> None:
    """Makes a directory that its owner (and root) alone can enter, if it is not there. Raises OSError."""
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)


def share(path: Path) -> None:
    """Gives GROUP access to a private socket. On a machine without that group it stays private."""
    try:
        gid = grp.getgrnam(GROUP).gr_gid
    except KeyError:
        return
    if path.stat().st_gid != gid:  # under our unit the group is right already, and chown(2) is not allowed
        os.chown(path, -1, gid)
    path.chmod(0o660)  # last, so that no other group ever has access
