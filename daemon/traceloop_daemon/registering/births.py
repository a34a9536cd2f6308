# SPDX-License-Identifier: Apache-2.0
"""Makes traces of the recordings that the kernel side begins when containers' cgroups are made.

Theory of operation. An event tells the cgroup, and the ring that records it already. The container's names are read
in another thread, mostly within two milliseconds, and then the trace begins under its final id; an id is given once.
So as long as there are no names, nothing is listed, and they are looked for again, for NAMED_S. A hook or NRI that
registers the container meanwhile completes it at once::

    told -> (names found, or a hook tells them) -> trace | discarded, as settings or annotations exclude it
         `-> (NAMED_S over) -> trace, named by engine and id | discarded after UNTOUCHED_S, as no process was in it

Up to then the node's capture policy applies, and nobody can read the ring. If the container asks for a stricter
policy, it gets an empty ring, and what was recorded is discarded. An event is settled when its trace is saved: the next
daemon goes on with all others.

If no ring was in stock, the cgroup is recorded as soon as the pool has one.
"""

from __future__ import annotations

import logging
import select
import time
from collections import deque
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

from traceloop_bpf.births import Birth, Entry
from traceloop_bpf.births import Births as Events
from traceloop_bpf.pool import MemoryShort, PoolError
from traceloop_bpf.tracer import Recording, Tracer
from traceloop_daemon.errors import RegistrationError
from traceloop_daemon.naming.births import Recogniser
from traceloop_daemon.naming.engines.runtimes import Started
from traceloop_daemon.naming.names import Registration
from traceloop_daemon.recording.recordings import Recordings
from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.recording.trace import Trace
from traceloop_daemon.recording.traces import Traces
from traceloop_daemon.registering.running import Running
from traceloop_daemon.registering.spare import Spare
from traceloop_daemon.settings.keys import Config, RecordFrom
from traceloop_daemon.system import cgroupfs
from traceloop_daemon.system.file_readers import FileReaders, Result
from traceloop_daemon.system.loop import READABLE, Loop

NAMED_S: Final = 1.0
UNTOUCHED_S: Final = 10.0
_NO_EVENT: Final = -1
_TEND_S: Final = 60.0
_AGAIN_S: Final = 0.01
_AGAIN_MAX_S: Final = 0.5
_EARLY_MAX: Final = 256
_READ_AT_ONCE: Final = 64
_INTERNAL: Final = "cgroup %s is not recorded: internal error in traceloopd: please report it"
_LARGER: Final = ": consider a larger ring.spare"
_log = logging.getLogger(__name__)


class Registers(Protocol):
    """An object that decides about a container, and makes its trace."""

    def born(self, told: Registration, recording: Recording, cgroup_id: int) -> None:
        """Makes the trace of a recording, or discards it. Raises RegistrationError."""

    def take_up(self, told: Registration) -> None:
        """Records a container that runs already. Raises RegistrationError."""


@dataclass(slots=True, eq=False)
class _Newborn:
    birth: Birth
    recording: Recording
    container_id: str
    started: Started | None
    again_s: float = _AGAIN_S
    is_read: bool = False  # in another thread


