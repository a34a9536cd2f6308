# SPDX-License-Identifier: Apache-2.0
"""The recorder as the daemon sees it: recordings of cgroups, begun, extended, read, stopped and given back.

It outlives the daemon where there is a keeper (`kept_fds`): the next daemon adopts it, finds its recordings again by
slot and cookie, and exchanges the programs if its own are others. Where the layout of rings or maps is another, it
loads a recorder of its own beside the old one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from traceloop_bpf.cgroups import CgroupTable
from traceloop_bpf.geometry import Geometry
from traceloop_bpf.kept_fds import About, Keeper, KeptRecorder, NoKeeper, ring_name
from traceloop_bpf.pool import RingPool, Slot, assemble
from traceloop_bpf.programs import Plan, Programs
from traceloop_bpf.ring import Ring
from traceloop_bpf.run_times import RunTime, measure
from traceloop_decode import layout

TAKE_TIMEOUT_S: Final = 1.0


class AdoptionError(Exception):
    """What a former daemon left is not whole. The message says what is missing."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A container's cgroups, and the ring that their calls go to. started_ns: CLOCK_BOOTTIME. tracer: whose it is."""

    slot: Slot
    started_ns: int
    tracer: Tracer

    @property
    def ring(self) -> Ring:
        """The recording's ring."""
        return self.slot.ring


