# SPDX-License-Identifier: Apache-2.0
"""The event loop: callbacks for ready descriptors, for other threads' requests, and for timers.

asyncio does not serve: its selectors wait for EPOLLIN and EPOLLOUT, and cgroup.events reports by EPOLLPRI.
"""

from __future__ import annotations

import heapq
import itertools
import os
import select
import threading
import time
from collections.abc import Callable
from typing import Final

READABLE: Final = select.EPOLLIN
PRIORITY: Final = select.EPOLLPRI
"""The event by which cgroup.events reports a change."""


class Loop:
    """An epoll(7) loop whose callbacks run in the thread of `run`. Its methods may be called from any thread.

    If another thread unwatches and closes a descriptor, the next descriptor with the same number may get one spurious
    callback. So callbacks must check for themselves whether there is something to do.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], object]] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._running = True
        self.watch(self._wake_fd, READABLE, self._woken)

    def _woken(self) -> None:
        os.eventfd_read(self._wake_fd)

    def watch(self, fd: int, events: int, callback: Callable[[], object]) -> None:
        """Calls `callback` whenever one of `events` holds for `fd`, until `unwatch`. Raises OSError."""
        self._epoll.register(fd, events)
        self._callbacks[fd] = callback

    def unwatch(self, fd: int) -> None:
        """Stops calls for `fd`. Must be called before `fd` is closed."""
        del self._callbacks[fd]
        self._epoll.unregister(fd)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> None:
        """Calls `callback` once, after `delay_s`."""
        with self._lock:
            heapq.heappush(self._timers, (time.monotonic() + delay_s, next(self._numbers), callback))
        os.eventfd_write(self._wake_fd, 1)

    def stop(self) -> None:
        """Makes `run` return once. May be called from signal handlers."""
        self._running = False
        os.eventfd_write(self._wake_fd, 1)

    def run(self) -> None:
        """Runs callbacks until `stop`. May be called again afterwards."""
        while self._running:
            with self._lock:
                timeout = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
            for fd, _ in self._epoll.poll(timeout):
                callback = self._callbacks.get(fd)
                if callback is not None:  # None: an earlier callback of this round unwatched it
                    callback()
            for callback in self._due():
                callback()
        self._running = True

    def _due(self) -> list[Callable[[], None]]:
        due = []
        with self._lock:
            while self._timers and self._timers[0][0] <= time.monotonic():
                due.append(heapq.heappop(self._timers)[2])
        return due

    def close(self) -> None:
        """Closes the loop's own descriptors."""
        self._epoll.close()
        os.close(self._wake_fd)
