# SPDX-License-Identifier: Apache-2.0
"""Begins, amends and ends recordings.

A recording ends at the first sign that its container has ended: its cgroup is empty, its first process has ended (a
pidfd) and left no other, or the runtime deletes the container (poststop). Ending a recording removes its cgroups from
the kernel's table and freezes the trace. The archiver reads the ring and releases it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from traceloop_bpf.births import Entry
from traceloop_bpf.pool import MemoryShort, PoolError
from traceloop_bpf.tracer import Recording, Tracer
from traceloop_daemon.errors import AlreadyRecorded, NoMemory, RegistrationError
from traceloop_daemon.naming.names import Names, Registration
from traceloop_daemon.privacy.redaction import Redactor
from traceloop_daemon.recording.ends import Ends, Watch
from traceloop_daemon.recording.extent import Extent
from traceloop_daemon.recording.feed import Feed, Happened
from traceloop_daemon.recording.journal import RECORDING_STARTED, TRACE_FROZEN, fields, level_of_end
from traceloop_daemon.recording.tally import Recorded, Volume
from traceloop_daemon.recording.trace import State, Trace, TraceEvent, TraceView, capture_word, name_facts, names_of
from traceloop_daemon.recording.traces import Traces
from traceloop_daemon.system import cgroupfs
from traceloop_daemon.system.host import realtime_ns
from traceloop_daemon.system.loop import Loop
from traceloop_daemon.system.memory_cgroups import MemoryCgroups
from traceloop_daemon.system.procfs import is_runtimes, read_open_files, read_process
from traceloop_decode.ending import how_ended
from traceloop_decode.open_files import OpenFiles, Process
from traceloop_decode.selection import skipped
from traceloop_decode.trace_facts import TraceFacts

_log = logging.getLogger(__name__)


class Recordings:
    """Begins and ends recordings. Safe to use from several threads: each method holds the lock of `traces`.

    Callers that pass a Trace have held the lock since they found it.
    """

    def __init__(
        self,
        loop: Loop,
        tracer: Tracer,
        mount: Path,
        traces: Traces,
        *,
        redactor: Redactor | None,
        feed: Feed,
        frozen: Callable[[Trace], None],
        reason_follows: Callable[[TraceView], bool],
    ) -> None:
        """tracer: for new recordings. mount: where cgroup2 is mounted. redactor: None if secrets are not blotted out.

        frozen: called with each trace whose recording has ended; must ensure that the trace is released.
        reason_follows: called with it before that; returns whether another entry tells that its container failed.

        `before_end` is called, in the loop's thread, when a trace is about to end by itself: what the kernel side has
        told is read then, and counts.
        """
        self.before_end: Callable[[], None] = lambda: None
        self.tracer, self.mount = tracer, mount
        self._traces, self._redactor, self._feed, self._frozen = traces, redactor, feed, frozen
        self._volume, self._memory = Volume(), MemoryCgroups(mount)
        self._reason_follows = reason_follows
        self._ends = Ends(loop, traces)

    def recorded(self) -> Recorded:
        """Returns how much was recorded since this daemon started."""
        with self._traces.locked() as registry:
            live = registry.live()
        for trace in live:  # one at a time, so that a starting container does not wait for all of them
            with self._traces.locked():
                if trace.state is State.RECORDING:
                    self._volume.look(trace)
        with self._traces.locked():
            return self._volume.total()

    def begin(self, told: Registration, extent: Extent) -> TraceView:
        """Records `told.cgroup`. Raises RegistrationError."""
        with self._traces.locked():
            path = cgroupfs.directory(self.mount, told.cgroup)
            watch, recording = self._record(told, path, extent)
            return self._begin(told, recording, watch, extent)

    def begin_at_birth(self, told: Registration, recording: Recording, cgroup_id: int, extent: Extent) -> TraceView:
        """Makes a trace of a recording that the kernel side began when the container's cgroup was made.

        cgroup_id: of `told.cgroup`, which may have been removed since; the trace ends at once then. extent: apart from
        its sizes, which the ring has already.
        """
        with self._traces.locked():
            path = cgroupfs.directory(self.mount, told.cgroup)
            watch = _watched_if_there(path, cgroup_id, told.pid)
            if watch.pidfd >= 0:
                recording.tracer.set_first(recording, told.pid)
            recording.ring.set_withheld(extent.withheld)
            if extent.skip:
                recording.ring.set_skipped(extent.places)
            return self._begin(told, recording, watch, extent)

    def discard(self, recording: Recording) -> None:
        """Ends a recording that no trace was made of, and discards its ring."""
        recording.tracer.stop(recording)
        recording.tracer.give_back(recording)

    def move(self, trace: Trace, cgroup: str) -> None:
        """Notes that the kernel side records another cgroup as the container's own, the one that it really has."""
        with self._traces.locked():
            self._ends.end(trace)
            trace.learn(cgroup=cgroup)
            self._traces.save_live(trace)
            try:
                watch = Watch.open(cgroupfs.directory(self.mount, cgroup), 0)
            except RegistrationError:
                watch = Watch(-1, -1)
            self._ends.begin(trace, watch, self._ended, self._left)

    def note_entered(self, trace: Trace, entry: Entry) -> None:
        """Notes what the kernel side tells of a program that begins, or of a process that comes from outside.

        Of a program that is its standard streams. The runtime has set the limit of memory by then.
        """
        with self._traces.locked():
            limit = None if trace.facts.memory_limit_bytes else self._memory.limit(trace.facts.cgroup)
            if limit is not None:
                trace.learn(memory_limit_bytes=limit)
                self._traces.save_live(trace)
        if entry.streams:
            fds = {fd: (name, False) for fd, name in entry.streams.items()}
            self._add_files(trace, OpenFiles(entry.at_ns, entry.at_ns, {entry.process: Process(None, None, fds)}))

    def read_entered(self, trace: Trace, entry: Entry) -> None:
        """Reads what a process has open that came into a recorded cgroup from outside."""
        pid = entry.process
        read = _read(lambda: read_process(pid), f"process {pid} has")
        if read is not None and read.processes and self._is_in(trace, pid):
            self._add_files(trace, read)
            _log.debug("%s: came from outside, process %d", trace.id, pid)

    def _is_in(self, trace: Trace, pid: int) -> bool:
        # Else it has ended, or left, and its number may be another process's.
        with self._traces.locked():
            if trace.recording is None:
                return False
            try:
                path = cgroupfs.directory(self.mount, cgroupfs.anywhere(pid))
                return trace.recording.tracer.records(trace.recording, cgroupfs.cgroup_id(path))
            except RegistrationError:
                return False
            except OSError as error:  # no descriptor or no memory is free
                _log.warning("the files of process %d are not known: %s", pid, error.strerror)
                return False

    def _add_files(self, trace: Trace, read: OpenFiles) -> None:
        with self._traces.locked():
            if trace.recording is not None:
                trace.open_files = read if trace.open_files is None else trace.open_files.with_later(read)
                self._traces.save_live(trace)

    def _begin(self, told: Registration, recording: Recording, watch: Watch, extent: Extent) -> TraceView:
        with self._traces.locked() as registry:
            path = cgroupfs.directory(self.mount, told.cgroup)
            trace_id = registry.new_id(told.names.trace_id(self._traces.node))
            facts = TraceFacts(
                trace_id,
                node=self._traces.node,
                **name_facts(self._shown(told.names)),
                container_id=told.container_id,
                cgroup=told.cgroup,
                started_ns=realtime_ns(time.clock_gettime_ns(time.CLOCK_BOOTTIME) - recording.started_ns),
                capture=capture_word(extent.withheld),
                ring_size_bytes=recording.ring.data_size,
                skipped=skipped.text(extent.skip),
                memory_limit_bytes=self._memory.limit(told.cgroup),
            )
            pid = told.pid if watch.pidfd >= 0 else 0
            trace = Trace(facts, recording=recording, init_pid=pid, withheld=extent.withheld)
            # Now, while the container waits for the answer.
            trace.open_files = _read(lambda: read_open_files(path), f"the processes in {path} have")
            self._traces.save_live(trace)
            registry.put(trace)
            _log.debug(
                "%s: slot %d of recorder %d, %d bytes of ring, classes of memory withheld: %#x",
                *(trace.id, recording.slot.number, recording.tracer.number, recording.ring.data_size, extent.withheld),
            )
            view = trace.view()
            self._feed.tell(Happened.STARTED, view)
            started = fields(RECORDING_STARTED, view)
            container_id = told.container_id or "-"
            _log.info("recording %s: container %s, cgroup %s", trace.id, container_id, told.cgroup, extra=started)
            self._ends.begin(trace, watch, self._ended, self._left)
            return view

    def adopt(self, trace: Trace) -> None:
        """Adds a trace that a former daemon began. The caller must resume or end it next."""
        with self._traces.locked() as registry:
            registry.put(trace)
            self._volume.adopt(trace)

    def resume(self, trace: Trace, watch: Watch) -> None:
        """Watches for the end of an adopted trace, and closes the watch then."""
        with self._traces.locked():
            self._ends.begin(trace, watch, self._ended, self._left)

    def amend(self, trace: Trace, names: Names, withheld: int, skip: frozenset[str], pid: int = 0) -> None:
        """Completes the names of a live trace, and adds classes of memory and calls that its ring leaves out.

        pid: its first process, if it was not known; 0: not known.
        """
        # A later registration may know more of the pod's annotations, and so a stricter policy.
        with self._traces.locked():
            assert trace.recording is not None
            before = names_of(trace.facts)
            names, withheld = before.completed(self._shown(names)), trace.withheld | withheld
            if withheld != trace.withheld:
                trace.recording.ring.set_withheld(withheld)
            skip |= skipped.words_of(trace.facts.skipped)
            skips = skipped.text(skip)
            if skips != trace.facts.skipped:
                trace.recording.ring.set_skipped(Extent(skip=skip).places)
            if (names, withheld, skips) != (before, trace.withheld, trace.facts.skipped):
                trace.withheld = withheld
                trace.learn(**name_facts(names), capture=capture_word(withheld), skipped=skips)
                self._traces.save_live(trace)
            if pid:
                trace.recording.tracer.set_first(trace.recording, pid)

    def end(self, trace: Trace, why: str, ago_ns: int = 0) -> None:
        """Ends a live trace's recording and freezes the trace. why: for the log. ago_ns: since its container ended."""
        with self._traces.locked():
            assert trace.recording is not None
            self._ends.end(trace)
            self._end_recording(trace, trace.recording)
            trace.learn(ended_ns=realtime_ns(ago_ns), **self._memory.at_end(trace.facts.cgroup))
            trace.refresh()
            trace.advance(TraceEvent.END)
            view = trace.view()
            self._feed.tell(Happened.FROZEN, view)
            frozen, facts = fields(TRACE_FROZEN, view), view.facts
            how = how_ended(facts.exit_code, facts.signal, facts.memory_end) or "how it ended is not known"
            text = "frozen %s (%s): %d events, %d lost; %s"
            level = level_of_end(facts, told=self._reason_follows(view))
            _log.log(level, text, trace.id, why, facts.events, facts.lost, how, extra=frozen)
            for text in _unrecorded(trace.recording):
                _log.warning("%s: %s", trace.id, text)
            self._frozen(trace)

    def close(self, trace: Trace) -> TraceView:
        """Forgets a trace, live or not. The ring of a live trace is discarded."""
        with self._traces.locked() as registry:
            self._ends.end(trace)
            if trace.recording is not None:
                # Before the recording ends: otherwise the next daemon might resume it.
                self._traces.forget_live(trace.recording.tracer.number, trace.recording.slot.number)
                self._end_recording(trace, trace.recording)
            if trace.state is not State.FROZEN:  # the archiver releases frozen traces
                self._traces.release(trace)
            trace.advance(TraceEvent.CLOSE)
            view = trace.view()
            self._feed.tell(Happened.CLOSED, view)
            registry.forget(trace)
            return view

    def replace_tracer(self, tracer: Tracer, why: str) -> None:
        """Records with another tracer from now on: each live trace ends, and its container gets a new one.

        The former tracer is abandoned. why: for the log.
        """
        with self._traces.locked() as registry:
            former, self.tracer = self.tracer, tracer
            live = registry.live()
            for trace in live:
                self.begin_anew(trace)
            former.abandon()  # before its rings are read
            for trace in live:
                self.end(trace, why)

    def begin_anew(self, trace: Trace) -> None:
        """Begins another trace of a live trace's container, with the current tracer instead of the trace's own."""
        assert trace.recording is not None
        facts, headers = trace.facts, trace.recording.ring.headers()
        pid = 0 if headers.exited else headers.init_pid
        told = Registration(names_of(facts), container_id=facts.container_id, pid=pid, cgroup=facts.cgroup)
        try:
            self.begin(told, Extent.of(trace.recording, trace.withheld, facts))
        except RegistrationError as error:
            _log.info("%s is not recorded any more: %s", trace.id, error)

    def stop(self, *, outlived: bool) -> None:
        """Stops watching traces, as the daemon stops. Ends all recordings unless they outlive the daemon."""
        with self._traces.locked() as registry:
            for trace in registry.live():
                self._ends.end(trace)
                if not outlived:
                    self.end(trace, "the daemon stops")

    def _record(self, told: Registration, path: Path, extent: Extent) -> tuple[Watch, Recording]:
        top = cgroupfs.cgroup_id(path)
        if self.tracer.is_recorded(top):
            known = self._recorded_as(told.cgroup)
            raise AlreadyRecorded(f"cgroup {told.cgroup} is being recorded already, as {known}")
        watch = _watched(path, told)
        try:
            # The container's own cgroup first: from then on the programs add cgroups that are made below it.
            cgroups = chain([top], cgroupfs.descendants(path))
            recording = self.tracer.record(
                cgroups,
                told.pid if watch.pidfd >= 0 else 0,
                extent.withheld,
                extent.ring_size,
                by_runtime=told.starting and is_runtimes(told.pid),  # a hook may come late
                firsts_size=extent.firsts_size,
                skipped=extent.places,
            )
        except (OSError, PoolError) as error:
            watch.close()
            kind = NoMemory if isinstance(error, MemoryShort) else RegistrationError
            raise kind(f"{told.container_id or told.cgroup} is not recorded: {error}") from error
        if recording.ring.apart()[1] and not is_runtimes(told.pid):
            self.tracer.let_go(recording, told.pid)
        if recording.ring.data_size < extent.ring_size:
            less, named = recording.ring.data_size, told.container_id
            text = "container %s: its ring has %d bytes, not %d: memory is short"
            _log.warning(text, named, less, extent.ring_size)
        return watch, recording

    def _ended(self, trace: Trace) -> None:
        try:
            self.before_end()
        except Exception:  # noqa: BLE001 - it is about all containers, and this one is to end
            _log.exception("internal error in traceloopd: please report it")
        assert trace.recording is not None
        if trace.recording.ring.is_untouched_birth():
            _log.info("forgotten %s: its cgroup was removed before a process was in it", trace.id)
            self.close(trace)
            return
        self.end(trace, "its last process has ended")

    def _left(self, trace: Trace, pid: int) -> tuple[str, Path | None]:
        # As ends.Left has it.
        assert trace.recording is not None
        cgroup = cgroupfs.anywhere(pid)
        path = cgroupfs.directory(self.mount, cgroup)
        try:
            if not trace.recording.tracer.records(trace.recording, cgroupfs.cgroup_id(path)):
                return cgroup, None
        except RegistrationError:  # the process has moved on, and is looked at again
            return cgroup, None
        if cgroup != trace.facts.cgroup:
            trace.learn(cgroup=cgroup)
            self._traces.save_live(trace)
        return cgroup, path

    def _end_recording(self, trace: Trace, recording: Recording) -> None:
        recording.tracer.stop(recording)
        if trace.state is State.RECORDING:
            self._volume.end(trace)

    def _shown(self, names: Names) -> Names:
        # Users put secrets into labels too.
        return replace(names, labels=self._redactor.labels(names.labels)) if self._redactor is not None else names

    def _recorded_as(self, cgroup: str) -> str:
        with self._traces.locked() as registry:
            inside = (one.id for one in registry.live() if f"{cgroup}/".startswith(f"{one.facts.cgroup}/"))
            return next(inside, "part of another")


