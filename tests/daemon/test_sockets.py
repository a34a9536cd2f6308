# SPDX-License-Identifier: Apache-2.0
"""The daemon's sockets have private modes at every moment, and other threads' files keep their modes."""

import ctypes
import os
import stat
import struct
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from traceloop_daemon.recording.tally import Tally
from traceloop_daemon.service.grpc_service import Server
from traceloop_daemon.system.sockets import CONTROL, INNER, QUERIES, bind_private, is_served
from traceloop_proto import traceloop_pb2_grpc as pb_grpc

TIMES = 300
STARTS = 5

# inotify(7), whose events miss no moment
ATTRIB, MOVED_TO, CREATE, DELETE = 0x4, 0x80, 0x100, 0x200
EVENT = struct.Struct("iIII")
LIBC = ctypes.CDLL(None, use_errno=True)


@contextmanager
def watched(directory, name):
    """Yields a list, which gets the events of a name in a directory during the block when the block ends."""
    fd = LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert fd >= 0
    assert LIBC.inotify_add_watch(fd, os.fsencode(directory), ATTRIB | MOVED_TO | CREATE | DELETE) >= 0
    seen: list[int] = []
    try:
        yield seen
        with suppress(BlockingIOError):
            while data := os.read(fd, 1 << 16):
                while data:
                    _, mask, _, size = EVENT.unpack_from(data)
                    if data[EVENT.size : EVENT.size + size].rstrip(b"\0") == os.fsencode(name):
                        seen.append(mask)
                    data = data[EVENT.size + size :]
    finally:
        os.close(fd)


class Answers(pb_grpc.RecorderServicer):
    def close(self):
        pass


@pytest.fixture
def directory():
    with tempfile.TemporaryDirectory(prefix="sockets-") as path:
        yield Path(path)


@pytest.fixture
def open_umask():
    """A umask under which everything is accessible to everyone unless it is given a mode."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_bound_socket_is_private_from_the_first_moment_on(directory, open_umask):
    with watched(directory, "s") as seen:
        bind_private(directory / "s").close()
        assert mode(directory / "s") == 0o600
    assert seen == [CREATE]  # and its mode never changed


def test_grpcs_sockets_are_private_from_the_first_moment_on(directory, open_umask):
    for _ in range(STARTS):
        with watched(directory, CONTROL) as seen:
            service = Server(Answers(), directory, Tally())
            assert is_served(directory / CONTROL)
            assert mode(directory / CONTROL) == 0o600
            assert mode(directory / INNER) == 0o700
            service.close()
        assert seen == [MOVED_TO, DELETE]  # made elsewhere, and its mode never changed here
        assert not list(directory.iterdir())


def test_a_control_socket_that_was_removed_is_put_back_private(directory, open_umask):
    service = Server(Answers(), directory, Tally())
    try:
        (directory / CONTROL).unlink()
        assert service.mend() == [str(directory / CONTROL)]
        assert is_served(directory / CONTROL)
        assert mode(directory / CONTROL) == 0o600
        assert [path.name for path in (directory / INNER).iterdir()] == [QUERIES]
        assert service.mend() == []
    finally:
        service.close()


def test_directories_that_other_threads_make_meanwhile_keep_their_modes(directory):
    others, ended = directory / "others", threading.Event()
    others.mkdir()
    before = os.umask(0o022)

    def make():
        number = 0
        while not ended.is_set():
            (others / str(number)).mkdir()
            number += 1

    thread = threading.Thread(target=make)
    thread.start()
    try:
        for number in range(TIMES):
            bind_private(directory / str(number)).close()
        service = Server(Answers(), directory, Tally())
        service.close()
    finally:
        ended.set()
        thread.join()
        os.umask(before)
    modes = [mode(path) for path in others.iterdir()]
    assert len(modes) > 100
    assert set(modes) == {0o755}
