# SPDX-License-Identifier: Apache-2.0
"""Takes traces from their rings to the archive, in a thread of its own.

So a container that starts does not wait for one that ended, nor for a disk: rings are packed and files touched without
the lock. One trace comes after the other: what a trace was when the daemon stopped never replaces what it was when it
ended.
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
from traceloop_daemon.recording.recordings import Recordings
from traceloop_daemon.recording.registry import State, Trace
from traceloop_daemon.recording.snapshots import Snapshots
from traceloop_daemon.recording.tally import Counted, Tally

_log = logging.getLogger(__name__)


class Archiver:
    """The thread, and what it is to do. The methods may be called from any other."""

    def __init__(
        self,
        archive: FileArchive,
        recordings: Recordings,
        snapshots: Snapshots,
        *,
        node: str,
        tally: Tally,
        feed: Feed,
    ) -> None:
        """node: its name, in the traces' files."""
        self._archive, self._recordings, self._snapshots, self._node = archive, recordings, snapshots, node
        self._tally, self._feed = tally, feed
        self._unfinished: set[str] = set()  # traces that were kept as they were, because the daemon stops
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="archiver", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread once all is done that it is to do."""
        self._work.put(None)
        self._thread.join()

    def keep(self, trace: Trace) -> None:
        """Begins to keep a frozen trace, and releases it."""
        self._work.put(partial(self._keep, trace))

    def keep_unfinished(self, then: Callable[[], None]) -> None:
        """Begins to keep all that is being recorded, as it is now, but what was already. In the end `then` is called.

        The daemon stops, and recording goes on. If no daemon follows, this is what there will be of it.
        """
        with self._recordings.lock:
            for trace in self._recordings.registry:
                if trace.state is State.RECORDING and trace.id not in self._unfinished:
                    self._unfinished.add(trace.id)
                    self._work.put(partial(self._keep_unfinished, trace))
        self._work.put(then)

    def tend(self) -> None:
        """Has the archive write what waits and let go what must, here and now."""
        with self._recordings.lock:
            unsettled = self._recordings.unsettled()
        self._settle(self._archive.tend(unsettled))

    # -- all below in the thread, but what `tend` needs

    def _run(self) -> None:
        while True:
            try:
                work = self._work.get(timeout=self._archive.tend_after_s)
            except queue.Empty:
                self.tend()
                continue
            if work is None:
                self.tend()
                return
            try:
                work()
            except Exception:  # noqa: BLE001 - else none that follows would be kept; this one stays in its ring
                _log.exception("a trace could not be kept for a fault of traceloopd's: please report it")

    def _keep(self, trace: Trace) -> None:
        changes = None
        try:
            taken = self._snapshots.take(trace)
            info = info_of(trace, taken, self._node)
        except OSError as error:
            _log.error("lost %s: its ring could not be read: %s", trace.id, error, extra=fields(TRACE_LOST, trace))
        else:
            with self._recordings.lock:
                unsettled = self._recordings.unsettled() - {trace.id}
            changes = self._archive.put(info, self._snapshots.surely_encoded(taken, trace), unsettled)
            how = "written" if trace.id in changes.written else "waits in memory"
            _log.debug("%s: its file of %d bytes %s", trace.id, changes.size_bytes, how)
        with self._recordings.lock:
            self._recordings.release(trace)
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
            with self._recordings.lock:
                if trace.state is not State.RECORDING:  # it has ended meanwhile, or was closed
                    return
                trace.refresh()
                taken = self._snapshots.take(trace)
                unsettled = self._recordings.unsettled()
            encoded = self._snapshots.surely_encoded(taken, trace)
            self._settle(self._archive.put(info_of(trace, taken, self._node), encoded, unsettled))
        except OSError as error:
            _log.error("%s could not be kept as it is now: %s", trace.id, error, extra=fields(TRACE_LOST, trace))
        else:
            _log.info("kept %s as it is now: the daemon stops", trace.id, extra=fields(RECORDING_PAUSED, trace))
        with self._recordings.lock:
            closed = trace.state is State.CLOSED  # meanwhile
        if closed:
            self._delete_closed(trace)

    def _delete_closed(self, trace: Trace) -> None:
        try:
            self._archive.delete(trace.id)
        except OSError as error:
            _log.error("closed %s, but its file stays: %s", trace.id, error)

    def _settle(self, changes: Changes) -> None:
        with self._recordings.lock:
            for trace_id in changes.written:
                trace = self._recordings.registry.get(trace_id)
                if trace is not None and trace.state is State.FROZEN:
                    trace.advance("archive")
                    self._feed.tell(Happened.ARCHIVED, trace)
            for trace_id in changes.lost:
                trace = self._recordings.registry.get(trace_id)
                if trace is not None:
                    self._lose(trace)
            for trace_id, reason in changes.gone:
                self._drop(trace_id, reason)

    def _lose(self, trace: Trace) -> None:
        trace.advance("lose")
        self._feed.tell(Happened.LOST, trace)
        self._tally.add(Counted.LOST)

    def _drop(self, trace_id: str, reason: str) -> None:
        trace = self._recordings.registry.get(trace_id)
        if trace is not None:
            trace.advance("close")
            self._feed.tell(Happened.DROPPED, trace)
            self._recordings.registry.forget(trace)
            self._tally.add(Counted.DROPPED)
            dropped = fields(TRACE_DROPPED, trace)
            _log.warning("dropped %s to keep within %s", trace_id, reason, extra=dropped)