class Births:
    """The births of containers. Methods are called in the loop's thread, except `replace_tracer`."""

    def __init__(
        self,
        loop: Loop,
        traces: Traces,
        recordings: Recordings,
        registrar: Registers,
        config: Config,
        *,
        readers: FileReaders,
        spare: Spare,
        tally: Tally,
    ) -> None:
        """Begins with the events that a former daemon did not settle."""
        self._loop, self._traces, self._recordings = loop, traces, recordings
        self._registrar, self._readers, self._spare, self._tally = registrar, readers, spare, tally
        record, self._withheld = config.record, config.capture.policy.withheld
        self._recogniser = Recogniser(recordings.mount, record.prefixes, record.units)
        self._begins = record.from_ is RecordFrom.BIRTH
        self._waiting: dict[tuple[int, int], _Newborn] = {}  # by slot and cookie
        self._new: list[_Newborn] = []  # whose names are to be looked for
        self._is_reading = False
        self._events: Events | None = None
        self._early: deque[Entry] = deque(maxlen=_EARLY_MAX)  # whose traces have not begun yet
        self._since_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        recordings.before_end = self._read
        self._above: str | None = None  # what is above the top of this process's cgroup namespace; None: not known yet
        self._follow(recordings.tracer)
        self._tend()
        if record.running:
            running = Running(loop, recordings.mount, self._recogniser, readers, registrar.take_up)
            loop.call_later(0, running.take_up)

    @property
    def tracer(self) -> Tracer:
        """The tracer for new recordings."""
        return self._recordings.tracer

    def replace_tracer(self, tracer: Tracer, why: str) -> None:
        """Records with another tracer from now on. why: for the log."""
        self._recordings.replace_tracer(tracer, why)
        self._loop.call_later(0, lambda: self._follow(tracer))

    def close(self) -> None:
        """Stops reading events. Those that are not settled are left to the next daemon."""
        if self._events is not None:
            self._loop.unwatch(self._events.fd)
            self._events = None

    def complete(self, told: Registration) -> bool:
        """Completes a container that a hook or NRI registers, if it was born and waits for its names.

        told.cgroup: may be below the one that was made. Returns False if there is none.
        """
        self._read()
        try:
            path = cgroupfs.directory(self._recordings.mount, told.cgroup)
            slot = self.tracer.slot_of(cgroupfs.cgroup_id(path))
        except RegistrationError:  # the container has ended
            return False
        newborn = next((one for one in self._waiting.values() if one.recording.slot.number == slot), None)
        if newborn is None:
            return False
        self._end_wait(newborn, replace(told, cgroup=newborn.birth.path))
        return True

    def complete_ended(self, told: Registration) -> bool:
        """Completes a container as `complete` does, by its id: its processes have ended."""
        self._read()
        newborn = next((one for one in self._waiting.values() if one.container_id == told.container_id), None)
        if newborn is None:
            return False
        self._end_wait(newborn, replace(told, cgroup=newborn.birth.path))
        return True

    def knows(self, container_id: str) -> bool:
        """Returns whether a container was born and waits for its names."""
        self._read()
        return any(one.container_id == container_id for one in self._waiting.values())

    def _tend(self) -> None:
        self._spare.follow()
        self._loop.call_later(_TEND_S, self._tend)

    def _follow(self, tracer: Tracer) -> None:
        # The former tracer is abandoned. The new one records containers that wait for their names, as it does traces.
        waiting = list(self._waiting.values())
        self._waiting.clear()
        if self._events is not None:
            self._loop.unwatch(self._events.fd)
            self._events.close()
        self._events = tracer.births
        if self._events is not None:
            self._events.recognise(self._recogniser.shapes if self._begins else ())
            self._loop.watch(self._events.fd, READABLE | select.EPOLLET, self._read)
            for newborn in waiting:
                self._begin(replace(newborn.birth, slot=0, cookie=0, until=_NO_EVENT), newborn.started)
            self._read()

    def _read(self) -> None:
        if self._events is None or self._events is not self.tracer.births:  # the latter: `replace_tracer` was called
            return
        if self._is_reading:
            return
        self._is_reading = True
        try:
            self._take_all(self._events.read())
            self._enter_all(self._events.entries())
        finally:
            self._is_reading = False

    def _take_all(self, births: list[Birth]) -> None:
        for birth in births:  # all first: if the stock is short, it grows to what is needed at once
            self._spare.began(birth.ago_s)
        # The makers' command lines before they end; then those that are recorded already, so that the stock is refilled
        # while the others wait for a ring.
        told = [(birth, self._started(birth)) for birth in births]
        for birth, started in sorted(told, key=lambda one: not one[0].slot):
            self._begin(birth, started)
        new, self._new = self._new, []
        for newborn in new:
            self._look(newborn)

    def _started(self, birth: Birth) -> Started | None:
        try:
            return self._recogniser.started_by_maker(birth)
        except Exception:  # noqa: BLE001 - as below
            _log.exception("cgroup %s: internal error in traceloopd: please report it", birth.path)
            return None

    def _enter_all(self, entries: list[Entry]) -> None:
        early = [*self._early]
        self._early.clear()
        # Of a flood the last are read, as each takes a millisecond, in which births wait. The beginning of a trace has
        # read those that came before it. What happened while no daemon ran is long ago: the number may be another's.
        left = len(early) + len(entries) - _READ_AT_ONCE
        unread = 0
        for n, entry in enumerate((*early, *entries)):
            if (trace := self._trace_in(entry)) is not None:
                self._recordings.note_entered(trace, entry)
                if n < len(early) or entry.at_ns < self._since_ns:
                    continue
                if n < left:
                    unread += 1
                else:
                    self._recordings.read_entered(trace, entry)
            elif (entry.slot, entry.cookie) in self._waiting:
                unread += len(self._early) == _EARLY_MAX  # the first is dropped
                self._early.append(entry)
        if unread:
            self._tally.add(Counted.ENTRIES_UNTOLD, unread)
            _log.warning(
                "%d processes came into containers, too many at once: it is not known which files they had open",
                unread,
            )

    def _begin(self, birth: Birth, started: Started | None) -> None:
        _log.debug("born: cgroup %s, slot %d, made by process %d", birth.path, birth.slot, birth.maker)
        try:
            self._take(self._with_path(birth), started)
        except (RegistrationError, PoolError, OSError) as error:
            _log.warning("the container in cgroup %s is not recorded: %s", birth.path, error)
            self._settle(birth)
        except Exception:  # noqa: BLE001 - one container must not end the recording of all others
            _log.exception(_INTERNAL, birth.path)
            self._settle(birth)

    def _with_path(self, birth: Birth) -> Birth:
        # The kernel tells the path in the whole hierarchy; this daemon's cgroup namespace may begin below its top.
        mount = self._recordings.mount
        if birth.is_cut:
            return replace(birth, path=cgroupfs.path_of(mount, birth.id) or birth.path)
        if self._above is None:
            inside = cgroupfs.path_inside(mount, birth.path, birth.id)
            if inside is not None:
                self._above = birth.path.removesuffix(inside)
        return replace(birth, path=birth.path.removeprefix(self._above or ""))

    def _take(self, birth: Birth, started: Started | None) -> None:
        key = birth.slot, birth.cookie
        if birth.moved and key in self._waiting:
            newborn = self._waiting[key]
            self._settle(newborn.birth)
            newborn.birth = birth
            if newborn.started is None:
                newborn.container_id = self._recogniser.container_id(birth)
            return  # its names are being looked for
        if (trace := self._trace_in(birth)) is not None:
            if birth.moved:
                self._recordings.move(trace, birth.path)
            self._settle(birth)
            return
        recording = self.tracer.born(birth) if birth.slot else self._late(birth)
        if recording is None:  # the event is old, and its ring was given back
            self._settle(birth)
            return
        container_id = started.container_id if started is not None else self._recogniser.container_id(birth)
        newborn = _Newborn(birth, recording, container_id, started)
        self._waiting[recording.slot.number, recording.ring.cookie] = newborn
        if self._recogniser.excluded(birth):
            self._discard(newborn, "no unit of record.units is called so")
            return
        self._new.append(newborn)

    def _late(self, birth: Birth) -> Recording | None:
        # No ring was in stock, or its recorder was replaced.
        if self.tracer.is_recorded(birth.id):  # by a former daemon, or by a hook
            return None
        why = "its recorder was replaced" if birth.until == _NO_EVENT else "no ring was in stock"
        self._tally.add(Counted.BIRTHS_LATE)
        self.tracer.pool.refill()
        path = cgroupfs.directory(self._recordings.mount, birth.path)
        try:
            is_there = cgroupfs.cgroup_id(path) == birth.id
        except RegistrationError:
            is_there = False
        if not is_there:
            _log.warning("cgroup %s was not recorded: %s, and it is gone", birth.path, why)
            return None
        try:
            cgroups = [birth.id, *cgroupfs.descendants(path)]
            recording = self.tracer.record(cgroups, withheld=self._withheld)
        except MemoryShort:
            self._tally.add(Counted.NO_MEMORY)
            raise
        if not recording.ring.headers().head and cgroupfs.has_ended(path):
            self._recordings.discard(recording)
            _log.warning("cgroup %s was not recorded: %s, and its processes have ended", birth.path, why)
            return None
        recording.ring.set_born(birth.maker or 1, recording.slot.number)
        _log.warning(
            "cgroup %s is recorded %.0f ms after it was made, as %s%s",
            *(birth.path, 1000 * birth.ago_s, why, "" if birth.until == _NO_EVENT else _LARGER),
        )
        return recording

    def _trace_in(self, birth: Birth | Entry) -> Trace | None:
        # A former daemon may have saved the trace and not have settled the event.
        with self._traces.locked() as registry:
            for trace in registry.live():
                recording = trace.recording
                if recording is None or recording.tracer is not self.tracer:
                    continue
                if (recording.slot.number, recording.ring.cookie) == (birth.slot, birth.cookie):
                    return trace
        return None

    def _look(self, newborn: _Newborn) -> None:
        if newborn not in self._waiting.values():
            return
        birth = newborn.birth
        if newborn.is_read:  # by a thread that is stuck: the others are for other containers
            self._found(newborn, birth, lambda: None)
            return

        def find() -> Registration | None:
            newborn.is_read = True
            try:
                return self._recogniser.find(birth, newborn.started)
            finally:
                newborn.is_read = False

        # Without waiting: other containers may be born meanwhile, and find no ring in stock.
        self._readers.ask(find, partial(self._found, newborn, birth), moment_s=0)

    def _found(self, newborn: _Newborn, birth: Birth, result: Result[Registration | None]) -> None:
        self._read()  # a trace takes milliseconds to begin, in which the stock may run out
        if newborn not in self._waiting.values():  # a hook was faster
            return
        told = self._told(birth, result)
        if newborn.birth is not birth:  # it moved meanwhile
            self._look(newborn)
            return
        untouched = newborn.recording.ring.is_untouched_birth()
        if told is not None:
            self._end_wait(newborn, told)
        elif birth.ago_s < (UNTOUCHED_S if untouched else NAMED_S):
            self._loop.call_later(newborn.again_s, lambda: self._look(newborn))
            newborn.again_s = min(2 * newborn.again_s, _AGAIN_MAX_S)
        elif untouched:
            self._discard(newborn, f"no process was in it for {UNTOUCHED_S:g} s, and no bundle was found")
        else:
            _log.warning("cgroup %s: no bundle of its container is found, so it is named by its id", birth.path)
            self._end_wait(newborn, self._recogniser.without_bundle(birth))

    def _told(self, birth: Birth, result: Result[Registration | None]) -> Registration | None:
        try:
            return result()
        except Exception:  # noqa: BLE001 - as above
            _log.exception("cgroup %s is not named: internal error in traceloopd: please report it", birth.path)
            return None

    def _end_wait(self, newborn: _Newborn, told: Registration) -> None:
        self._forget(newborn)
        try:
            self._registrar.born(told, newborn.recording, newborn.birth.id)
            self._enter_all([])
        except RegistrationError as error:
            _log.warning("%s", error)
        except (PoolError, OSError) as error:
            _log.warning("the container in cgroup %s is not recorded: %s", newborn.birth.path, error)
            self._give_up(newborn)
        except Exception:  # noqa: BLE001 - one container must not end the recording of all others
            _log.exception(_INTERNAL, newborn.birth.path)
            self._give_up(newborn)
        self._settle(newborn.birth)

    def _give_up(self, newborn: _Newborn) -> None:
        # Nobody else gives its ring back, unless the trace has it, or it was exchanged.
        recording = newborn.recording
        if self._trace_in(newborn.birth) is None and self.tracer.slot_of(newborn.birth.id) == recording.slot.number:
            self._recordings.discard(recording)

    def _discard(self, newborn: _Newborn, why: str) -> None:
        self._forget(newborn)
        self._recordings.discard(newborn.recording)
        _log.info("cgroup %s is not recorded: %s", newborn.birth.path, why)
        self._settle(newborn.birth)

    def _forget(self, newborn: _Newborn) -> None:
        del self._waiting[newborn.recording.slot.number, newborn.recording.ring.cookie]

    def _settle(self, birth: Birth) -> None:
        if self._events is not None:
            self._events.settle(birth.until)
