# SPDX-License-Identifier: Apache-2.0
"""Runs traceloop-explain at a socket, as its units do, without a systemd; and asks it as the daemon does."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from traceloop_decode.reason import ANSWER_MAX, REQUEST

PROGRAM = Path(sys.executable).parent / "traceloop-explain"
# sd_listen_fds(3): the socket is descriptor 3, and the variable names the process that it is for.
_START = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execvp(sys.argv[2], sys.argv[2:])
"""


@contextmanager
def explaining(path: Path, *words: str, program: Sequence[str | Path] = (PROGRAM,)) -> Iterator[subprocess.Popen[str]]:
    """Starts the program, or another one in its place, and ends it with the block. path: of the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen()
        command = [sys.executable, "-c", _START, str(listener.fileno()), *program, *words]
        process = subprocess.Popen(command, pass_fds=[listener.fileno()], stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()
        path.unlink()


def asked(path: Path, fds: Sequence[int], request: bytes = REQUEST, timeout_s: float = 60) -> bytes:
    """Returns the answer to one request; empty if there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(timeout_s)
        connection.connect(str(path))
        socket.send_fds(connection, [request], list(fds))
        return connection.recv(ANSWER_MAX + 1)
