# SPDX-License-Identifier: Apache-2.0
"""The daemon's interface to the recorder: recordings of cgroups are begun, extended, read, stopped and given back.

With a keeper (`kept_fds`) a recorder outlives the daemon: the next daemon adopts it, finds its recordings by slot and
cookie, and exchanges the programs if its own differ. If the layout of rings or maps differs, the next daemon loads a
new recorder beside the old one.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from struct import Struct
from typing import Final

from traceloop_bpf import bpfcalls, losses
from traceloop_bpf.births import Birth, Births
from traceloop_bpf.cgroups import CgroupTable
from traceloop_bpf.geometry import Geometry
from traceloop_bpf.kept_fds import About, Keeper, KeptRecorder, NoKeeper, ring_name
from traceloop_bpf.loader import BIRTH_MAPS
from traceloop_bpf.losses import Losses
from traceloop_bpf.pool import RingPool, Slot, assemble
from traceloop_bpf.programs import Plan, Programs
from traceloop_bpf.ring import Ring
from traceloop_bpf.run_times import RunTime, measure
from traceloop_bpf.stock import NoStock, Stock
from traceloop_decode import layout

TAKE_TIMEOUT_S: Final = 1.0
_KEY: Final = Struct("<I")
_SHORT: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_FIRST_PID_NAMESPACE: Final = 0xEFFFFFFC  # PROC_PID_INIT_INO of include/linux/proc_ns.h


class AdoptionError(Exception):
    """A recorder that a former daemon left is incomplete. The message says what is missing."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A container's cgroups and the ring that records them. started_ns: CLOCK_BOOTTIME. tracer: its recorder."""

    slot: Slot
    started_ns: int
    tracer: Tracer

    @property
    def ring(self) -> Ring:
        """The recording's ring."""
        return self.slot.ring


def _sees_all_processes() -> bool:
    # In a pid namespace below the node's, process ids are not those that programs see.
    return Path("/proc/self/ns/pid").stat().st_ino == _FIRST_PID_NAMESPACE


