# SPDX-License-Identifier: Apache-2.0
"""traceloop-explain at a real socket: each request is answered, whatever file it brings."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from archives import INFO, encoded_snapshot, failed_snapshot
from explaining import asked, explaining

from traceloop_decode.archive_file import pack

pytestmark = pytest.mark.installed

SENTENCE = b"server could not open /etc/app.conf: it does not exist."
# The program with other limits, and with a reader that behaves as its file says.
BADLY = """
import os, socket, sys, time
from traceloop_explain.serving import serve
def find(fd):
    how = os.pread(fd, 100, 0).decode()
    if how == "sleep":
        time.sleep(1000)
    if how == "eat":
        return len(bytes(1 << 30)) * "x"
    if how == "crash":
        os.abort()
    if how == "fail":
        raise ValueError("the test says so")
    return how
serve(socket.socket(fileno=3), find, idle_s=60, deadline_s=0.5, memory_max_bytes=512 << 20)
"""


@pytest.fixture
def socket_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="explain-") as directory:  # the path of a unix socket is short (unix(7))
        yield Path(directory) / "s"


def reason(path: Path, content: bytes, tmp_path: Path, request: bytes = b"explain 1") -> bytes:
    file = tmp_path / "file"
    file.write_bytes(content)
    fd = os.open(file, os.O_RDONLY)
    try:
        return asked(path, [fd], request)
    finally:
        os.close(fd)


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_the_first_sentence_of_why(socket_path: Path, tmp_path: Path) -> None:
    with explaining(socket_path):
        assert reason(socket_path, pack(INFO, failed_snapshot()), tmp_path) == b"=" + SENTENCE
        assert reason(socket_path, pack(INFO, encoded_snapshot()), tmp_path) == b"=Not known; its last words: 42"


def test_what_is_no_archive_is_said_and_the_next_is_explained(socket_path: Path, tmp_path: Path) -> None:
    file = pack(INFO, failed_snapshot())
    reading, writing = os.pipe()
    with explaining(socket_path) as process, os.fdopen(writing, "wb"), os.fdopen(reading, "rb"):
        assert reason(socket_path, b"", tmp_path).startswith(b"!")
        before = descriptors(process.pid)
        for _ in range(20):
            asked(socket_path, [reading, writing])
        assert reason(socket_path, file[:-9], tmp_path).startswith(b"!truncated archive")
        assert reason(socket_path, file[:-9] + b"\xff" * 9, tmp_path).startswith(b"!damaged archive")
        assert asked(socket_path, [reading]) == b"!not a regular file"
        assert asked(socket_path, []) == b"!this version does not know the request"
        assert reason(socket_path, file, tmp_path, b"explain 2") == b"!this version does not know the request"
        assert reason(socket_path, file, tmp_path, b"explain 1 please") == b"!this version does not know the request"
        assert reason(socket_path, file, tmp_path) == b"=" + SENTENCE
        assert descriptors(process.pid) < before + 10  # of requests; the last one's may still be open


def test_a_trace_costs_time_and_memory_of_its_own(socket_path: Path, tmp_path: Path) -> None:
    with explaining(socket_path, program=(sys.executable, "-c", BADLY)) as process:
        assert reason(socket_path, b"sleep", tmp_path) == b"!the process that read it took longer than 0.5 s"
        assert reason(socket_path, b"eat", tmp_path) == b"!it takes more than 512 MiB"
        assert reason(socket_path, b"crash", tmp_path) == b"!the process that read it was ended by SIGABRT"
        assert reason(socket_path, b"fail", tmp_path) == b"!the process that read it exited with 1"
        assert reason(socket_path, b"well", tmp_path) == b"=well"
        process.kill()
        assert process.stderr is not None
        said = process.stderr.read()
        assert "ValueError: the test says so" in said


def test_it_exits_when_it_is_idle(socket_path: Path) -> None:
    with explaining(socket_path, "--idle", "0.1") as process:
        assert process.wait(60) == 0


def test_without_a_socket_it_says_what_to_start(socket_path: Path) -> None:
    with explaining(
        socket_path, program=("env", "-u", "LISTEN_PID", Path(sys.executable).parent / "traceloop-explain")
    ) as process:
        said = process.communicate(timeout=60)[1]
    assert (process.returncode, said) == (
        1,
        "traceloop-explain: no socket was passed: start traceloop-explain.socket instead\n",
    )
