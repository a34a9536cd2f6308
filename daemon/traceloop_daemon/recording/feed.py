# SPDX-License-Identifier: Apache-2.0
"""What becomes of traces, told to whoever listens, as it happens.

Nobody is waited for: each listener has a queue of its own, within a bound, and what comes while that is full is counted
for it instead.
"""

from __future__ import annotations

import enum
import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from traceloop_daemon.recording.registry import Trace

LISTENERS_MAX: Final = 16
_WAITING_MAX: Final = 1000


class Happened(enum.Enum):
    """What became of a trace."""

    STARTED = "started"
    FROZEN = "frozen"
    ARCHIVED = "archived"
    LOST = "lost"
    DROPPED = "dropped"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Change:
    """trace: as it was then. missed: how many changes before this one the listener did not get.

    happened and trace are None where those are all that there is to say.
    """

    happened: Happened | None
    trace: Trace | None
    missed: int = 0


class TooManyListeners(Exception):
    """There are LISTENERS_MAX already."""


class Listener:
    """One who listens. `feed` makes them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Change] = deque()
        self._missed = 0
        self._closed = False

    def put(self, change: Change) -> None:
        """Tells it, if its queue has room. Never waits for it."""
        with self._changed:
            if len(self._waiting) >= _WAITING_MAX:
                self._missed += 1
                return
            self._waiting.append(replace(change, missed=self._missed))
            self._missed = 0
            self._changed.notify()

    def next(self) -> Change | None:
        """The next change, as soon as there is one; None once it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._missed or self._closed)
            if self._closed:
                return None
            if self._waiting:
                return self._waiting.popleft()
            missed, self._missed = self._missed, 0
            return Change(None, None, missed)

    def close(self) -> None:
        """Nothing more is told."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Feed:
    """Tells all listeners. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []

    def listen(self) -> Listener:
        """Begins to tell a new one. Raises TooManyListeners."""
        with self._lock:
            if len(self._listeners) >= LISTENERS_MAX:
                raise TooManyListeners(f"{LISTENERS_MAX} clients are following already: end one of them")
            listener = Listener()
            self._listeners.append(listener)
            return listener

    def leave(self, listener: Listener) -> None:
        """Tells this one nothing more; it may have left already."""
        listener.close()
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)

    def tell(self, happened: Happened, trace: Trace) -> None:
        """Something became of a trace, which may change once this returns."""
        with self._lock:
            if not self._listeners:
                return
            change = Change(happened, replace(trace, recording=None, open_files=None))
            for listener in self._listeners:
                listener.put(change)

    def close(self) -> None:
        """Everyone leaves."""
        with self._lock:
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.close()
