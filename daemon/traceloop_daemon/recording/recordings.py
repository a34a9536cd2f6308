# SPDX-License-Identifier: Apache-2.0
"""The recordings that are under way: each is begun, amended, ended and given back here, and nowhere else.

What first says that a container has ended ends its recording: its cgroup has no process any more, its first process
has ended (a pidfd) and left none behind, or the runtime deletes it (poststop). To end it only takes the cgroups out of
the kernel's table. The trace is frozen then, and whoever reads its ring (`archiver`) releases it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from traceloop_bpf.pool import MemoryShort, PoolError
from traceloop_bpf.tracer import Recording, Tracer
from traceloop_daemon.errors import AlreadyRecorded, NoMemory, RegistrationError
from traceloop_daemon.naming.names import Names
from traceloop_daemon.privacy.redaction import Redactor
from traceloop_daemon.recording.ends import Ends, Watch
from traceloop_daemon.recording.feed import Feed, Happened
from traceloop_daemon.recording.journal import RECORDING_STARTED, TRACE_FROZEN, fields
from traceloop_daemon.recording.live_traces import LiveTrace, LiveTraces
from traceloop_daemon.recording.registration import Target
from traceloop_daemon.recording.registry import Registry, State, Trace
from traceloop_daemon.recording.tally import Recorded, Volume
from traceloop_daemon.system import cgroupfs
from traceloop_daemon.system.loop import Loop
from traceloop_daemon.system.procfs import read_open_files
from traceloop_decode.open_files import OpenFiles

_log = logging.getLogger(__name__)


class Recordings:
    """All but `recorded` and `stop` is called with `lock` held, which is also that of `registry` and its traces."""

    def __init__(
        self,
        loop: Loop,
        tracer: Tracer,
        mount: Path,
        node: str,
        *,
        live: LiveTraces,
        redactor: Redactor | None,
        feed: Feed,
        frozen: Callable[[Trace], None],
    ) -> None:
        """tracer: that new recordings are made with. mount: of cgroup2. node: its name, in traces' ids.
        redactor: None where secrets stay.

        frozen: told of each trace whose recording has ended; it is to see to it that the trace is released.
        """
        self.lock = threading.RLock()
        self.registry = Registry()
        self.tracer, self.mount = tracer, mount
        self._node, self._live, self._redactor, self._feed, self._frozen = node, live, redactor, feed, frozen
        self._volume = Volume()
        self._ends = Ends(loop, self.lock, lambda trace: self.end(trace, "its last process has ended"))

    def unsettled(self) -> frozenset[str]:
        """The ids of the traces whose rings hold what no file does: those being recorded, and those to be kept next.

        What is kept of them is of when a daemon stopped, and may be the oldest there is: it does not go for that, as
        the trace would go with it.
        """
        return frozenset(trace.id for trace in self.registry if trace.recording is not None)

    def recorded(self) -> Recorded:
        """How much was recorded since this daemon started."""
        with self.lock:
            live = [trace for trace in self.registry if trace.state is State.RECORDING]
        for trace in live:  # one by one: a container that starts meanwhile does not wait for all
            with self.lock:
                if trace.state is State.RECORDING:
                    self._volume.look(trace)
        with self.lock:
            return self._volume.total()

    def begin(self, target: Target, withheld: int, ring_size: int) -> Trace:
        """Records a cgroup. withheld: as Tracer.record has it. ring_size: bytes. Raises RegistrationError."""
        cgroup, container_id = target.cgroup, target.container_id
        path = cgroupfs.directory(self.mount, cgroup)
        top = cgroupfs.cgroup_id(path)
        if self.tracer.is_recorded(top):
            raise AlreadyRecorded(f"cgroup {cgroup} is being recorded already, as {self._recorded_as(cgroup)}")
        watch = Watch.open(path, target.pid)
        try:
            # Those below come after it: what is made from then on, the kernel enters itself.
            cgroups = chain([top], cgroupfs.descendants(path))
            recording = self.tracer.record(cgroups, target.pid, withheld, ring_size)
        except (OSError, PoolError) as error:
            watch.close()
            kind = NoMemory if isinstance(error, MemoryShort) else RegistrationError
            raise kind(f"{container_id or cgroup} is not recorded: {error}") from error
        if recording.ring.data_size < ring_size:
            less = recording.ring.data_size
            _log.warning("container %s: its ring has %d bytes, not %d: memory is short", container_id, less, ring_size)
        trace = Trace(
            id=self.registry.new_id(target.names.trace_id(self._node)),
            names=self._told(target.names),
            container_id=container_id,
            cgroup=cgroup,
            started_ns=time.time_ns(),
            init_pid=target.pid,
            recording=recording,
            open_files=_open_files(path),  # before the answer, while the container waits for it
            withheld=withheld,
            ring_size_bytes=recording.ring.data_size,
        )
        self._put_live(trace, recording)
        self.registry.put(trace)
        self._ends.begin(trace, watch)
        _log.debug(
            "%s: slot %d of recorder %d, %d bytes of ring, classes of memory withheld: %#x",
            *(trace.id, recording.slot.number, recording.tracer.number, recording.ring.data_size, withheld),
        )
        self._feed.tell(Happened.STARTED, trace)
        started = fields(RECORDING_STARTED, trace)
        _log.info("recording %s: container %s, cgroup %s", trace.id, container_id or "-", cgroup, extra=started)
        return trace

    def adopt(self, trace: Trace) -> None:
        """Takes in a trace that a former daemon began. It is to be resumed or ended next."""
        self.registry.put(trace)
        self._volume.adopt(trace)

    def resume(self, trace: Trace, watch: Watch) -> None:
        """Looks out for the end of an adopted one; the watch is this one's to close."""
        self._ends.begin(trace, watch)

    def amend(self, trace: Trace, names: Names, withheld: int) -> None:
        """Adds names to those of a live trace, and classes of memory to those that are kept out of its ring."""
        # One who saw more of the pod's annotations may know that less is to be kept.
        assert trace.recording is not None
        names, withheld = trace.names.completed(self._told(names)), (trace.withheld or 0) | withheld
        if withheld != trace.withheld:
            trace.recording.ring.set_withheld(withheld)
        if (names, withheld) != (trace.names, trace.withheld):
            trace.names, trace.withheld = names, withheld
            self._put_live(trace, trace.recording)

    def end(self, trace: Trace, why: str, ago_ns: int = 0) -> None:
        """Ends a live trace's recording, and freezes the trace. why: for the log. ago_ns: since its container ended."""
        assert trace.recording is not None
        self._ends.end(trace)
        self._end_recording(trace, trace.recording)
        trace.ended_ns = time.time_ns() - ago_ns
        trace.refresh()
        trace.advance("end")
        self._feed.tell(Happened.FROZEN, trace)
        frozen, count = fields(TRACE_FROZEN, trace), trace.count
        _log.info("frozen %s (%s): %d events, %d lost", trace.id, why, count.events, count.lost_events, extra=frozen)
        for text in _unrecorded(trace.recording):
            _log.warning("%s: %s", trace.id, text)
        self._frozen(trace)

    def close(self, trace: Trace) -> None:
        """Forgets a trace, live or not; a live one's ring is not read any more."""
        self._ends.end(trace)
        if trace.recording is not None:
            self.forget_live(trace.recording.tracer.number, trace.recording.slot.number)  # first: else a daemon
            self._end_recording(trace, trace.recording)  # that follows would go on with it
        if trace.state is not State.FROZEN:  # else whoever reads its ring releases it
            self.release(trace)
        trace.advance("close")
        self._feed.tell(Happened.CLOSED, trace)
        self.registry.forget(trace)

    def release(self, trace: Trace) -> None:
        """Gives back the ring of a trace whose recording has ended."""
        if trace.recording is not None:
            self.forget_live(trace.recording.tracer.number, trace.recording.slot.number)
            trace.recording.tracer.give_back(trace.recording)
            trace.recording = trace.open_files = None

    def forget_live(self, recorder: int, slot: int) -> None:
        """The next daemon need not know of the trace that had this ring."""
        try:
            self._live.delete(recorder, slot)
        except OSError as error:  # it finds no ring that fits it
            _log.error("a live trace's file stays: %s", error)

    def replace_tracer(self, tracer: Tracer, why: str) -> None:
        """Records with another tracer from now on: each live trace ends, and a new one of its container begins.

        The former one is abandoned. why: for the log.
        """
        with self.lock:
            former, self.tracer = self.tracer, tracer
            live = [trace for trace in self.registry if trace.state is State.RECORDING]
            for trace in live:
                self.begin_anew(trace)
            former.abandon()  # before what it recorded is read
            for trace in live:
                self.end(trace, why)

    def begin_anew(self, trace: Trace) -> None:
        """Begins another trace of the container of a live one, with `tracer`, which is not the one's."""
        assert trace.recording is not None
        try:
            same = Target(trace.cgroup, trace.names, trace.container_id, trace.init_pid)
            self.begin(same, trace.withheld or 0, trace.recording.ring.data_size)
        except RegistrationError as error:
            _log.info("%s is not recorded any more: %s", trace.id, error)

    def stop(self, *, outlived: bool) -> None:
        """The daemon stops. Recordings end, or go on without this process if they outlive it."""
        with self.lock:
            for trace in [trace for trace in self.registry if trace.state is State.RECORDING]:
                self._ends.end(trace)
                if not outlived:
                    self.end(trace, "the daemon stops")

    def _end_recording(self, trace: Trace, recording: Recording) -> None:
        recording.tracer.stop(recording)
        if trace.state is State.RECORDING:
            self._volume.end(trace)

    def _told(self, names: Names) -> Names:
        # What may be told of a container: users put secrets into labels too.
        return replace(names, labels=self._redactor.labels(names.labels)) if self._redactor is not None else names

    def _recorded_as(self, cgroup: str) -> str:
        live = (trace for trace in self.registry if trace.state is State.RECORDING)
        return next((trace.id for trace in live if f"{cgroup}/".startswith(f"{trace.cgroup}/")), "part of another")

    def _put_live(self, trace: Trace, recording: Recording) -> None:
        try:
            self._live.put(LiveTrace.of(trace, recording))
        except OSError as error:
            _log.error("%s ends with this daemon: it cannot be left to the next one: %s", trace.id, error)


def _unrecorded(recording: Recording) -> Iterator[str]:
    # What is in no count of events.
    missing = recording.ring.headers().unrecorded
    if missing.cgroups:
        yield f"calls in {missing.cgroups} cgroups below its own were not recorded: it had too many of them"
    if missing.rereads:
        yield f"{missing.rereads} calls were not read again at their exit: it had too many in flight"
    if missing.io_urings:
        yield f"what it submitted through {missing.io_urings} instances of io_uring was not recorded"


def _open_files(cgroup: Path) -> OpenFiles | None:
    try:
        return read_open_files(cgroup)
    except OSError as error:  # such as no descriptors left: what descriptors stand for is less than a recording
        _log.warning("what the processes in %s have open is not known: %s", cgroup, error.strerror)
        return None
