# SPDX-License-Identifier: Apache-2.0
"""Reads other programs' files in threads of its own, so that a file system which does not answer stops nobody else.

FUSE and NFS can let open(2) and read(2) wait for ever. So whoever asks gets an answer within DEADLINE_S: what was read,
or None. A thread whose reading takes longer is stuck until it returns. The others go on; once all are stuck, everyone
is told None at once.

Nearly all that is asked for is read in less than a millisecond. So who asks waits that moment: the way back through
the loop would take as long again.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from traceloop_daemon.system.loop import Loop

DEADLINE_S: Final = 0.25
"""Of the two seconds that a hook waits. podman's data base takes 0.3 ms."""
_MOMENT_S: Final = 0.005
_THREADS: Final = 4

_T = TypeVar("_T")
Result = Callable[[], _T | None]
"""Gives what was read, or None if it was not to be had in time; or raises what the reading raised."""


class FileReaders:
    """`ask` is for the loop's thread, `wait` for others."""

    def __init__(self, loop: Loop, *, threads: int = _THREADS, deadline_s: float = DEADLINE_S) -> None:
        self._loop, self._threads, self._deadline_s = loop, threads, deadline_s
        self._asked: queue.SimpleQueue[_Reading[Any] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # for what follows, and for all readings
        self._stuck = 0
        self._closed = False
        for number in range(threads):
            # Python does not wait for these at its exit.
            threading.Thread(target=self._run, name=f"file-reader-{number}", daemon=True).start()

    def close(self) -> None:
        """Ends the threads that are not stuck; before the loop is closed."""
        with self._lock:
            self._closed = True
        for _ in range(self._threads):
            self._asked.put(None)

    def ask(self, read: Callable[[], _T], then: Callable[[Result[_T]], object]) -> None:
        """Calls `read` in a thread, and `then` in this one, at once or within the deadline."""
        reading = self._begin(read)

        def tell() -> None:
            if not reading.is_told:
                reading.is_told = True
                then(lambda: self._result(reading))

        if not reading.ended.acquire(timeout=_MOMENT_S):
            with self._lock:
                reading.tell = tell
            self._loop.call_later(self._deadline_s, tell)
            if not reading.is_done:
                return
        tell()

    def wait(self, read: Callable[[], _T]) -> _T | None:
        """Calls `read` in a thread; as `Result`."""
        reading = self._begin(read)
        reading.ended.acquire(timeout=self._deadline_s)
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

    def _result(self, reading: _Reading[_T]) -> _T | None:
        with self._lock:
            if not reading.is_done:
                reading.is_given_up = True
                self._stuck += reading.is_begun
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
        except BaseException as error:  # noqa: BLE001 - whoever asked gets it
            reading.error = error
        with self._lock:
            reading.is_done = True
            reading.ended.release()
            self._stuck -= reading.is_given_up
            if reading.tell is not None and not self._closed:
                self._loop.call_later(0, reading.tell)


class _Reading(Generic[_T]):
    """ended: can be acquired, once, when it is done. tell: is to be called then. is_told: to the loop's thread."""

    def __init__(self, read: Callable[[], _T]) -> None:
        self.read = read
        self.ended = threading.Lock()
        self.ended.acquire()
        self.tell: Callable[[], None] | None = None
        self.result: _T | None = None
        self.error: BaseException | None = None
        self.is_begun = self.is_done = self.is_given_up = self.is_told = False
