# SPDX-License-Identifier: Apache-2.0
"""The control path: from a registration to a recording, from a container's end to a kept snapshot.

Whatever says first that a container has ended freezes its trace: its cgroup has no process any more, its first
process has ended (a pidfd) and left none behind, or the runtime deletes it (poststop). Freezing only takes the
cgroups out of the kernel's table; a thread of its own then reads, packs and keeps the ring, so that a container that
starts meanwhile does not wait for one that ended, nor for a disk: files are touched without the lock.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final

from traceloop_bpf.pool import PoolError
from traceloop_bpf.tracer import Recording, Tracer
from traceloop_daemon import cgroupfs
from traceloop_daemon.archive import Changes, FileArchive
from traceloop_daemon.ends import Ends, Watch
from traceloop_daemon.errors import AlreadyRecorded, NoSuchTrace, RegistrationError
from traceloop_daemon.feed import Feed, Happened
from traceloop_daemon.journal import (
    RECORDING_PAUSED,
    RECORDING_RESUMED,
    RECORDING_STARTED,
    TRACE_DROPPED,
    TRACE_FROZEN,
    TRACE_LOST,
    fields,
)
from traceloop_daemon.kept import FileState
from traceloop_daemon.live_traces import LiveTrace, LiveTraces
from traceloop_daemon.loop import Loop
from traceloop_daemon.names import Names, resolve
from traceloop_daemon.oci import HookMessage, parse
from traceloop_daemon.policy import Choice, choose
from traceloop_daemon.procfs import read_open_files
from traceloop_daemon.redaction import Redactor
from traceloop_daemon.registration import Registration
from traceloop_daemon.registry import Registry, State, Trace
from traceloop_daemon.settings import Config, RecordSettings
from traceloop_daemon.tally import Counted, Recorded, Tally, Volume
from traceloop_daemon.targets import Target
from traceloop_daemon.trace_info import FILE_EVENTS, info_of, trace_of
from traceloop_decode.archive_file import NONE, pack
from traceloop_decode.open_files import OpenFiles
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import Later

_UNRECORDED_MAX: Final = 10_000
_log = logging.getLogger(__name__)


class Recorder:
    """The traces of a node. `handle` and the callbacks run in the loop's thread, the rest in any."""

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
        syscalls: Later | None = None,
    ) -> None:
        """outlived: the recorder goes on when this daemon ends, and its successor finds the traces in `live`."""
        self.node = config.node_name
        self._live, self._outlived = live, outlived
        self._tally, self._volume, self._feed = tally, Volume(), feed
        self._syscalls = syscalls or {}
        self._tracer, self._archive, self._mount = tracer, archive, mount
        self._config, self._redactor = config, redactor
        self._registry = Registry()
        self._lock = threading.RLock()
        self._ends = Ends(loop, self._lock, lambda trace: self._end(trace, "its last process has ended"))
        self._open_files: dict[str, OpenFiles] = {}  # of traces that have a recording
        self._unrecorded: OrderedDict[str, None] = OrderedDict()  # containers that were not to be recorded
        self._unfinished: set[str] = set()  # traces that were kept as they were, because the daemon stops
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()  # the keeper's
        self._keeper = threading.Thread(target=self._keep_all, name="keeper", daemon=True)
        self._keeper.start()

    def close(self) -> None:
        """Keeps all traces as they are now. Recordings end, unless they outlive this daemon."""
        with self._lock:
            recording = [trace for trace in self._registry if trace.state is State.RECORDING]
            for trace in recording:
                self._ends.end(trace)
                if not self._outlived:
                    self._end(trace, "the daemon stops")
        if self._outlived:
            self.keep_unfinished(lambda: None)
        self._work.put(None)
        self._keeper.join()

    def keep_unfinished(self, then: Callable[[], None]) -> None:
        """Begins to keep all that is being recorded, as it is now, but what was already. In the end `then` is called.

        The daemon stops, and recording goes on. If no daemon follows, this is what there will be of it.
        """
        with self._lock:
            for trace in self._registry:
                if trace.state is State.RECORDING and trace.id not in self._unfinished:
                    self._unfinished.add(trace.id)
                    self._work.put(partial(self._keep_unfinished, trace))
        self._work.put(then)

    def _keep_unfinished(self, trace: Trace) -> None:
        try:
            with self._lock:
                if trace.state is not State.RECORDING:  # it has ended meanwhile, or was closed
                    return
                assert trace.recording is not None
                self._refresh(trace)
                taken = self._snapshot(trace.id, trace.recording)
                unsettled = self._unsettled()
            snapshot = self._redacted(taken, trace)
            self._settle(self._archive.put(info_of(trace, snapshot, self.node), snapshot.encode(), unsettled))
        except OSError as error:
            _log.error("%s could not be kept as it is now: %s", trace.id, error, extra=fields(TRACE_LOST, trace))
        else:
            _log.info("kept %s as it is now: the daemon stops", trace.id, extra=fields(RECORDING_PAUSED, trace))
        with self._lock:
            closed = trace.state is State.CLOSED  # meanwhile
        if closed:
            self._delete_closed(trace)

    # -- what former daemons left

    def take_over(self, recordings: Sequence[tuple[LiveTrace, Recording | None]]) -> None:
        """Goes on with the traces that a former daemon recorded when it ended, and lists those that are kept."""
        kept = [trace_of(kept) for kept in self._archive.scan()]
        with self._lock:
            traces = [
                Trace(
                    id=live.id,
                    names=live.names,
                    container_id=live.container_id,
                    cgroup=live.cgroup,
                    started_ns=live.started_ns,
                    init_pid=live.init_pid,
                    recording=recording,
                    withheld=live.withheld,
                    ring_size_bytes=recording.ring.data_size if recording is not None else 0,
                )
                for live, recording in recordings
            ]
            for trace in traces:
                if trace.recording is not None:
                    self._registry.put(trace)
                    self._volume.adopt(trace)
            self._registry.load(kept, self._archive.closed_ids())
            for trace, (live, _) in zip(traces, recordings, strict=True):
                self._take_over(trace, live)
            unsettled = self._unsettled()
        self._settle(self._archive.tend(unsettled))

    def _take_over(self, trace: Trace, live: LiveTrace) -> None:
        if live.open_files is not None and trace.recording is not None:
            self._open_files[trace.id] = live.open_files
        if trace.recording is None:
            self._live.delete(live.recorder, live.slot)
            if self._registry.get(trace.id) is None:  # else a daemon kept it when it stopped
                self._registry.put(trace)
                trace.advance("lose")
                self._tally.add(Counted.LOST)
                lost = fields(TRACE_LOST, trace)
                _log.error("lost %s: the daemon that recorded it ended, and its ring with it", trace.id, extra=lost)
        elif trace.recording.tracer is self._tracer:
            self._resume(trace, trace.recording)
        else:
            self._begin_anew(trace, trace.recording)

    def _resume(self, trace: Trace, recording: Recording) -> None:
        path = cgroupfs.directory(self._mount, trace.cgroup)
        try:
            # Its first process may have ended, and its number be another's.
            inside = trace.init_pid and f"{cgroupfs.cgroup_of(trace.init_pid)}/".startswith(f"{trace.cgroup}/")
        except RegistrationError:
            inside = False
        try:
            # The kernel forgets cgroups that are removed: one that it does not know is another of the same path.
            same = self._tracer.is_recorded(cgroupfs.cgroup_id(path))
            watch = Watch.open(path, trace.init_pid if inside else 0) if same else None
        except RegistrationError:
            watch = None
        if watch is None:
            headers = recording.ring.headers()
            ago_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - headers.exit_ns if headers.exited else 0
            self._end(trace, "it ended while there was no daemon", ago_ns)
            return
        try:
            self._tracer.extend(recording, cgroupfs.descendants(path))
        except OSError as error:
            _log.error("%s is recorded only in part: not all cgroups below %s: %s", trace.id, trace.cgroup, error)
        self._tally.add(Counted.ADOPTED)
        _log.info("recording %s: as the daemon before did", trace.id, extra=fields(RECORDING_RESUMED, trace))
        self._ends.begin(trace, watch)

    def _begin_anew(self, trace: Trace, recording: Recording) -> None:
        # Its ring is of a layout that this version does not record into: what is in it is kept, and a new trace begins.
        try:
            same = Target(trace.cgroup, trace.names, trace.container_id, trace.init_pid)
            self._record(same, trace.withheld or 0, recording.ring.data_size)
        except RegistrationError as error:
            _log.info("%s is not recorded any more: %s", trace.id, error)
        self._end(trace, "this version's rings are others")

    # -- what hooks and engines say

    def handle(self, message: bytes) -> None:
        """A hook's message. Raises RegistrationError with the line that its sender and the log get."""
        hook = parse(message)
        with self._lock:
            if hook.stage == "start":
                told = resolve(hook.container_id, hook.annotations, hook.bundle)
                self.register(Registration(hook.container_id, hook.pid, told.names, told.annotations))
            else:
                self._stop(hook)

    def register(self, told: Registration) -> None:
        """Records a container, unless the settings say no. Names of one that is recorded are added to.

        Raises RegistrationError.
        """
        with self._lock:
            choice = self._choose(self._config.record, told.names, told.annotations)
            known = self._registry.recording_of(told.container_id)
            if choice.refused:
                self._refuse(told, choice.refused, known)
                return
            for note in choice.notes:
                _log.warning("container %s: %s", told.container_id, note)
            cgroup = cgroupfs.cgroup_of(told.pid)
            if known is None:
                target = Target(cgroup, told.names, told.container_id, told.pid)
                self._record(target, choice.capture.withheld, choice.ring_size)
                self._tally.add(Counted.STARTED_BY_HOOK)
            elif (known.init_pid, known.cgroup) == (told.pid, cgroup):
                # By hook and by NRI, or the answer was lost with a daemon that died.
                _log.info("recording %s: it was registered again", known.id)
                self._amend(known, told.names, choice.capture.withheld)
            else:
                raise AlreadyRecorded(f"container {told.container_id} is being recorded as {known.id}: started twice")

    def _refuse(self, told: Registration, refused: str, known: Trace | None) -> None:
        if known is None and told.container_id in self._unrecorded:
            return
        self._tally.add(Counted.EXCLUDED)
        self._unrecorded[told.container_id] = None
        if len(self._unrecorded) > _UNRECORDED_MAX:
            self._unrecorded.popitem(last=False)
        named = told.names.trace_id(self.node)
        _log.info("container %s (%s) is not recorded: %s", told.container_id, named, refused)
        if known is not None:  # by one who did not see the annotation that says no
            try:
                self.close_trace(known.id)
            except OSError as error:
                raise RegistrationError(f"{known.id} is recorded on: its file cannot be removed: {error}") from error

    def _amend(self, trace: Trace, names: Names, withheld: int) -> None:
        # One who saw more of the pod's annotations may know that less is to be kept.
        assert trace.recording is not None
        names, withheld = trace.names.completed(self._told(names)), (trace.withheld or 0) | withheld
        if withheld != trace.withheld:
            trace.recording.ring.set_withheld(withheld)
        if (names, withheld) != (trace.names, trace.withheld):
            trace.names, trace.withheld = names, withheld
            self._put_live(trace, trace.recording)

    def removed(self, container_id: str) -> None:
        """The engine removes a container, whether it was recorded or not."""
        with self._lock:
            trace = self._registry.recording_of(container_id)
            if trace is not None:
                self._end(trace, "the engine removes it")

    def _stop(self, hook: HookMessage) -> None:
        trace = self._registry.recording_of(hook.container_id)
        if trace is not None:
            self._end(trace, "the runtime deletes it")
        elif not self._is_known(hook):
            raise RegistrationError(f"container {hook.container_id} stopped, but its start was never registered")

    def _is_known(self, hook: HookMessage) -> bool:
        if self._registry.knows(hook.container_id):
            return True
        if hook.container_id in self._unrecorded:
            del self._unrecorded[hook.container_id]
            return True
        # One that was not to be recorded, before this daemon started.
        told = resolve(hook.container_id, hook.annotations, hook.bundle)
        return bool(self._choose(self._config.record, told.names, told.annotations).refused)

    # -- what users ask

    def add(self, target: Target) -> Trace:
        """Records a cgroup without a hook. Raises RegistrationError."""
        # Whoever asks for this very one has chosen it; but not over the head of who made the container.
        choice = self._choose(RecordSettings(sandboxes=True), target.names, target.annotations)
        if choice.refused:
            raise RegistrationError(f"container {target.container_id} is not recorded: {choice.refused}")
        for note in choice.notes:
            _log.warning("%s: %s", target.container_id or target.cgroup, note)
        with self._lock:
            trace = self._record(target, choice.capture.withheld, choice.ring_size)
        self._tally.add(Counted.STARTED_BY_ADD)
        return trace

    def list(self) -> list[Trace]:
        """All traces, oldest first, with their counts and states as they are now."""
        states = self._archive.states()
        with self._lock:
            traces = list(self._registry)
            for trace in traces:
                self._refresh(trace)
                self._note(trace, states.get(trace.id))
            return traces

    def census(self) -> Counter[State]:
        """How many traces there are in each state."""
        with self._lock:
            return Counter(trace.state for trace in self._registry)

    def recorded(self) -> Recorded:
        """How much was recorded since this daemon started."""
        with self._lock:
            live = [trace for trace in self._registry if trace.state is State.RECORDING]
        for trace in live:  # one by one: a container that starts meanwhile does not wait for all
            with self._lock:
                if trace.state is State.RECORDING:
                    self._volume.look(trace)
        with self._lock:
            return self._volume.total()

    def get(self, word: str) -> Trace:
        """One trace. Raises NoSuchTrace, AmbiguousTrace."""
        with self._lock:
            trace = self._registry.find(word)
            self._refresh(trace)
        state = self._archive.state(trace.id)
        with self._lock:
            self._note(trace, state)
        return trace

    def snapshot(self, word: str) -> bytes:
        """An encoded Snapshot of a trace, live or kept.

        Raises NoSuchTrace, AmbiguousTrace, TraceGone, TraceDamaged, OSError.
        """
        with self._lock:
            trace = self._registry.find(word)
            live = trace.recording and self._snapshot(trace.id, trace.recording)
        return self._redacted(live, trace).encode() if live else self._archive.get(trace.id)

    def dump(self, word: str) -> bytes:
        """An archive file of a trace: the kept one, which is not looked into, or one of a live trace, not compressed.

        Raises NoSuchTrace, AmbiguousTrace, TraceGone, OSError.
        """
        with self._lock:
            trace = self._registry.find(word)
            self._refresh(trace)
            live = trace.recording and self._snapshot(trace.id, trace.recording)
        if not live:
            return self._archive.read(trace.id)
        return pack(info_of(trace, live, self.node), self._redacted(live, trace).encode(), NONE)

    def close_trace(self, word: str) -> Trace:
        """Forgets a trace, and ends its recording if it is live. Raises NoSuchTrace, AmbiguousTrace, OSError."""
        with self._lock:
            trace = self._registry.find(word)
        self._archive.delete(trace.id)  # at first: if it cannot be removed, nothing has happened
        with self._lock:
            if trace.state is State.CLOSED:
                raise NoSuchTrace(f"trace {trace.id} is closed")
            self._ends.end(trace)
            if trace.recording is not None:
                self._forget_live(trace.recording)  # first: else a daemon that follows would go on with it
                self._stop_recording(trace, trace.recording)
            if trace.state is not State.FROZEN:  # else the keeper gives its ring back
                self._release(trace)
            trace.advance("close")
            self._feed.tell(Happened.CLOSED, trace)
            self._registry.forget(trace)
        self._archive.delete(trace.id)  # what the keeper wrote meanwhile
        _log.info("closed %s", trace.id)
        return trace

    # -- from one state to the next; all with the lock held

    def _choose(self, record: RecordSettings, names: Names, annotations: Mapping[str, str]) -> Choice:
        return choose(record, self._config.capture, self._config.ring, names, annotations)

    def _record(self, target: Target, withheld: int, ring_size: int) -> Trace:
        cgroup, container_id = target.cgroup, target.container_id
        path = cgroupfs.directory(self._mount, cgroup)
        top = cgroupfs.cgroup_id(path)
        if self._tracer.is_recorded(top):
            raise AlreadyRecorded(f"cgroup {cgroup} is being recorded already, as {self._recorded_as(cgroup)}")
        watch = Watch.open(path, target.pid)
        try:
            # Those below come after it: what is made from then on, the kernel enters itself.
            cgroups = chain([top], cgroupfs.descendants(path))
            recording = self._tracer.record(cgroups, target.pid, withheld, ring_size)
        except (OSError, PoolError) as error:
            watch.close()
            raise RegistrationError(f"{container_id or cgroup} is not recorded: {error}") from error
        if recording.ring.data_size < ring_size:
            less = recording.ring.data_size
            _log.warning("container %s: its ring has %d bytes, not %d: memory is short", container_id, less, ring_size)
        trace = Trace(
            id=self._registry.new_id(target.names.trace_id(self.node)),
            names=self._told(target.names),
            container_id=container_id,
            cgroup=cgroup,
            started_ns=time.time_ns(),
            init_pid=target.pid,
            recording=recording,
            withheld=withheld,
            ring_size_bytes=recording.ring.data_size,
        )
        self._open_files[trace.id] = read_open_files(path)  # before the answer, while the container waits for it
        self._put_live(trace, recording)
        self._registry.put(trace)
        self._ends.begin(trace, watch)
        self._feed.tell(Happened.STARTED, trace)
        started = fields(RECORDING_STARTED, trace)
        _log.info("recording %s: container %s, cgroup %s", trace.id, container_id or "-", cgroup, extra=started)
        return trace

    def _recorded_as(self, cgroup: str) -> str:
        live = (trace for trace in self._registry if trace.state is State.RECORDING)
        return next((trace.id for trace in live if f"{cgroup}/".startswith(f"{trace.cgroup}/")), "part of another")

    def _put_live(self, trace: Trace, recording: Recording) -> None:
        live = LiveTrace.of(trace, recording, trace.withheld or 0, self._open_files[trace.id])
        try:
            self._live.put(live)
        except OSError as error:
            _log.error("%s ends with this daemon: it cannot be left to the next one: %s", trace.id, error)

    def _end(self, trace: Trace, why: str, ago_ns: int = 0) -> None:
        assert trace.recording is not None
        self._ends.end(trace)
        self._stop_recording(trace, trace.recording)
        trace.ended_ns = time.time_ns() - ago_ns
        self._refresh(trace)
        trace.advance("end")
        self._feed.tell(Happened.FROZEN, trace)
        frozen, count = fields(TRACE_FROZEN, trace), trace.count
        _log.info("frozen %s (%s): %d events, %d lost", trace.id, why, count.events, count.lost_events, extra=frozen)
        self._work.put(partial(self._keep, trace))

    def _stop_recording(self, trace: Trace, recording: Recording) -> None:
        recording.tracer.stop(recording)
        if trace.state is State.RECORDING:
            self._volume.end(trace)

    def _refresh(self, trace: Trace) -> None:
        if trace.recording is not None:
            ring = trace.recording.ring
            headers, trace.count = ring.headers_and_count()
            trace.size_bytes = ring.size_bytes
            trace.status = headers.exit_code if headers.exited else None

    def _release(self, trace: Trace) -> None:
        if trace.recording is not None:
            self._forget_live(trace.recording)
            trace.recording.tracer.give_back(trace.recording)
            trace.recording = None
            self._open_files.pop(trace.id, None)

    def _forget_live(self, recording: Recording) -> None:
        try:
            self._live.delete(recording.tracer.number, recording.slot.number)
        except OSError as error:  # the next daemon finds no ring that fits it
            _log.error("a live trace's file stays: %s", error)

    def _snapshot(self, trace_id: str, recording: Recording) -> Snapshot:
        taken = recording.ring.snapshot(recording.started_ns)
        return replace(taken, open_files=self._open_files.get(trace_id), syscalls=self._syscalls)

    def _redacted(self, snapshot: Snapshot, trace: Trace) -> Snapshot:
        return self._redactor.redacted(snapshot, trace.id) if self._redactor is not None else snapshot

    def _told(self, names: Names) -> Names:
        # What may be told of a container: users put secrets into labels too.
        return replace(names, labels=self._redactor.labels(names.labels)) if self._redactor is not None else names

    def _note(self, trace: Trace, state: FileState | None) -> None:
        # A live trace may have a file, of when a daemon stopped; a frozen one's is to come.
        if state in FILE_EVENTS and trace.state not in (State.RECORDING, State.FROZEN, State.CLOSED):
            trace.advance(FILE_EVENTS[state])

    def _unsettled(self) -> frozenset[str]:
        # The ids of traces whose rings hold what no file does. What is kept of them is of when a daemon stopped, and
        # may be the oldest there is: it does not go for that, as the trace would go with it.
        return frozenset(trace.id for trace in self._registry if trace.recording is not None)

    # -- the keeper's thread

    def _keep_all(self) -> None:
        # One after the other: what a trace was when the daemon stopped never replaces what it was when it ended.
        while True:
            try:
                work = self._work.get(timeout=self._archive.tend_after_s)
            except queue.Empty:
                self._tend()
                continue
            if work is None:
                self._tend()
                return
            try:
                work()
            except Exception:  # noqa: BLE001 - else none that follows would be kept; this one stays in its ring
                _log.exception("a trace could not be kept for a fault of traceloopd's: please report it")

    def _tend(self) -> None:
        with self._lock:
            unsettled = self._unsettled()
        self._settle(self._archive.tend(unsettled))

    def _keep(self, trace: Trace) -> None:
        recording = trace.recording
        assert recording is not None
        changes = None
        try:
            snapshot = self._redacted(self._snapshot(trace.id, recording), trace)
            info = info_of(trace, snapshot, self.node)
        except OSError as error:
            self._tally.add(Counted.LOST)
            _log.error("lost %s: its ring could not be read: %s", trace.id, error, extra=fields(TRACE_LOST, trace))
        else:
            with self._lock:
                unsettled = self._unsettled() - {trace.id}
            changes = self._archive.put(info, snapshot.encode(), unsettled)
        with self._lock:
            self._release(trace)
            closed = trace.state is State.CLOSED  # meanwhile
            trace.size_bytes = changes.size_bytes if changes else 0
            if not changes and not closed:
                trace.advance("lose")
                self._feed.tell(Happened.LOST, trace)
        if closed:
            self._delete_closed(trace)
        if changes:
            self._settle(changes)

    def _delete_closed(self, trace: Trace) -> None:
        try:
            self._archive.delete(trace.id)
        except OSError as error:
            _log.error("closed %s, but its file stays: %s", trace.id, error)

    def _settle(self, changes: Changes) -> None:
        with self._lock:
            for trace_id in changes.written:
                trace = self._registry.get(trace_id)
                if trace is not None and trace.state is State.FROZEN:
                    trace.advance("archive")
                    self._feed.tell(Happened.ARCHIVED, trace)
            for trace_id, reason in changes.gone:
                self._drop(trace_id, reason)

    def _drop(self, trace_id: str, reason: str) -> None:
        trace = self._registry.get(trace_id)
        if trace is not None:
            trace.advance("close")
            self._feed.tell(Happened.DROPPED, trace)
            self._registry.forget(trace)
            self._tally.add(Counted.DROPPED)
            dropped = fields(TRACE_DROPPED, trace)
            _log.warning("dropped %s to keep within %s", trace_id, reason, extra=dropped)
