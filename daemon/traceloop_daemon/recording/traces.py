# SPDX-License-Identifier: Apache-2.0
"""The traces of this daemon, the lock that guards them, and the files from which the next daemon resumes live ones.

Methods take the lock themselves and return frozen views. Callers that need several steps under the lock enter `locked`,
the only way to the registry and to the traces themselves. The lock is reentrant.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from traceloop_daemon.recording.finding import Found
from traceloop_daemon.recording.live_traces import LiveTrace, LiveTraces
from traceloop_daemon.recording.registry import Registry, Sight
from traceloop_daemon.recording.trace import State, Trace, TraceEvent, TraceView

_UNFILED: Final = (State.RECORDING, State.FROZEN, State.CLOSED)
"""States that events of the file do not change: the file is older than the trace, not written yet, or deleted."""
_log = logging.getLogger(__name__)


class Traces:
    """The traces of a node. Safe to use from several threads."""

    def __init__(self, node: str, live: LiveTraces) -> None:
        """node: its name, for traces' ids and files. live: the files of live traces."""
        self.node = node
        self._live = live
        self._lock = threading.RLock()
        self._registry = Registry()

    @contextmanager
    def locked(self) -> Iterator[Registry]:
        """Holds the lock for a block and yields the registry, which raises RuntimeError if used after the block."""
        with self._lock:
            before, self._registry.holder = self._registry.holder, threading.get_ident()
            try:
                yield self._registry
            finally:
                self._registry.holder = before

    # -- views, by words or ids

    def views(self, events: Mapping[str, TraceEvent | None]) -> list[TraceView]:
        """Returns all traces as they are now, oldest first. events: what happened to the files, by trace id."""
        with self.locked() as registry:
            for trace in registry:
                trace.refresh()
                _note(trace, events.get(trace.id))
            return [trace.view() for trace in registry]

    def found(self, word: str, sees: Sight | None = None) -> Found:
        """Finds the trace that a word means, and the older ones. Raises NoSuchTrace, AmbiguousTrace."""
        with self.locked() as registry:
            return registry.found(word, sees)

    def view(self, word: str) -> TraceView:
        """Returns one trace as it is now. Raises NoSuchTrace, AmbiguousTrace."""
        with self.locked() as registry:
            trace = registry.find(word)
            trace.refresh()
            return trace.view()

    def noted(self, view: TraceView, event: TraceEvent | None) -> TraceView:
        """Applies an event of a trace's file and returns the new view; the given view if the trace was closed since."""
        with self.locked() as registry:
            trace = registry.get(view.id)
            if trace is None:
                return view
            _note(trace, event)
            return trace.view()

    def census(self) -> Counter[State]:
        """Counts the traces in each state."""
        with self.locked() as registry:
            return Counter(trace.state for trace in registry)

    def unsettled(self) -> frozenset[str]:
        """Returns the ids of the traces whose rings are not in a file yet: live ones, and those to be archived next.

        Such a trace may have a file that a daemon wrote when it stopped, perhaps the oldest of all files. It must not
        be removed to make room, as the trace would be removed with it.
        """
        with self.locked() as registry:
            return frozenset(trace.id for trace in registry if trace.recording is not None)

    # -- rings, and the files of live traces; callers hold the lock

    def save_live(self, trace: Trace) -> None:
        """Writes the file of a live trace, or logs why it cannot be written."""
        assert trace.recording is not None
        try:
            self._live.put(LiveTrace.of(trace, trace.recording))
        except OSError as error:
            _log.error("%s: the next daemon cannot resume it, as its file cannot be written: %s", trace.id, error)

    def forget_live(self, recorder: int, slot: int) -> None:
        """Removes the file of the live trace that had this ring, or logs why it cannot be removed."""
        try:
            self._live.delete(recorder, slot)
        except OSError as error:  # the next daemon finds no ring for it
            _log.error("the file of a trace that is no longer live cannot be removed: %s", error)

    def release(self, trace: Trace) -> None:
        """Releases the ring of a trace whose recording has ended."""
        if trace.recording is not None:
            number, slot = trace.recording.tracer.number, trace.recording.slot.number
            trace.recording.tracer.give_back(trace.recording)  # first, as the next daemon would find it to be born
            self.forget_live(number, slot)
            trace.recording = trace.open_files = None


def _note(trace: Trace, event: TraceEvent | None) -> None:
    if event is not None and trace.state not in _UNFILED:
        trace.advance(event)
