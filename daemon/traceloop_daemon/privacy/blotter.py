# SPDX-License-Identifier: Apache-2.0
"""Searches for secrets in a separate process, so that the search does not delay threads that containers wait for.

A regular expression holds Python's global lock while it searches, and traced programs choose the text. So a process
other than the daemon searches. It has neither the daemon's descriptors nor its capabilities, receives one snapshot at a
time on a socket, and sends each back without secrets. It exits when the daemon does; if it exits earlier, the daemon
starts another one.

Each message is a length and a kind (`_HEAD`), then that many bytes::

    daemon   SETTINGS  the patterns, as JSON          once
             NAME      the trace's name, for the log  these two for each snapshot
             SNAPSHOT  encoded
    process  LOG       a line for the log             any number of these
             SNAPSHOT  encoded                        or FAULT with an error message
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from traceloop_daemon.privacy.redaction import Redactor
from traceloop_decode import layout
from traceloop_decode.snapshot import Snapshot

_HEAD: Final = struct.Struct("<QB")
_SETTINGS, _NAME, _SNAPSHOT, _LOG, _FAULT = range(5)
_ANSWER_MAX_S: Final = 60.0
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4  # linux/prctl.h
_libc: Final = ctypes.CDLL(None, use_errno=True)
_log = logging.getLogger(__name__)


class Blotter:
    """The daemon's end of the socket. Safe to use from several threads, which are served one at a time."""

    def __init__(self, redactor: Redactor) -> None:
        """Starts the process. redactor: the patterns to search for. Raises OSError."""
        texts = [pattern.pattern.decode("latin-1") for pattern in redactor.patterns]
        self._settings = json.dumps({"patterns": texts, "defaults": redactor.defaults}).encode()
        self._lock = threading.Lock()
        self._start()

    def redacted(self, encoded: bytes, name: str) -> bytes:
        """Returns an encoded snapshot without secrets. name: the trace's name, for the log. Raises OSError."""
        with self._lock:
            try:
                return self._asked(encoded, name)
            except OSError as error:
                _log.error("the process that searches for secrets failed at %s: %s: starting another", name, error)
                self._end()
                self._start()
                raise OSError(f"the process that searches for secrets failed: {error}; try again") from error

    def close(self) -> None:
        """Ends the process."""
        with self._lock:
            self._end()

    def _asked(self, encoded: bytes, name: str) -> bytes:
        _put(self._socket, _NAME, name.encode("utf-8", "surrogateescape"))
        _put(self._socket, _SNAPSHOT, encoded)
        while True:
            kind, answer = _get(self._socket)
            if kind == _SNAPSHOT:
                return answer
            text = answer.decode("utf-8", "surrogateescape")
            if kind != _LOG:
                raise OSError(text)
            _log.warning("%s", text)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs, ThreadPoolExecutor(1) as thread:
            try:
                self._process = thread.submit(_start_process, theirs.fileno()).result()
            except OSError:
                ours.close()
                raise
        self._socket = ours
        self._socket.settimeout(_ANSWER_MAX_S)
        _put(self._socket, _SETTINGS, self._settings)

    def _end(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()


def _start_process(fd: int) -> subprocess.Popen[bytes]:
    # Runs in a separate thread, because prctl and the signal mask change the calling thread alone. The process needs
    # none of the daemon's capabilities, and would inherit the ambient ones (capabilities(7)). SIGTERM and SIGINT are
    # blocked because the daemon still needs the process while the unit stops.
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
    path = os.pathsep.join({str(Path(__file__).parents[2]), str(Path(layout.__file__).parents[1])})
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "traceloop_daemon.privacy.blotter", str(fd)],
        pass_fds=[fd],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
    )


def _put(end: socket.socket, kind: int, data: bytes) -> None:
    end.sendall(_HEAD.pack(len(data), kind))
    end.sendall(data)


def _get(end: socket.socket) -> tuple[int, bytes]:
    size, kind = _HEAD.unpack(_exactly(end, _HEAD.size))
    return kind, _exactly(end, size)


def _exactly(end: socket.socket, size: int) -> bytes:
    data = bytearray(size)
    view, at = memoryview(data), 0
    while at < size:
        count = end.recv_into(view[at:])
        if not count:
            raise ConnectionResetError("the other process has ended")
        at += count
    return bytes(data)


class _Passed(logging.Handler):
    # Sends log lines to the daemon, which writes the log.
    def __init__(self, end: socket.socket) -> None:
        super().__init__()
        self._end = end

    def emit(self, record: logging.LogRecord) -> None:
        _put(self._end, _LOG, record.getMessage().encode("utf-8", "surrogateescape"))


def _serve(end: socket.socket) -> None:
    logging.basicConfig(level=logging.WARNING, handlers=[_Passed(end)])
    _, settings = _get(end)
    fields = json.loads(settings)
    patterns = [re.compile(text.encode("latin-1")) for text in fields["patterns"]]
    redactor = Redactor(patterns, defaults=fields["defaults"])
    while True:
        (_, name), (_, encoded) = _get(end), _get(end)
        try:
            redacted = redactor.redacted(Snapshot.decode(encoded), name.decode("utf-8", "surrogateescape")).encode()
        except Exception as error:  # noqa: BLE001 - the process goes on to serve other snapshots
            _put(end, _FAULT, f"{type(error).__name__}: {error}".encode("utf-8", "surrogateescape"))
        else:
            _put(end, _SNAPSHOT, redacted)


def main() -> None:
    """Runs the searching process until the daemon closes its end of the socket."""
    # A unit that stops sends these to all its processes, while the daemon still needs this one.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as end:
        try:
            _serve(end)
        except (ConnectionError, BrokenPipeError):
            return


if __name__ == "__main__":
    main()
