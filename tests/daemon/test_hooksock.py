# SPDX-License-Identifier: Apache-2.0
"""The hook socket and its loop without a recorder: failures that must not keep a container from starting."""

from __future__ import annotations

import errno
import logging
import os
import queue
import resource
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from traceloop_daemon.errors import RegistrationError
from traceloop_daemon.recording.journal import _OneLine
from traceloop_daemon.recording.tally import Tally
from traceloop_daemon.registering.hook_socket import HookSocket, Rest
from traceloop_daemon.system.loop import Loop

TIMEOUT_S = 30


def hook(path: Path, message: bytes) -> socket.socket:
    """Returns the connection of a hook that has sent its message, and waits."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(TIMEOUT_S)
    connection.connect(str(path))
    connection.sendall(message)
    connection.shutdown(socket.SHUT_WR)
    return connection


def answer(connection: socket.socket) -> bytes:
    with connection:
        return connection.recv(4096)


class CountingLoop(Loop):
    """A Loop that counts how often it returned to its descriptors."""

    turns = 0

    def _due(self) -> list[Callable[[], None]]:
        self.turns += 1
        return super()._due()


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hooksock-") as directory:
        yield Path(directory) / "hook.sock"


@pytest.fixture
def serve(path: Path) -> Iterator[Callable[[Callable[[bytes], None]], CountingLoop]]:
    """A function that starts a hook socket at `path` in a thread, with the given handler of messages."""
    loop, opened, threads = CountingLoop(), [], []

    def begin(handle: Callable[[bytes], None]) -> CountingLoop:
        opened.append(HookSocket(loop, path, handle, Tally()))
        threads.append(threading.Thread(target=loop.run))
        threads[-1].start()
        return loop

    yield begin
    loop.stop()
    for thread in threads:
        thread.join()
    for hooks in opened:
        hooks.close()
    loop.close()


def test_a_fault_of_ours_is_answered_and_the_next_hook_served(path, serve, caplog):
    def handle(message: bytes) -> None:
        if message == b"bad":
            raise ValueError("what no one thought of")

    serve(handle)
    assert answer(hook(path, b"bad")) == b"error: internal error in traceloopd: ValueError: see its log; report it\n"
    assert answer(hook(path, b"good")) == b"ok\n"
    (record,) = (record for record in caplog.records if record.exc_info)
    assert "report it" in record.message


def test_what_a_traceback_quotes_reaches_no_terminal_raw():
    with pytest.raises(ValueError, match="31m") as caught:
        raise ValueError("\x1b[31m\u202e")
    raised = (ValueError, caught.value, caught.tb)
    text = _OneLine("%(message)s").format(logging.LogRecord("x", logging.ERROR, "x", 1, "why", (), raised))
    assert all(line.isascii() and line.isprintable() for line in text.split("\n"))
    assert "Traceback" in text
    assert "[31m" in text


def test_without_descriptors_it_waits_for_some_and_does_not_spin(path, serve, caplog):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    loop = serve(lambda _message: None)
    waiting = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    held = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
        try:
            while True:
                held.append(os.dup(0))
        except OSError:
            pass
        for connection in waiting:
            connection.settimeout(TIMEOUT_S)
            connection.connect(str(path))
            connection.sendall(b"x")
            connection.shutdown(socket.SHUT_WR)
        before, done = loop.turns, threading.Event()
        loop.call_later(1.0, done.set)
        assert done.wait(TIMEOUT_S)
        turns = loop.turns - before
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [answer(connection) for connection in waiting] == [b"ok\n"] * 2
    assert turns < 100
    assert len([record for record in caplog.records if "cannot accept hooks" in record.message]) == 1


def test_a_socket_that_cannot_be_watched_is_watched_in_a_moment(path, caplog):
    class Full(Loop):
        left = 2

        def watch(self, fd: int, events: int, callback: Callable[[], object]) -> None:
            if callback.__name__ == "<lambda>" and self.left:
                self.left -= 1
                raise OSError(errno.ENOSPC, "No space left on device")
            super().watch(fd, events, callback)

    loop = Full()
    hooks = HookSocket(loop, path, lambda _message: None, Tally())
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        assert answer(hook(path, b"x")) == b"ok\n"
        assert caplog.text.count("cannot accept hooks") == 1
    finally:
        loop.stop()
        thread.join()
        hooks.close()
        loop.close()


@pytest.mark.parametrize(("fails", "expected"), [(None, b"ok\n"), (RegistrationError("no"), b"error: no\n")])
def test_a_hook_is_answered_when_the_rest_is_done_and_its_end_is_not_read_meanwhile(path, serve, fails, expected):
    waiting: queue.SimpleQueue[Callable[[Rest], None]] = queue.SimpleQueue()
    loop = serve(lambda message: waiting.put if message == b"later" else None)

    def rest() -> None:
        if fails is not None:
            raise fails

    hooked = hook(path, b"later")
    then = waiting.get(timeout=TIMEOUT_S)
    before = loop.turns
    assert answer(hook(path, b"at once")) == b"ok\n"  # others are served meanwhile
    assert loop.turns - before < 20
    hooked.settimeout(0)
    with pytest.raises(BlockingIOError):
        hooked.recv(1)
    hooked.settimeout(TIMEOUT_S)
    loop.call_later(0, lambda: then(rest))
    assert answer(hooked) == expected


def test_a_hook_that_went_away_meanwhile_costs_nothing(path, serve):
    waiting: queue.SimpleQueue[Callable[[Rest], None]] = queue.SimpleQueue()
    loop = serve(lambda message: waiting.put if message == b"later" else None)
    hook(path, b"later").close()
    then = waiting.get(timeout=TIMEOUT_S)
    done = threading.Event()
    loop.call_later(0, lambda: then(done.set))
    assert done.wait(TIMEOUT_S)
    assert answer(hook(path, b"at once")) == b"ok\n"
