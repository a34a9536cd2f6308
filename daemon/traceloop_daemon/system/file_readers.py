# SPDX-License-Identifier: Apache-2.0
"""Reads other programs' files in separate threads, so that a file system that hangs does not block the daemon.

On FUSE and NFS, open(2) and read(2) can block for ever. So callers get an answer within DEADLINE_S: the result or None.
A thread whose reading takes longer is stuck until the reading returns. The other threads go on; once all are stuck,
callers get None at once.

Most readings take less than a millisecond. So `ask` first waits a moment for the result, because an answer through the
loop would take as long again.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from traceloop_daemon.system.loop import Loop

DEADLINE_S: Final = 0.25
"""Deadline of one reading, out of the two seconds that a hook waits. Reading podman's database takes 0.3 ms."""
_MOMENT_S: Final = 0.005
_THREADS: Final = 4

_T = TypeVar("_T")
Result = Callable[[], _T | None]
"""A function that returns the result, or None if it was not there in time, or raises the reading's exception."""


class FileReaders:
    """Threads that read files. `ask` is for the loop's thread, `wait` for other threads."""

    def __init__(self, loop: Loop, *, threads: int = _THREADS, deadline_s: float = DEADLINE_S) -> None:
        self._loop, self._threads, self._deadline_s = loop, threads, deadline_s
        self._asked: queue.SimpleQueue[_Reading[Any] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # guards the fields below and all readings
        self._stuck = 0
        self._closed = False
        for number in range(threads):
            # Daemon threads, because Python would wait for others at its exit.
            threading.Thread(target=self._run, name=f"file-reader-{number}", daemon=True).start()

    def close(self) -> None:
        """Ends the threads that are not stuck. Must be called before the loop is closed."""
        with self._lock:
            self._closed = True
        for _ in range(self._threads):
            self._asked.put(None)

    def ask(self, read: Callable[[], _T], then: Callable[[Result[_T]], object], *, moment_s: float = _MOMENT_S) -> None:
        """Calls `read` in another thread, then `then` in this one, at once or within the deadline.

        moment_s: how long this thread waits for the result itself.
        """
        reading = self._begin(read)

        def tell() -> None:
            if not reading.is_told:
                reading.is_told = True
                self._give_up(reading)
                then(lambda: self._result(reading))

        if not reading.ended.acquire(timeout=moment_s):
            with self._lock:
                reading.tell = tell
            self._loop.call_later(self._deadline_s, tell)
            if not reading.is_done:
                return
        tell()

    def wait(self, read: Callable[[], _T]) -> _T | None:
        """Calls `read` in another thread and returns or raises as `Result` does."""
        reading = self._begin(read)
        reading.ended.acquire(timeout=self._deadline_s)
        self._give_up(reading)
        return self._result(reading)

    def _begin(self, read: Callable[[], _T]) -> _Reading[_T]:
        reading = _Reading(read)
        with self._lock:
            if self._stuck == self._threads:
                reading.is_done = True
                reading.ended.release()
                return reading
        self._asked.put(reading)
        return reading

    def _give_up(self, reading: _Reading[_T]) -> None:
        # Unless it is done. Whoever asked may not want the result any more.
        with self._lock:
            if not reading.is_done:
                reading.is_given_up = True
                self._stuck += reading.is_begun

    @staticmethod
    def _result(reading: _Reading[_T]) -> _T | None:
        if reading.is_given_up:
            return None
        if reading.error is not None:
            raise reading.error
        return reading.result

    def _run(self) -> None:
        while (reading := self._asked.get()) is not None:
            with self._lock:
                reading.is_begun = not reading.is_given_up
            if reading.is_begun:
                self._carry_out(reading)

    def _carry_out(self, reading: _Reading[Any]) -> None:
        try:
            reading.result = reading.read()
        except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
            reading.error = error
        with self._lock:
            reading.is_done = True
            reading.ended.release()
            self._stuck -= reading.is_given_up
            if reading.tell is not None and not self._closed:
                self._loop.call_later(0, reading.tell)


class _Reading(Generic[_T]):
    # ended: can be acquired once, when the reading is done. tell: called then. is_told: `then` was called.

    def __init__(self, read: Callable[[], _T]) -> None:
        self.read = read
        self.ended = threading.Lock()
        self.ended.acquire()
        self.tell: Callable[[], None] | None = None
        self.result: _T | None = None
        self.error: BaseException | None = None
        self.is_begun = self.is_done = self.is_given_up = self.is_told = False
