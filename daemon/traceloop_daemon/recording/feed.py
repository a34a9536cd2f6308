# SPDX-License-Identifier: Apache-2.0
"""Reports changes of traces to listeners, as they happen.

The feed waits for no listener: each has a bounded queue of its own, and changes that come while it is full are counted
instead.
"""

from __future__ import annotations

import enum
import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from traceloop_daemon.recording.trace import TraceView

LISTENERS_MAX: Final = 16
_WAITING_MAX: Final = 1000


class Happened(enum.Enum):
    """A kind of change of a trace."""

    STARTED = "started"
    FROZEN = "frozen"
    ARCHIVED = "archived"
    EXPLAINED = "explained"
    LOST = "lost"
    DROPPED = "dropped"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a trace. trace: as it was then. missed: number of changes before this one that the listener missed.

    happened and trace are None if there are only missed changes to report.
    """

    happened: Happened | None
    trace: TraceView | None
    missed: int = 0


class TooManyListeners(Exception):
    """Raised if there are LISTENERS_MAX listeners already."""


class Listener:
    """A listener's queue of changes. `Feed.listen` makes it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Change] = deque()
        self._missed = 0
        self._closed = False

    def put(self, change: Change) -> None:
        """Appends a change, if the queue has room. Never waits."""
        with self._changed:
            if len(self._waiting) >= _WAITING_MAX:
                self._missed += 1
                return
            self._waiting.append(replace(change, missed=self._missed))
            self._missed = 0
            self._changed.notify()

    def next(self) -> Change | None:
        """Waits for the next change and returns it; None once the listener is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._missed or self._closed)
            if self._closed:
                return None
            if self._waiting:
                return self._waiting.popleft()
            missed, self._missed = self._missed, 0
            return Change(None, None, missed)

    def close(self) -> None:
        """Ends the listener; `next` returns None from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Feed:
    """Passes changes to all listeners. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []

    def listen(self) -> Listener:
        """Adds a listener. Raises TooManyListeners."""
        with self._lock:
            if len(self._listeners) >= LISTENERS_MAX:
                raise TooManyListeners(f"{LISTENERS_MAX} clients are following already: end one of them")
            listener = Listener()
            self._listeners.append(listener)
            return listener

    def leave(self, listener: Listener) -> None:
        """Closes and removes a listener, which may have left already."""
        listener.close()
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)

    def tell(self, happened: Happened, trace: TraceView) -> None:
        """Passes a change of a trace to all listeners."""
        with self._lock:
            if not self._listeners:
                return
            change = Change(happened, trace)
            for listener in self._listeners:
                listener.put(change)

    def close(self) -> None:
        """Closes and removes all listeners."""
        with self._lock:
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.close()
