# SPDX-License-Identifier: Apache-2.0
"""A read that never ends blocks only its own thread. The reads are real: open(2) of a FIFO without a writer."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from traceloop_daemon.system.file_readers import FileReaders, Result
from traceloop_daemon.system.loop import Loop

THREADS = 2
DEADLINE_S = 0.2
TIMEOUT_S = 30


class Readers:
    """FileReaders with a running loop, and a FIFO."""

    def __init__(self, loop: Loop, fifo: Path) -> None:
        self.loop, self.fifo = loop, fifo
        self.readers = FileReaders(loop, threads=THREADS, deadline_s=DEADLINE_S)
        self.told: queue.SimpleQueue[tuple[float, bytes | None]] = queue.SimpleQueue()

    def block(self) -> bytes:
        """Reads the FIFO, which blocks until there is a writer."""
        return self.fifo.read_bytes()

    def ask(self, read: Callable[[], bytes]) -> None:
        """Calls `ask` in the loop's thread, as the daemon does."""
        began_s = time.monotonic()

        def then(result: Result[bytes]) -> None:
            self.told.put((time.monotonic() - began_s, result()))

        self.loop.call_later(0, lambda: self.readers.ask(read, then))

    def answer(self) -> tuple[float, bytes | None]:
        """Returns the seconds after which the next answer came, and the answer."""
        return self.told.get(timeout=TIMEOUT_S)

    def get_stuck(self, count: int) -> None:
        """Makes `count` readers, one after another, block on the FIFO."""
        for _ in range(count):
            self.ask(self.block)
            took_s, read = self.answer()
            assert read is None
            assert took_s >= DEADLINE_S

    def write(self) -> None:
        """Writes to the FIFO, which unblocks its readers."""
        self.fifo.write_bytes(b"at last")


@pytest.fixture
def readers(tmp_path: Path) -> Iterator[Readers]:
    os.mkfifo(tmp_path / "fifo")
    loop = Loop()
    thread = threading.Thread(target=loop.run)
    thread.start()
    made = Readers(loop, tmp_path / "fifo")
    yield made
    fd = os.open(made.fifo, os.O_RDWR)  # unblocks the remaining readers: a writer that opens and closes at once
    os.close(fd)
    made.readers.close()
    loop.stop()
    thread.join()
    loop.close()


def test_what_is_read_is_told(readers):
    readers.ask(lambda: b"here")
    took_s, read = readers.answer()
    assert read == b"here"
    assert took_s < DEADLINE_S
    assert readers.readers.wait(lambda: b"there") == b"there"


def test_one_that_is_stuck_does_not_hold_up_the_next(readers):
    readers.get_stuck(1)
    readers.ask(lambda: b"here")
    took_s, read = readers.answer()
    assert read == b"here"
    assert took_s < DEADLINE_S


def test_when_all_are_stuck_no_one_waits_and_when_they_are_not_they_read_again(readers):
    readers.get_stuck(THREADS)
    readers.ask(lambda: b"here")
    took_s, read = readers.answer()
    assert read is None
    assert took_s < DEADLINE_S
    assert readers.readers.wait(lambda: b"there") is None
    readers.write()
    end_s = time.monotonic() + TIMEOUT_S
    while readers.readers.wait(lambda: b"there") is None:
        assert time.monotonic() < end_s, "they are stuck for ever"


def test_threads_that_are_stuck_count_though_no_one_wants_the_results(readers):
    """A hook has named the container meanwhile, say."""
    told: queue.SimpleQueue[None] = queue.SimpleQueue()
    for _ in range(THREADS):
        readers.loop.call_later(0, lambda: readers.readers.ask(readers.block, lambda _result: told.put(None)))
        told.get(timeout=TIMEOUT_S)
    readers.ask(lambda: b"here")
    took_s, read = readers.answer()
    assert read is None
    assert took_s < DEADLINE_S


def test_what_waits_for_a_thread_is_told_in_time_too_and_is_not_read_later(readers):
    for _ in range(THREADS):
        readers.ask(readers.block)
    read = threading.Event()
    readers.ask(lambda: read.set() or b"here")
    answers = [readers.answer() for _ in range(THREADS + 1)]
    assert [told for _, told in answers] == [None] * (THREADS + 1)
    assert min(took_s for took_s, _ in answers) >= DEADLINE_S
    readers.write()
    while readers.readers.wait(lambda: b"there") is None:
        pass
    assert not read.is_set()


def test_waiting_has_the_deadline_as_well(readers):
    began_s = time.monotonic()
    assert readers.readers.wait(readers.block) is None
    assert time.monotonic() - began_s >= DEADLINE_S
    assert readers.readers.wait(lambda: b"there") == b"there"


def test_a_fault_reaches_who_asked(readers):
    failed: queue.SimpleQueue[Result[bytes]] = queue.SimpleQueue()
    readers.loop.call_later(0, lambda: readers.readers.ask(lambda: bytes(int("x")), failed.put))
    result = failed.get(timeout=TIMEOUT_S)
    with pytest.raises(ValueError, match="invalid literal"):
        result()
    with pytest.raises(ValueError, match="invalid literal"):
        readers.readers.wait(lambda: bytes(int("x")))