class Tracer:
    """The programs in the kernel and the rings. Safe to use from several threads. `load` and `adopt` make one."""

    def __init__(
        self,
        programs: Programs,
        pool_size: int,
        keeper: Keeper,
        taken: Collection[Slot] = (),
        rest: Collection[Slot] = (),
        *,
        withheld: int = 0,
    ) -> None:
        """Starts the pool. taken, rest: an adopted recorder's rings that recordings use, and its other rings.

        withheld: the classes of memory (layout.CLASS_...) that a ring keeps out from a container's birth until
        `set_withheld`. births: None if the programs are of a version that had none.
        """
        self._programs, self._keeper, self._abandoned, self._withheld = programs, keeper, False, withheld
        self._cgroups = CgroupTable(*(programs.maps[name] for name in ("cgroups", "below", "cgroup_front")))
        has_births = programs.maps.keys() >= set(BIRTH_MAPS)
        self.births = Births(programs.maps["births"], programs.maps["shapes"]) if has_births else None
        self.pool = RingPool(
            programs.maps["rings"],
            self._cgroups,
            self.geometry,
            pool_size,
            stock=Stock(programs.maps["stock"]) if has_births else NoStock(),
            withheld=withheld,
            keeper=keeper,
            recorder=self.number,
            taken=taken,
        )
        self.pool.notes_capabilities = programs.records_capabilities
        if taken or rest:
            if self.births is not None and not pool_size:
                self.births.recognise(())
            self.pool.take_over(rest, taken, self._unclaimed)
        self.pool.start()

    def _unclaimed(self) -> set[tuple[int, int]]:
        if self.births is None:
            return set()
        found = {(birth.slot, birth.cookie) for birth in self.births.read()}
        self.births.again()
        return found

    @classmethod
    def load(cls, plan: Plan | None = None, keeper: Keeper | None = None, number: int = 0) -> Tracer:
        """Loads a new recorder. number: its number at the keeper. Raises LoadError, OSError."""
        plan, keeper = plan or Plan(), keeper or NoKeeper()
        return cls(Programs.load(number, plan, keeper), plan.pool_size, keeper, withheld=plan.withheld_at_birth)

    @classmethod
    def adopt(
        cls, kept: KeptRecorder, live: Collection[tuple[int, int]], plan: Plan, keeper: Keeper
    ) -> tuple[Tracer, dict[tuple[int, int], Slot]]:
        """Adopts a recorder in the kernel; also returns the slots of its live recordings, by slot and cookie.

        live: the recordings to find. All other rings go back to the pool. Raises AdoptionError; all descriptors are
        closed and dropped then.
        """
        try:
            programs = Programs.adopt(kept, keeper)
            rings = {number: Ring.adopt(programs.about.geometry, fd) for number, fd in kept.rings.items()}
            whole, parts = assemble(rings)
            claimed = {key: slot for slot in whole if (key := (slot.number, slot.ring.cookie)) in live}
            rest = [slot for slot in whole if slot not in claimed.values()] + parts
            fits = programs.about.layout == plan.about().layout  # otherwise it gets no new recordings
            size = plan.pool_size if fits else 0
            tracer = cls(programs, size, keeper, claimed.values(), rest, withheld=plan.withheld_at_birth)
            tracer._enter_first_processes(claimed.values())
        except (ValueError, TypeError, KeyError, OSError) as error:
            named = kept.named()
            keeper.drop(named)
            for fd in named.values():
                os.close(fd)
            raise AdoptionError(f"recorder {kept.number} of a former daemon cannot be adopted: {error!r}") from error
        return tracer, claimed

    @property
    def number(self) -> int:
        """Number of this recorder at the keeper."""
        return self._programs.number

    @property
    def about(self) -> About:
        """Description of the recorder's programs."""
        return self._programs.about

    @property
    def births_untold(self) -> int:
        """Number of births since the recorder was loaded that no daemon was told of, and that are not recorded."""
        return self.births.counts()[1] if self.births is not None and not self._abandoned else 0

    def losses(self) -> Losses:
        """Returns what the programs could not note, as a table was full, since they were loaded. Raises OSError."""
        fd = self._programs.maps.get(losses.MAP)
        return Losses() if fd is None or self._abandoned else losses.read(fd)

    @property
    def records_requests(self) -> bool:
        """True if the programs record requests of io_uring."""
        return self._programs.records_requests

    @property
    def records_capabilities(self) -> bool:
        """True if the programs record which capabilities are asked for."""
        return self._programs.records_capabilities

    @property
    def geometry(self) -> Geometry:
        """Sizes of the recorder's rings."""
        return self._programs.about.geometry

    def exchange(self, plan: Plan) -> None:
        """Replaces the recorder's programs by the plan's; see Programs.exchange."""
        self._programs.exchange(plan, self.pool.wait_for_programs)
        self.pool.notes_capabilities = self._programs.records_capabilities

    def run_times(self, wait: Callable[[], object]) -> list[RunTime]:
        """Measures how often the programs run while `wait` waits, and for how long. Raises NotTimed, OSError."""
        with self._programs.held() as programs:
            return measure(programs, wait)

    def record(
        self,
        cgroup_ids: Iterable[int],
        init_pid: int = 0,
        withheld: int = 0,
        ring_size: int = 0,
        *,
        by_runtime: bool = False,
        firsts_size: int | None = None,
        skipped: Collection[int] = (),
    ) -> Recording:
        """Starts recording these cgroups, and all cgroups made below them later, into one ring.

        cgroup_ids: the container's own first, then those below it; those beyond the container's share (cgroups.py) are
        left out and counted in its ring. init_pid: the process whose exit code is the container's; 0: none. withheld:
        the classes of memory (layout.CLASS_...) to keep out of the ring. ring_size: bytes of data, if more than the
        usual size is wanted: layout.PARTS_MAX times the usual size at most, and less if memory is short. by_runtime:
        init_pid is a container runtime's, until it executes the container's program. firsts_size: as in
        Ring.set_firsts_size; None: the usual size. skipped: as in Ring.set_skipped. Raises PoolError, OSError.
        """
        rings = max(1, -(-ring_size // self.geometry.ring_size))
        slot = self.pool.take(TAKE_TIMEOUT_S, min(1 << (rings - 1).bit_length(), layout.PARTS_MAX))
        recording = Recording(slot, time.clock_gettime_ns(time.CLOCK_BOOTTIME), self)
        try:
            if init_pid:
                slot.ring.set_init_pid(init_pid)
                self._cgroups.add_first(init_pid, slot.number)  # without a place it is not followed, no more
            if by_runtime and init_pid and "runtimes" in self._programs.maps and _sees_all_processes():
                slot.ring.set_apart(layout.APART_RING, 1)
                bpfcalls.update(self._programs.maps["runtimes"], _KEY.pack(init_pid), _KEY.pack(1))
            if withheld != self._withheld:
                slot.ring.set_withheld(withheld)
            if self.records_capabilities:
                slot.ring.set_notes_capabilities()
            if firsts_size is not None:
                slot.ring.set_firsts_size(firsts_size)
            if skipped:
                slot.ring.set_skipped(skipped)
            rest = iter(cgroup_ids)
            for cgroup_id in islice(rest, 1):
                self._cgroups.add(cgroup_id, slot.number)
            if left_out := self.extend(recording, rest):
                recording.ring.leave_out(left_out)
        except OSError:
            self.pool.give_back(slot)
            raise
        return recording

    def let_go(self, recording: Recording, init_pid: int) -> None:
        """Notes that the container's program runs: what `record` was told as `by_runtime` is over. Raises OSError."""
        bpfcalls.delete(self._programs.maps["runtimes"], _KEY.pack(init_pid))
        recording.ring.set_apart(layout.APART_AREA, 0)

    def born(self, birth: Birth) -> Recording | None:
        """Returns the recording that a program began at a container's birth; None if its ring is not waiting for that.

        The recording keeps out the classes of memory that the plan withholds at birth, until its ring is told others.
        """
        slot = self.pool.claim(birth.slot, birth.cookie)
        return Recording(slot, birth.at_ns, self) if slot is not None else None

    def begin_again(
        self, recording: Recording, cgroup_id: int, withheld: int, firsts_size: int | None = None
    ) -> Recording:
        """Records a container that was recorded from its birth into an empty ring, and gives the former one back.

        cgroup_id: its own. withheld, firsts_size: as `record` has them. Raises PoolError, OSError; the recording is
        then as it was.
        """
        former, headers = recording.slot, recording.ring.headers()
        slot = self.pool.take(TAKE_TIMEOUT_S)
        again = Recording(slot, time.clock_gettime_ns(time.CLOCK_BOOTTIME), self)
        try:
            slot.ring.set_withheld(withheld)
            if self.records_capabilities:
                slot.ring.set_notes_capabilities()
            if firsts_size is not None:
                slot.ring.set_firsts_size(firsts_size)
            slot.ring.set_born(recording.ring.born(), slot.number)
            slot.ring.set_apart(*recording.ring.apart())
            if headers.init_pid and not headers.exited:
                self.set_first(again, headers.init_pid)
            if self._cgroups.slot_of(cgroup_id) == former.number:  # else it was removed
                self._cgroups.add(cgroup_id, slot.number)
            self._cgroups.add_below(self._cgroups.ids(former.number), slot.number)
        except OSError:
            self.pool.give_back(slot)
            raise
        self.give_back(recording)
        return again

    def enlarge(self, recording: Recording, ring_size: int) -> Recording:
        """Joins further rings to a recording that has just begun; returns it with the ring that it has then.

        ring_size: as `record` has it; the ring stays as it is if it was half filled already. Raises PoolError, OSError.
        """
        rings = max(1, -(-ring_size // self.geometry.ring_size))
        slot = self.pool.enlarge(recording.slot, TAKE_TIMEOUT_S, min(1 << (rings - 1).bit_length(), layout.PARTS_MAX))
        return Recording(slot, recording.started_ns, self)

    def set_first(self, recording: Recording, pid: int) -> None:
        """Sets the process whose exit code is the container's, unless programs have found it. Raises OSError."""
        if not recording.ring.headers().init_pid:
            recording.ring.set_init_pid(pid)
            self._cgroups.add_first(pid, recording.slot.number)

    def extend(self, recording: Recording, cgroup_ids: Iterable[int]) -> int:
        """Records more cgroups below the container's own; returns how many are left out. Raises OSError."""
        return self._cgroups.add_below(cgroup_ids, recording.slot.number)

    def trouble(self) -> str:
        """Returns what another program did to the recorder that prevents recording; empty if nothing.

        Must not be called during `exchange`.
        """
        try:
            return self._programs.trouble()
        except OSError as error:
            if error.errno in _SHORT:  # this process's trouble, not the recorder's
                return ""
            return f"one of its descriptors was closed: {error}"

    def abandon(self) -> None:
        """Removes the programs from the kernel without changing a map. The recordings' rings stay readable.

        So do `births`, which whoever reads them closes. Afterwards only `stop`, `give_back` and `close` may be called.
        """
        self._abandoned = True
        self._keeper.drop(self._programs.fds())
        self.pool.abandon()
        self._cgroups.close()
        self._programs.close()

    def stop(self, recording: Recording) -> None:
        """Stops recording the cgroups, including children that programs inserted. The ring stays readable."""
        if self._abandoned:
            return
        self._cgroups.end(recording.slot.number)

    def _enter_first_processes(self, slots: Iterable[Slot]) -> None:
        # A recorder of an older version knows them by their rings alone.
        for slot in slots:
            headers = slot.ring.headers()
            if headers.init_pid and not headers.exited:
                self._cgroups.add_first(headers.init_pid, slot.number)

    def is_recorded(self, cgroup_id: int) -> bool:
        """Returns whether a cgroup is recorded into any ring."""
        return self._cgroups.slot_of(cgroup_id) is not None

    def slot_of(self, cgroup_id: int) -> int | None:
        """Returns the number of the slot that a cgroup is recorded into, or None."""
        return self._cgroups.slot_of(cgroup_id)

    def records(self, recording: Recording, cgroup_id: int) -> bool:
        """Returns whether a cgroup is recorded into this recording's ring."""
        return self._cgroups.slot_of(cgroup_id) == recording.slot.number

    def tidy(self) -> None:
        """Makes look-ups of cgroups that are not recorded fast again, if programs left many of them to the hashes."""
        self._cgroups.tidy()

    def give_back(self, recording: Recording) -> None:
        """Gives the recording's ring back to the pool."""
        self.pool.give_back(recording.slot)

    def close(self) -> None:
        """Closes programs, maps and all rings except those of recordings that are not given back.

        The kernel frees whatever no keeper holds.
        """
        if not self._abandoned:
            self._close()

    def remove(self) -> None:
        """Waits until all recordings are given back, closes the recorder, and drops its descriptors from the keeper."""
        self.pool.wait_returned()
        names = [*self._programs.fds(), *(ring_name(self.number, slot.number) for slot in self._close())]
        self._keeper.drop(names)

    def _close(self) -> list[Slot]:
        stock = self.pool.close()
        self._cgroups.close()
        if self.births is not None:
            self.births.close()
        self._programs.close()
        return stock
