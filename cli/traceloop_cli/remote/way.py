# SPDX-License-Identifier: Apache-2.0
"""A way to a daemon's socket through the standard input and output of a command, such as ssh.

Theory of operation: gRPC connects only to sockets, so a way listens on a socket of its own, in a directory that only
this user can enter. It passes one connection on, to the command that was started before::

    gRPC --- socket --- two threads --- command (ssh) ... traceloopctl bridge --- the daemon's socket

The far end greets when it has connected (`bridge`). What comes before, such as a login shell's output, is skipped.
Nothing here has a time limit of its own except the wait for the greeting: a person may have to type a passphrase.
"""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from traceloop_cli.bridge import GREETING
from traceloop_cli.errors import CliError, Failed

_PIECE_BYTES: Final = 1 << 16
_SKIPPED_MAX_BYTES: Final = 1 << 20
_COMPLAINT_MAX_BYTES: Final = 4096
_ENDING_S: Final = 2.0
_NOT_STARTED: Final = 127
Explain = Callable[[int | None, str], CliError]
"""Makes the error of a command that failed, from its status (None: the time was over) and its last line on stderr."""


@contextmanager
def way(command: Sequence[str], explain: Explain, wait_s: float | None) -> Iterator[str]:
    """Yields the path of a local socket that leads to the daemon at the far end of a command.

    wait_s: the maximum wait for the far end; None: as long as the command runs. Raises what `explain` returns.
    """
    with ExitStack() as opened:
        with _prepared():
            near, far = map(opened.enter_context, socket.socketpair())
            stderr = opened.enter_context(tempfile.TemporaryFile())
        try:
            with far:
                process = subprocess.Popen(command, stdin=far.fileno(), stdout=far.fileno(), stderr=stderr)
        except OSError as error:
            raise explain(_NOT_STARTED, f"{command[0]}: {error.strerror}") from error
        with process, _ended(process):
            try:
                early = _greeted(near, wait_s)
                status = process.wait(_ENDING_S) if early is None else 0
            except (TimeoutError, subprocess.TimeoutExpired):
                early = status = None
            if early is None:
                raise explain(status, _last_line(stderr))
            with _listening(near, early) as path:
                yield path


def _greeted(near: socket.socket, wait_s: float | None) -> bytes | None:
    # Returns the bytes after the greeting; None if none came before the end of the output. Raises TimeoutError.
    until_s = None if wait_s is None else time.monotonic() + wait_s
    seen = b""
    while GREETING not in seen:
        left_s = None if until_s is None else max(0.0, until_s - time.monotonic())
        if not select.select([near], [], [], left_s)[0]:
            raise TimeoutError
        piece = near.recv(_PIECE_BYTES)
        if not piece or len(seen) > _SKIPPED_MAX_BYTES:
            return None
        seen += piece
    return seen.partition(GREETING)[2]


def _last_line(stderr: IO[bytes]) -> str:
    stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - _COMPLAINT_MAX_BYTES))
    lines = stderr.read().decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    # The end of its input has ended the command by itself, unless it hangs. A signal at once would also end other
    # sessions that ssh carries on the same connection.
    wait_s = 0.0
    try:
        yield
        wait_s = _ENDING_S
    finally:
        for end in (process.terminate, process.kill):
            try:
                process.wait(wait_s)
            except subprocess.TimeoutExpired:
                end()
            wait_s = _ENDING_S


@contextmanager
def _listening(near: socket.socket, early: bytes) -> Iterator[str]:
    with ExitStack() as opened:
        with _prepared():
            made = tempfile.TemporaryDirectory(prefix="traceloop-", ignore_cleanup_errors=True)
            directory = opened.enter_context(made)
            listener = opened.enter_context(socket.socket(socket.AF_UNIX))
            path = str(Path(directory, "s"))
            listener.bind(path)
            listener.listen(1)
        passing = threading.Thread(target=_pass_connection, args=(listener, near, early, directory), daemon=True)
        passing.start()
        try:
            yield path
        finally:
            with suppress(OSError):  # wakes the thread, if nobody has connected
                listener.shutdown(socket.SHUT_RDWR)
            with suppress(OSError):
                near.shutdown(socket.SHUT_WR)
            passing.join(_ENDING_S)


@contextmanager
def _prepared() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = tempfile.tempdir or "a temporary directory"
        why = error.strerror or str(error)
        raise Failed(f"cannot make a socket in {where}: {why}; set TMPDIR to another directory") from error


def _pass_connection(listener: socket.socket, near: socket.socket, early: bytes, directory: str) -> None:
    try:
        connection = listener.accept()[0]
    except OSError:
        return  # the way was closed before
    shutil.rmtree(directory, ignore_errors=True)  # a signal may end this process before the way is closed
    with connection:
        answers = threading.Thread(target=_pass, args=(near, connection, early), daemon=True)
        answers.start()
        _pass(connection, near)
        answers.join()


def _pass(source: socket.socket, target: socket.socket, early: bytes = b"") -> None:
    # An end of either closes the other's input. MSG_NOSIGNAL: traceloopctl dies of SIGPIPE.
    with suppress(OSError):
        piece = early
        while True:
            target.sendall(piece, socket.MSG_NOSIGNAL)
            piece = source.recv(_PIECE_BYTES)
            if not piece:
                break
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
