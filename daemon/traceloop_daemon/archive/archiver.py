# SPDX-License-Identifier: Apache-2.0
"""Moves traces from their rings to the archive, in a separate thread.

Rings are packed and files are written without the lock, so that a starting container waits neither for one that ended
nor for a disk. Traces are handled in order, so that a trace that was archived because the daemon stops never replaces
the complete trace.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from functools import partial

from traceloop_daemon.archive.directory import Changes, FileArchive
from traceloop_daemon.archive.trace_info import info_of
from traceloop_daemon.recording.feed import Feed, Happened
from traceloop_daemon.recording.journal import RECORDING_PAUSED, TRACE_DROPPED, TRACE_LOST, fields
from traceloop_daemon.recording.registry import Registry
from traceloop_daemon.recording.snapshots import Snapshots
from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.recording.trace import State, Trace, TraceEvent
from traceloop_daemon.recording.traces import Traces

_log = logging.getLogger(__name__)


class Archiver:
    """The thread and its queue of work. The methods may be called from any other thread."""

    def __init__(
        self,
        archive: FileArchive,
        traces: Traces,
        snapshots: Snapshots,
        *,
        tally: Tally,
        feed: Feed,
        archived: Callable[[str], None],
    ) -> None:
        """archived: called, with the lock held, with the id of each trace that has ended and is in a file now."""
        self._archived = archived
        self._archive, self._traces, self._snapshots = archive, traces, snapshots
        self._tally, self._feed = tally, feed
        self._unfinished: set[str] = set()  # traces archived before their end, because the daemon stops
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="archiver", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread after its queue is empty."""
        self._work.put(None)
        self._thread.join()

    def keep(self, trace: Trace) -> None:
        """Queues a frozen trace to be archived and released."""
        self._work.put(partial(self._keep, trace))

    def keep_unfinished(self, then: Callable[[], None] = lambda: None) -> None:
        """Queues every live trace that was not queued before, to be archived as it is now, and then a call of `then`.

        A daemon calls this when it stops while recording continues. If no daemon follows, only these files remain.
        """
        with self._traces.locked() as registry:
            for trace in registry.live():
                if trace.id not in self._unfinished:
                    self._unfinished.add(trace.id)
                    self._work.put(partial(self._keep_unfinished, trace))
        self._work.put(then)

    def tend(self) -> None:
        """Queues that waiting traces are written, and traces are removed to make room."""
        self._work.put(self._tend)

    def forget_file(self, trace: Trace) -> None:
        """Queues that the file of a trace that is closed is removed, if a daemon that stopped has written one."""
        self._work.put(partial(self._delete_closed, trace))

    # -- in the thread

    def _tend(self) -> None:
        self._settle(self._archive.tend(self._traces.unsettled()))

    def _run(self) -> None:
        while True:
            try:
                work = self._work.get(timeout=self._archive.tend_after_s)
            except queue.Empty:
                work = self._tend
            try:
                (work or self._tend)()
            except Exception:  # noqa: BLE001 - the next traces must be archived; this one stays in its ring
                _log.exception("a trace could not be archived: internal error in traceloopd: please report it")
            if work is None:
                return

    def _keep(self, trace: Trace) -> None:
        # Without the lock: a frozen trace's ring changes no more, and this thread alone gives it back.
        changes = None
        try:
            taken = self._snapshots.take(trace)
            info = info_of(trace.facts, taken)
        except OSError as error:
            lost = fields(TRACE_LOST, trace.view())
            _log.error("lost %s: its ring could not be read: %s", trace.id, error, extra=lost)
        else:
            unsettled = self._traces.unsettled() - {trace.id}
            changes = self._archive.put(info, self._snapshots.surely_encoded(taken, trace.id), unsettled)
            how = "written" if trace.id in changes.written else "waits in memory"
            _log.debug("%s: its file of %d bytes %s", trace.id, changes.size_bytes, how)
        with self._traces.locked():
            self._traces.release(trace)
            closed = trace.state is State.CLOSED  # meanwhile
            trace.size_bytes = changes.size_bytes if changes else 0
            if not changes and not closed:
                self._lose(trace)
        if closed:
            self._delete_closed(trace)
        if changes:
            self._settle(changes)

    def _keep_unfinished(self, trace: Trace) -> None:
        try:
            with self._traces.locked():
                if trace.state is not State.RECORDING:  # it has ended meanwhile, or was closed
                    return
                trace.refresh()
                facts, taken = trace.facts, self._snapshots.take(trace)
                unsettled = self._traces.unsettled()
            encoded = self._snapshots.surely_encoded(taken, trace.id)
            self._settle(self._archive.put(info_of(facts, taken), encoded, unsettled))
        except OSError as error:
            lost = fields(TRACE_LOST, trace.view())
            _log.error("%s could not be archived as it is now: %s", trace.id, error, extra=lost)
        else:
            paused = fields(RECORDING_PAUSED, trace.view())
            _log.info("archived %s as it is now: the daemon stops", trace.id, extra=paused)
        with self._traces.locked():
            closed = trace.state is State.CLOSED  # meanwhile
        if closed:
            self._delete_closed(trace)

    def _delete_closed(self, trace: Trace) -> None:
        try:
            self._archive.delete(trace.id)
        except OSError as error:
            _log.error("closed %s, but its file cannot be removed: %s", trace.id, error)

    def _settle(self, changes: Changes) -> None:
        with self._traces.locked() as registry:
            for trace_id in changes.written:
                trace = registry.get(trace_id)
                if trace is not None and trace.state is State.FROZEN:
                    trace.advance(TraceEvent.ARCHIVE)
                    self._feed.tell(Happened.ARCHIVED, trace.view())
                    self._archived(trace.id)
            for trace_id in changes.lost:
                trace = registry.get(trace_id)
                if trace is not None and trace.state is not State.RECORDING:  # otherwise the file was of earlier
                    self._lose(trace)
            for trace_id, reason in changes.gone:
                trace = registry.get(trace_id)
                if trace is not None:
                    self._drop(registry, trace, reason)

    def _lose(self, trace: Trace) -> None:
        trace.advance(TraceEvent.LOSE)
        self._feed.tell(Happened.LOST, trace.view())
        self._tally.add(Counted.LOST)

    def _drop(self, registry: Registry, trace: Trace, reason: str) -> None:
        trace.advance(TraceEvent.CLOSE)
        view = trace.view()
        self._feed.tell(Happened.DROPPED, view)
        registry.forget(trace)
        self._tally.add(Counted.DROPPED)
        dropped = fields(TRACE_DROPPED, view)
        _log.warning("dropped %s to keep within %s", trace.id, reason, extra=dropped)
