# SPDX-License-Identifier: Apache-2.0
"""A node's traces, for those who ask for them: the parts of the control path put together, and its questions answered.

A container's story goes through these, each of which explains its own::

    registrar -> recordings -> archiver -> archive     who is recorded; the recording; what is kept; where
                 take_over                             what former daemons left
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from traceloop_bpf.tracer import Recording, Tracer
from traceloop_daemon.archive.archiver import Archiver
from traceloop_daemon.archive.directory import FileArchive
from traceloop_daemon.archive.kept_files import FileState
from traceloop_daemon.archive.trace_info import FILE_EVENTS, info_of
from traceloop_daemon.errors import NoSuchTrace
from traceloop_daemon.privacy.redaction import Redactor
from traceloop_daemon.recording.feed import Feed
from traceloop_daemon.recording.live_traces import LiveTrace, LiveTraces
from traceloop_daemon.recording.recordings import Recordings
from traceloop_daemon.recording.registry import State, Trace
from traceloop_daemon.recording.snapshots import Snapshots
from traceloop_daemon.recording.tally import Recorded, Tally
from traceloop_daemon.registering.registrar import Registrar
from traceloop_daemon.settings.keys import Config
from traceloop_daemon.succession.take_over import take_over
from traceloop_daemon.system.file_readers import FileReaders
from traceloop_daemon.system.loop import Loop
from traceloop_decode.archive_file import NONE, pack
from traceloop_decode.syscalls import Later

_log = logging.getLogger(__name__)


class Recorder:
    """The traces of a node. Safe to use from several threads. registrar: begins them, and hears of their ends."""

    def __init__(
        self,
        loop: Loop,
        tracer: Tracer,
        archive: FileArchive,
        config: Config,
        mount: Path,
        *,
        live: LiveTraces,
        outlived: bool,
        redactor: Redactor | None,
        tally: Tally,
        feed: Feed,
        readers: FileReaders,
        syscalls: Later | None = None,
    ) -> None:
        """outlived: the recorder goes on when this daemon ends, and its successor finds the traces in `live`."""
        self.node = config.node_name
        self._archive, self._outlived, self._tally = archive, outlived, tally
        self._snapshots = Snapshots(redactor, syscalls or {})
        self._recordings = Recordings(
            loop, tracer, mount, self.node, live=live, redactor=redactor, feed=feed, frozen=self._keep
        )
        self._registry, self._lock = self._recordings.registry, self._recordings.lock
        self._archiver = Archiver(archive, self._recordings, self._snapshots, node=self.node, tally=tally, feed=feed)
        self.registrar = Registrar(self._recordings, config, tally, self.node, close=self.close_trace, readers=readers)

    @property
    def tracer(self) -> Tracer:
        """What new recordings are made with."""
        return self._recordings.tracer

    def replace_tracer(self, tracer: Tracer, why: str) -> None:
        """As Recordings.replace_tracer says."""
        self._recordings.replace_tracer(tracer, why)

    def take_over(self, left: Sequence[tuple[LiveTrace, Recording | None]]) -> None:
        """Goes on with the traces that a former daemon recorded when it ended, and lists those that are kept."""
        take_over(left, self._archive, self._recordings, self._tally)
        self._archiver.tend()

    def close(self) -> None:
        """Keeps all traces as they are now. Recordings end, unless they outlive this daemon."""
        self._recordings.stop(outlived=self._outlived)
        if self._outlived:
            self.keep_unfinished(lambda: None)
        self._archiver.close()
        self._snapshots.close()

    def keep_unfinished(self, then: Callable[[], None]) -> None:
        """Begins to keep all that is being recorded, as Archiver.keep_unfinished says."""
        self._archiver.keep_unfinished(then)

    def list(self) -> list[Trace]:
        """All traces, oldest first, with their counts and states as they are now."""
        states = self._archive.states()
        with self._lock:
            traces = list(self._registry)
            for trace in traces:
                trace.refresh()
                self._note(trace, states.get(trace.id))
            return traces

    def census(self) -> Counter[State]:
        """How many traces there are in each state."""
        with self._lock:
            return Counter(trace.state for trace in self._registry)

    def recorded(self) -> Recorded:
        """How much was recorded since this daemon started."""
        return self._recordings.recorded()

    def get(self, word: str) -> Trace:
        """One trace. Raises NoSuchTrace, AmbiguousTrace."""
        with self._lock:
            trace = self._registry.find(word)
            trace.refresh()
        state = self._archive.state(trace.id)
        with self._lock:
            self._note(trace, state)
        return trace

    def snapshot(self, word: str, wanted: Callable[[], bool]) -> bytes:
        """An encoded Snapshot of a trace, live or kept.

        One client gets it after the other, which may take a while: wanted says whether this one still waits.
        Raises NoSuchTrace, AmbiguousTrace, TraceGone, TraceDamaged, OSError.
        """
        with self._snapshots.readers_turn:
            if not wanted():
                return b""
            with self._lock:
                trace = self._registry.find(word)
                live = self._snapshots.take(trace) if trace.recording else None
            return self._snapshots.encoded(live, trace) if live else self._archive.get(trace.id)

    def dump(self, word: str, wanted: Callable[[], bool]) -> bytes:
        """An archive file of a trace: the kept one, which is not looked into, or one of a live trace, not compressed.

        Clients take turns as for `snapshot`. Raises NoSuchTrace, AmbiguousTrace, TraceGone, OSError.
        """
        with self._snapshots.readers_turn:
            if not wanted():
                return b""
            with self._lock:
                trace = self._registry.find(word)
                trace.refresh()
                live = self._snapshots.take(trace) if trace.recording else None
            if not live:
                return self._archive.read(trace.id)
            return pack(info_of(trace, live, self.node), self._snapshots.encoded(live, trace), NONE)

    def close_trace(self, word: str) -> Trace:
        """Forgets a trace, and ends its recording if it is live. Raises NoSuchTrace, AmbiguousTrace, OSError."""
        with self._lock:
            trace = self._registry.find(word)
        try:
            self._archive.delete(trace.id)  # at first: if it cannot be removed, nothing has happened
        except OSError as error:
            text = f"trace {trace.id} is not closed: its file cannot be removed: {error.strerror}: {error.filename}"
            raise OSError(f"{text}; mend that, and close it again") from error
        with self._lock:
            if trace.state is State.CLOSED:
                raise NoSuchTrace(f"trace {trace.id} is closed")
            self._recordings.close(trace)
        self._archive.delete(trace.id)  # what the archiver wrote meanwhile
        _log.info("closed %s", trace.id)
        return trace

    def _keep(self, trace: Trace) -> None:
        self._archiver.keep(trace)

    def _note(self, trace: Trace, state: FileState | None) -> None:
        # A live trace may have a file, of when a daemon stopped; a frozen one's is to come.
        if state in FILE_EVENTS and trace.state not in (State.RECORDING, State.FROZEN, State.CLOSED):
            trace.advance(FILE_EVENTS[state])