class Tracer:
    """The programs in the kernel, and the rings. Safe to use from several threads. `load` and `adopt` make one."""

    def __init__(
        self,
        programs: Programs,
        pool_size: int,
        keeper: Keeper,
        taken: Collection[Slot] = (),
        rest: Iterable[Slot] = (),
    ) -> None:
        """taken, rest: the rings of an adopted one, those of its recordings and the others."""
        self._programs, self._keeper, self._abandoned = programs, keeper, False
        self._cgroups = CgroupTable(*(programs.maps[name] for name in ("cgroups", "below", "cgroup_front")))
        self.pool = RingPool(
            programs.maps["rings"],
            self._cgroups,
            self.geometry,
            pool_size,
            keeper=keeper,
            recorder=self.number,
            taken=taken,
            rest=rest,
        )

    @classmethod
    def load(cls, plan: Plan | None = None, keeper: Keeper | None = None, number: int = 0) -> Tracer:
        """A new one. number: among those kept. Raises LoadError, OSError."""
        plan, keeper = plan or Plan(), keeper or NoKeeper()
        return cls(Programs.load(number, plan, keeper), plan.pool_size, keeper)

    @classmethod
    def adopt(
        cls, kept: KeptRecorder, live: Collection[tuple[int, int]], plan: Plan, keeper: Keeper
    ) -> tuple[Tracer, dict[tuple[int, int], Slot]]:
        """One that goes on in the kernel, and by slot and cookie those of its recordings that are asked for.

        What else it has is given back. Raises AdoptionError; all descriptors are closed then, and dropped.
        """
        try:
            programs = Programs.adopt(kept, keeper)
            rings = {number: Ring.adopt(programs.about.geometry, fd) for number, fd in kept.rings.items()}
            whole, parts = assemble(rings)
            claimed = {key: slot for slot in whole if (key := (slot.number, slot.ring.cookie)) in live}
            rest = [slot for slot in whole if slot not in claimed.values()] + parts
            fits = programs.about.layout == plan.about().layout  # else it gets no new recordings
            return cls(programs, plan.pool_size if fits else 0, keeper, claimed.values(), rest), claimed
        except (ValueError, TypeError, KeyError, OSError) as error:
            named = kept.named()
            keeper.drop(named)
            for fd in named.values():
                os.close(fd)
            raise AdoptionError(f"recorder {kept.number} that a former daemon left: {error!r}") from error

    @property
    def number(self) -> int:
        """Of this recorder, among those kept."""
        return self._programs.number

    @property
    def about(self) -> About:
        """What its programs are."""
        return self._programs.about

    @property
    def geometry(self) -> Geometry:
        """The sizes of its rings."""
        return self._programs.about.geometry

    def exchange(self, plan: Plan) -> None:
        """Puts the plan's programs in the place of those that record; see Programs.exchange."""
        self._programs.exchange(plan, self.pool.wait_for_programs)

    def run_times(self, wait: Callable[[], object]) -> list[RunTime]:
        """How often the programs run while `wait` waits, and how long. Raises NotTimed, OSError."""
        with self._programs.held() as programs:
            return measure(programs, wait)

    def record(self, cgroup_ids: Iterable[int], init_pid: int = 0, withheld: int = 0, ring_size: int = 0) -> Recording:
        """Records these cgroups and all that are made below them, from now on, into one ring.

        cgroup_ids: the container's own first, then those below it, of which those beyond its share (cgroups.py) are
        left out; its ring counts them. init_pid: the process whose exit code is the container's; 0: none. withheld:
        the classes of memory (layout.CLASS_...) that are kept out of the ring. ring_size: bytes of data, where it is
        to have more than others: layout.PARTS_MAX times as much at most, and less where memory is short.
        Raises PoolError, OSError.
        """
        rings = max(1, -(-ring_size // self.geometry.ring_size))
        slot = self.pool.take(TAKE_TIMEOUT_S, min(1 << (rings - 1).bit_length(), layout.PARTS_MAX))
        recording = Recording(slot, time.clock_gettime_ns(time.CLOCK_BOOTTIME), self)
        try:
            if init_pid:
                slot.ring.set_init_pid(init_pid)
            if withheld:
                slot.ring.set_withheld(withheld)
            rest = iter(cgroup_ids)
            for cgroup_id in islice(rest, 1):
                self._cgroups.add(cgroup_id, slot.number)
            if left_out := self.extend(recording, rest):
                recording.ring.leave_out(left_out)
        except OSError:
            self.pool.give_back(slot)
            raise
        return recording

    def extend(self, recording: Recording, cgroup_ids: Iterable[int]) -> int:
        """Records more cgroups below the container's own into its ring; how many are left out. Raises OSError."""
        return self._cgroups.add_below(cgroup_ids, recording.slot.number)

    def trouble(self) -> str:
        """What someone did to it in the kernel, so that it is of no use; empty: nothing. Not during `exchange`."""
        try:
            return self._programs.trouble()
        except OSError as error:
            return f"a descriptor of it was closed: {error}"

    def abandon(self) -> None:
        """Takes the programs out of the kernel, which change no map for it. The rings of recordings stay to be read.

        Afterwards only `stop`, `give_back` and `close` may be called.
        """
        self._abandoned = True
        self._keeper.drop(self._programs.fds())
        self.pool.abandon()
        self._cgroups.close()
        self._programs.close()

    def stop(self, recording: Recording) -> None:
        """Ends the recording of its cgroups, children that the kernel entered too; the ring stays to be read."""
        if self._abandoned:
            return
        self._cgroups.remove(self._cgroups.ids(recording.slot.number))

    def is_recorded(self, cgroup_id: int) -> bool:
        """Whether a cgroup's calls go into some ring."""
        return self._cgroups.slot_of(cgroup_id) is not None

    def records(self, recording: Recording, cgroup_id: int) -> bool:
        """Whether a cgroup's calls go into this recording's ring."""
        return self._cgroups.slot_of(cgroup_id) == recording.slot.number

    def tidy(self) -> None:
        """Makes look-ups of cgroups that are not recorded quick again, where programs have left many to the hashes."""
        self._cgroups.tidy()

    def give_back(self, recording: Recording) -> None:
        """The ring is not needed any more."""
        self.pool.give_back(recording.slot)

    def close(self) -> None:
        """Lets go of programs and maps, and of all rings but those of recordings not given back.

        What no keeper has leaves the kernel.
        """
        if not self._abandoned:
            self._close()

    def remove(self) -> None:
        """Closes it, once all its recordings are given back, and has the keeper let go too."""
        self.pool.wait_returned()
        names = [*self._programs.fds(), *(ring_name(self.number, slot.number) for slot in self._close())]
        self._keeper.drop(names)

    def _close(self) -> list[Slot]:
        stock = self.pool.close()
        self._cgroups.close()
        self._programs.close()
        return stock