def _watched(path: Path, told: Registration) -> Watch:
    # A cgroup that a user adds is recorded whether or not its first process has just ended.
    try:
        return Watch.open(path, told.pid)
    except RegistrationError:
        if told.container_id or not told.pid:
            raise
        return Watch.open(path, 0)


def _watched_if_there(path: Path, cgroup_id: int, pid: int) -> Watch:
    # Of a cgroup that is gone, or has been made again, there is nothing to watch: the trace ends at once.
    try:
        if cgroupfs.cgroup_id(path) != cgroup_id:
            return Watch(-1, -1)
        try:
            return Watch.open(path, pid)
        except RegistrationError:
            return Watch.open(path, 0)
    except RegistrationError:
        return Watch(-1, -1)


def _unrecorded(recording: Recording) -> Iterator[str]:
    # Reports losses that no count of events includes.
    missing = recording.ring.headers().unrecorded
    if missing.cgroups:
        yield f"calls in {missing.cgroups} cgroups below its own were not recorded: too many cgroups were below it"
    if missing.rereads:
        yield f"{missing.rereads} calls were not read again at their exit: too many of its calls were in flight"
    if missing.io_urings:
        yield f"requests that it submitted through {missing.io_urings} instances of io_uring were not recorded"


def _read(read: Callable[[], OpenFiles], of: str) -> OpenFiles | None:
    try:
        return read()
    except OSError as error:  # such as EMFILE: a recording matters more than the names of open files
        _log.warning("the files that %s open are not known: %s", of, error.strerror)
        return None
