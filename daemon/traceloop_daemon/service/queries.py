# SPDX-License-Identifier: Apache-2.0
"""Answers clients' questions about traces, from rings and files, with frozen views or bytes."""

from __future__ import annotations

from collections.abc import Callable

from traceloop_daemon.archive.directory import FileArchive
from traceloop_daemon.archive.trace_info import FILE_EVENTS, info_of
from traceloop_daemon.recording.registry import Sight
from traceloop_daemon.recording.snapshots import Snapshots
from traceloop_daemon.recording.trace import TraceView
from traceloop_daemon.recording.traces import Traces
from traceloop_decode.archive_file import NONE, pack


class Queries:
    """Reads the traces of a node. Safe to use from several threads. node: its name.

    sees: which traces exist for whoever asks; None: all.
    """

    def __init__(self, archive: FileArchive, traces: Traces, snapshots: Snapshots) -> None:
        self.node = traces.node
        self._archive, self._traces, self._snapshots = archive, traces, snapshots

    def list(self, sees: Sight | None = None) -> list[TraceView]:
        """Returns all traces, oldest first, with their counts and states as they are now."""
        states = self._archive.states()
        views = self._traces.views({trace_id: FILE_EVENTS.get(state) for trace_id, state in states.items()})
        return views if sees is None else [view for view in views if sees(view.facts)]

    def get(self, word: str, sees: Sight | None = None) -> tuple[TraceView, tuple[str, ...]]:
        """Returns the trace that a word means, none: the newest, as it is now, and the ids of the older ones.

        Raises NoSuchTrace, AmbiguousTrace.
        """
        found = self._traces.found(word, sees)
        view = self._traces.view(found.trace_id)
        return self._traces.noted(view, FILE_EVENTS.get(self._archive.state(view.id))), found.older

    def snapshot(self, word: str, wanted: Callable[[], bool], sees: Sight | None = None) -> bytes:
        """Returns an encoded Snapshot of a trace, live or kept.

        Clients take turns, so a client may have to wait. wanted: returns whether this client still waits.
        Raises NoSuchTrace, AmbiguousTrace, TraceGone, TraceDamaged, OSError.
        """
        with self._snapshots.readers_turn:
            if not wanted():
                return b""
            with self._traces.locked() as registry:
                trace = registry.find(word, sees)
                trace_id, live = trace.id, self._snapshots.take(trace) if trace.recording else None
            return self._snapshots.encoded(live, trace_id) if live else self._archive.get(trace_id)

    def dump(self, word: str, wanted: Callable[[], bool], sees: Sight | None = None) -> bytes:
        """Returns an archive file of a trace: the existing one, unchecked, or a new, uncompressed one of a live trace.

        Clients take turns as for `snapshot`. Raises NoSuchTrace, AmbiguousTrace, TraceGone, OSError.
        """
        with self._snapshots.readers_turn:
            if not wanted():
                return b""
            with self._traces.locked() as registry:
                trace = registry.find(word, sees)
                trace.refresh()
                facts, live = trace.facts, self._snapshots.take(trace) if trace.recording else None
            if not live:
                return self._archive.read(facts.trace_id)
            return pack(info_of(facts, live), self._snapshots.encoded(live, facts.trace_id), NONE)
