# SPDX-License-Identifier: Apache-2.0
"""Joins standard input and output with a daemon's socket: the far end of ``traceloopctl -H``.

Standard library only, so that it starts quickly. It understands nothing of what it passes on.

The greeting is written once the socket is connected; all after it is the daemon's. So the near end knows when the way
is open, and skips what a login shell printed before.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from typing import Final

GREETING: Final = b"traceloop bridge 1\n"
_PIECE_BYTES: Final = 1 << 16
_STDIN, _STDOUT = 0, 1


def bridge(path: str) -> None:
    """Joins both until the daemon closes the connection, then ends the process. Raises OSError if it cannot connect."""
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.connect(path)
        sys.stdout.flush()
        _write(GREETING)
        threading.Thread(target=_pass_on, args=(daemon,), daemon=True).start()
        while piece := daemon.recv(_PIECE_BYTES):
            _write(piece)
    os._exit(0)  # the other thread may still read standard input


def _pass_on(daemon: socket.socket) -> None:
    while piece := os.read(_STDIN, _PIECE_BYTES):
        daemon.sendall(piece)
    daemon.shutdown(socket.SHUT_WR)


def _write(piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(_STDOUT, rest) :]
