# SPDX-License-Identifier: Apache-2.0
"""Where the daemon's sockets are, and who may use them: their modes from the first moment on."""

from __future__ import annotations

import errno
import grp
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

GROUP: Final = "traceloop"
QUERIES: Final = "traceloop.sock"
"""For root and GROUP: what only asks."""
INNER: Final = "inner"
"""A directory for the daemon alone, where gRPC listens for what comes by QUERIES."""
CONTROL: Final = "control.sock"
"""For root and the daemon's own user: what changes what is recorded or kept, too."""
HOOKS: Final = "hook.sock"
"""For root: runtimes register containers."""


def is_served(path: Path) -> bool:
    """Whether some process has a stream socket bound at `path`; true also where this one may not look."""
    # The other type never connects, and unix(7) tells what it met: EPROTOTYPE is a live socket, ECONNREFUSED the file
    # of one that is gone.
    return _probe().connect_ex(str(path)) not in (errno.ENOENT, errno.ECONNREFUSED)


@cache
def _probe() -> socket.socket:
    # One for ever: a process that has no descriptor left must not take that for a socket that is gone.
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


@contextmanager
def private() -> Iterator[None]:
    """Sockets and files that are made in the block are their owner's alone (and root's)."""
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


def share(path: Path) -> None:
    """Lets the members of GROUP use a private socket. On a machine without that group it stays private."""
    try:
        gid = grp.getgrnam(GROUP).gr_gid
    except KeyError:
        return
    if path.stat().st_gid != gid:  # under our unit it is so already, and chown(2) is not allowed there
        os.chown(path, -1, gid)
    path.chmod(0o660)  # last: until here it was no one else's, whatever its group
