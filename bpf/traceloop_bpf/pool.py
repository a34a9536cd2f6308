# SPDX-License-Identifier: Apache-2.0
"""The slots of the kernel's map of rings, and a stock of empty rings in them that a thread refills.

Theory of operation. A change to a map of maps waits for an RCU grace period, some 12 ms: too long for a container
that waits to start. So the rings in `ready` are in their slots already, and taking one costs nothing. Their slots are
in a queue in the kernel (`stock`), from which programs take, too: a container's cgroup is recorded when it is made, and
an event tells which slot it has (`births`). Until that event is read, the slot counts as ready, or, if the queue is
found empty, as `away`. A slot that is given back goes through `used`: its ring is removed from the map, which waits
until no program can still write to the ring; the cgroups that a program inserted for the slot in the meantime are
deleted; only then does the slot get another ring::

    free -> (new ring, kept, RCU wait) -> ready -> taken -> used -> (ring out, RCU wait, sweep, dropped) -> free
                                            `-> (a program took it) away -> (claimed) taken

A larger ring consists of several rings of the stock that are joined: the programs find the others by the first one's
header. So the first one is cleared before the others, and none of the others is reused while a program can find it.

The keeper (`kept_fds`) holds each ring from before a program can find it until no program can. So the next daemon after
one that died knows all rings in use.

A ring is created only if there is room for it (`memory`). If there is none, the caller gets an error at once, and the
next call checks again.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from struct import Struct
from typing import Final

from traceloop_bpf import bpfcalls
from traceloop_bpf.cgroups import CgroupTable
from traceloop_bpf.geometry import Geometry
from traceloop_bpf.kept_fds import Keeper, ring_name
from traceloop_bpf.loader import SLOTS
from traceloop_bpf.memory import Memory, Room
from traceloop_bpf.ring import Ring
from traceloop_bpf.stock import NoStock, Stock

_KEY: Final = Struct("<I")
_LULL_S: Final = 0.005
_log = logging.getLogger(__name__)


class PoolError(Exception):
    """The pool can give out no ring. The message says why."""


class MemoryShort(PoolError):
    """Memory has no room for another ring."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in the map of rings, and the ring in it. joined: the slots whose rings continue this ring's data."""

    number: int
    ring: Ring
    joined: tuple[Slot, ...] = ()

    def __iter__(self) -> Iterator[Slot]:
        yield self
        yield from self.joined


def assemble(rings: Mapping[int, Ring]) -> tuple[list[Slot], list[Slot]]:
    """Returns the slots of a former daemon's pool: the whole ones, and the parts of incomplete joined rings."""
    whole, parts = [], set(rings)
    for number, ring in rings.items():
        joined = ring.joined()
        if joined is not None and rings.keys() >= set(joined):
            ring.rejoin(rings)
            whole.append(Slot(number, ring, tuple(Slot(other, rings[other]) for other in joined)))
            parts -= {number, *joined}
    return whole, [Slot(number, rings[number]) for number in parts]


@dataclass(frozen=True, slots=True)
class PoolUsage:
    """The number of rings by state. in_use: taken, or given back and not cleared yet. ring_bytes: size of each.

    wanted: how many are to be in stock.
    """

    in_use: int
    in_stock: int
    ring_bytes: int
    wanted: int = 0


class RingPool:
    """A stock of empty rings, ready for use."""

    def __init__(
        self,
        rings_fd: int,
        cgroups: CgroupTable,
        geometry: Geometry,
        size: int,
        *,
        stock: Stock | NoStock,
        withheld: int,
        keeper: Keeper,
        recorder: int,
        taken: Collection[Slot] = (),
    ) -> None:
        """Prepares the pool; `start` starts its thread.

        size: how many rings are to be ready. withheld: the classes of memory that rings in stock keep out. recorder:
        the recorder's number, which is part of the rings' names. taken: the slots of a former daemon's pool that
        recordings use.
        """
        self._fd, self._cgroups, self._geometry, self._size = rings_fd, cgroups, geometry, size
        self._stock, self._withheld = stock, withheld
        self._keeper, self._recorder = keeper, recorder
        self._memory = Memory()
        self._out = sum(1 for slot in taken for _ in slot)
        self._ready: dict[int, Slot] = {}
        self._away: dict[int, Slot] = {}
        self._used: deque[Slot] = deque()
        held = {one.number for slot in taken for one in slot}
        self._free = deque(number for number in range(1, SLOTS) if number not in held)
        self._wanted = 0
        self.notes_capabilities = False  # of the rings that are created from now on
        self._changed = threading.Condition()
        self._closing = self._abandoned = False
        self._failure: OSError | MemoryShort | None = None
        self._thread = threading.Thread(target=self._run, name="ring-pool", daemon=True)

    def start(self) -> None:
        """Starts the thread, which fills the stock."""
        self._thread.start()

    def take_over(
        self, rest: Collection[Slot], taken: Collection[Slot], born: Callable[[], Collection[tuple[int, int]]]
    ) -> None:
        """Sorts the other slots of a former daemon's pool, before `start`. Raises OSError.

        born: returns the slots and cookies of the rings that programs took and that no daemon has claimed.
        """
        fresh = {slot.number: slot for slot in rest if self._is_fresh(slot)} if self._size else {}
        ready = self._stock.sift(fresh.keys())
        self.wait_for_programs()  # a program that took a slot before has told so then
        claimable = born() if self._size else ()
        told = [slot for slot in rest if (slot.number, slot.ring.cookie) in claimable]
        self._away = {slot.number: slot for slot in told if slot.ring.born()}  # else it was given back
        for number in fresh.keys() - self._away.keys():
            self._ready[number] = fresh[number]
            if number not in ready:
                self._stock.push(number)
        used = [slot for slot in rest if slot.number not in self._ready and slot.number not in self._away]
        self._used = deque(sorted(used, key=lambda slot: slot.ring.joined() is None))
        while len(self._ready) > self._size and (slot := self._pop()) is not None:
            self._used.append(slot)
        held = {one.number for slot in rest for one in slot}
        self._free = deque(number for number in self._free if number not in held)
        for number in self._cgroups.slots() - {slot.number for slot in taken} - self._away.keys() - self._ready.keys():
            self._cgroups.sweep(number)  # before the thread starts, so that no program finds a ring that is used

    def resize(self, size: int) -> None:
        """Changes how many rings are to be ready. Those beyond are freed."""
        with self._changed:
            self._size = size
            while len(self._ready) > size and (slot := self._pop()) is not None:
                self._used.append(slot)
            self._changed.notify_all()

    def fill(self, timeout_s: float) -> None:
        """Waits until the stock is full, or cannot be filled, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: not self._missing(), timeout_s)

    def holds(self, slot: Slot) -> bool:
        """Returns whether programs find this ring in this slot."""
        found = bpfcalls.lookup(self._fd, _KEY.pack(slot.number), _KEY.size)
        return found == _KEY.pack(bpfcalls.map_info(slot.ring.fd).id)

    def _is_fresh(self, slot: Slot) -> bool:
        unused = slot.ring.is_unused(self._withheld) and slot.ring.joined() == ()
        return unused and not self._cgroups.ids(slot.number) and self.holds(slot)

    def claim(self, number: int, cookie: int) -> Slot | None:
        """Returns the slot that a program took, and begins to refill the stock; None if the slot has another ring."""
        with self._changed:
            slot = self._ready.get(number) or self._away.get(number)
            if slot is None or slot.ring.cookie != cookie:
                return None
            self._ready.pop(number, None)
            self._away.pop(number, None)
            self._out += 1
            self._changed.notify_all()
            return slot

    def refill(self) -> None:
        """Refills the stock at once if programs have taken all of it. To be called if a program found none."""
        with self._changed:
            slot = self._pop()
            if slot is not None:
                self._put(slot)
            self._changed.notify_all()

    def take(self, timeout_s: float, count: int = 1) -> Slot:
        """Takes an empty ring in its slot, at once if one is ready. Raises PoolError after `timeout_s`.

        count: how many rings are joined into it, a power of two; fewer are used if not enough are available.
        """
        taken: list[Slot] = []

        def is_done() -> bool:
            while len(taken) < count and (slot := self._pop()) is not None:
                taken.append(slot)
            self._wanted = count - len(taken)
            return not self._wanted or self._failure is not None

        with self._changed:
            self._wanted = count
            self._failure = None  # there may be memory now
            self._changed.notify_all()
            if not is_done():
                self._changed.notify_all()
                self._changed.wait_for(is_done, timeout_s)
            self._wanted = 0
            failure, self._failure = self._failure, None
            self._changed.notify_all()
            if not taken:
                reason = failure or f"none became free within {timeout_s:g} s"
                kind = MemoryShort if isinstance(failure, MemoryShort) else PoolError
                raise kind(f"no ring of {self._geometry.value_size} bytes: {reason}")
            while count > len(taken):
                count //= 2
            for slot in taken[count:]:
                self._put(slot)
            first, *others = taken[:count]
            self._out += count
        slot = Slot(first.number, first.ring, tuple(others))
        if others:
            try:
                first.ring.join(first.number, {other.number: other.ring for other in others})
            except OSError as error:  # no room to map them
                self.give_back(slot)  # not into the stock: some headers may already say that the rings are joined
                raise PoolError(f"{count} rings could not be joined: {error}") from error
        return slot

    def enlarge(self, slot: Slot, timeout_s: float, count: int) -> Slot:
        """Joins more rings to one that is in use but hardly filled; returns the slot with all, `count` at most.

        Raises PoolError, OSError.
        """
        # As long as no position is beyond the first ring, it does not matter how many follow.
        if slot.joined or count < 2 or slot.ring.headers().head > self._geometry.ring_size // 2:
            return slot
        others: list[Slot] = []
        with suppress(PoolError):
            while len(others) < count - 1:
                others.append(self.take(timeout_s))
        while count > 1 + len(others):
            count //= 2
        for other in others[count - 1 :]:
            self.give_back(other)
        others = others[: count - 1]
        if others:
            slot.ring.join(slot.number, {other.number: other.ring for other in others})
        return Slot(slot.number, slot.ring, tuple(others))

    def _pop(self) -> Slot | None:
        number = self._stock.pop()
        if number is None:  # what counts as ready was taken by programs, whose events are on their way
            self._away.update(self._ready)
            self._ready.clear()
            return None
        return self._ready.pop(number)

    def _put(self, slot: Slot) -> None:
        self._ready[slot.number] = slot
        self._stock.push(slot.number)

    def give_back(self, slot: Slot) -> None:
        """Gives a slot back whose ring is no longer needed. Its cgroups should be removed before.

        No later daemon takes it for that of a container that was born, although the event may not be settled yet.
        """
        try:
            slot.ring.set_born(0, slot.number)
        except OSError as error:  # no room to map it; it is cleared in a moment
            _log.warning("a daemon that is started now lists the container of slot %d twice: %s", slot.number, error)
        with self._changed:
            self._out -= 1 + len(slot.joined)
            if not self._abandoned:
                self._used.append(slot)
                self._changed.notify_all()
                return
        self._let_go(slot)

    def abandon(self) -> None:
        """Closes the pool because the kernel's map accepts no changes. Rings given back later are freed at once."""
        stock = self.close()
        with self._changed:
            self._abandoned = True
        self._keeper.drop([ring_name(self._recorder, slot.number) for slot in stock])

    def _let_go(self, slots: Iterable[Slot]) -> None:
        for slot in slots:
            self._keeper.drop([ring_name(self._recorder, slot.number)])
            slot.ring.close()

    def wait_returned(self) -> None:
        """Waits until all rings that were taken are given back and cleared."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or not (self._out or self._used or self._away))

    def wait_for_programs(self) -> None:
        """Waits until every program that is running now has returned. Raises OSError."""
        # A change to a map of maps waits for exactly that. No cgroup uses slot 0.
        ring = Ring.create(self._geometry)
        try:
            bpfcalls.update(self._fd, _KEY.pack(0), _KEY.pack(ring.fd))
            bpfcalls.delete(self._fd, _KEY.pack(0))
        finally:
            ring.close()

    def wait_idle(self) -> None:
        """Waits until the stock is full and all rings given back are cleared."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or (not self._used and len(self._ready) >= self._size))

    def usage(self) -> PoolUsage:
        """Returns the current number of rings by state."""
        with self._changed:
            if self._closing:
                return PoolUsage(0, 0, 0)
            in_use = self._out + len(self._away) + sum(1 for slot in self._used for _ in slot)
            return PoolUsage(in_use, len(self._ready), self._geometry.value_size, self._size)

    def room(self) -> Room:
        """Returns how much memory further rings may take. Raises OSError."""
        usage = self.usage()
        return self._memory.room((usage.in_use + usage.in_stock) * usage.ring_bytes)

    def close(self) -> list[Slot]:
        """Ends the thread, closes the rings in stock and returns their slots. Rings that are taken stay open."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        stock = [*self._ready.values(), *self._away.values(), *(one for slot in self._used for one in slot)]
        for slot in stock:
            slot.ring.close()
        return stock

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._used or self._missing())
                if not self._used:
                    # A container is being registered: while there is stock, leave the interpreter to that.
                    self._changed.wait_for(lambda: self._closing or self._used or self._is_waited_for(), _LULL_S)
                if self._closing:
                    return
                missing = self._missing()
                used = self._used[0] if self._used and not (missing and self._is_waited_for()) else None
            if used is not None:
                self._clear_or_leave(used)
            elif missing:
                self._refill(missing)

    def _missing(self) -> int:
        wanted = max(self._size, self._wanted) - len(self._ready)
        return max(0, min(wanted, len(self._free))) if not self._failure else 0

    def _is_waited_for(self) -> bool:
        return len(self._ready) < max(1, self._wanted)

    def _clear_or_leave(self, slot: Slot) -> None:
        try:
            self._clear(slot)
        except OSError as error:  # programs may still find the ring, so it must not be reused
            _log.error("the ring in slot %d stays in the kernel until traceloopd is restarted: %s", slot.number, error)
            with self._changed:
                self._used.popleft()
                self._changed.notify_all()

    def _clear(self, slot: Slot) -> None:
        self._cgroups.sweep(slot.number)
        bpfcalls.delete(self._fd, _KEY.pack(slot.number))
        self._cgroups.sweep(slot.number)  # again: a program at a mkdir may have inserted a cgroup
        self._keeper.drop([ring_name(self._recorder, slot.number)])
        slot.ring.close()
        with self._changed:
            self._used.popleft()
            self._used.extendleft(slot.joined)
            self._free.appendleft(slot.number)
            self._failure = None  # the ring's memory is free now
            self._changed.notify_all()

    def _created(self) -> Ring:
        ring = Ring.create(self._geometry)
        try:
            ring.set_withheld(self._withheld)
            if self.notes_capabilities:
                ring.set_notes_capabilities()
        except OSError:  # no room to map it
            ring.close()
            raise
        return ring

    def _refill(self, missing: int) -> None:
        slots: list[Slot] = []
        failure: OSError | MemoryShort | None = None
        try:
            room = self.room()
            fit = min(missing, room.left_bytes // self._geometry.value_size)
            if fit < missing:
                failure = MemoryShort(str(room))
            while len(slots) < fit:
                slots.append(Slot(self._free[len(slots)], self._created()))
        except OSError as error:  # no memory: `take` reports it, and the next `take` makes the thread retry
            failure = error
        try:
            if slots:  # one RCU wait for all slots
                self._keeper.keep({ring_name(self._recorder, slot.number): slot.ring.fd for slot in slots})
                bpfcalls.update_all(self._fd, [(_KEY.pack(slot.number), _KEY.pack(slot.ring.fd)) for slot in slots])
        except OSError as error:
            failure = error
            self._keeper.drop([ring_name(self._recorder, slot.number) for slot in slots])
            while slots:
                slots.pop().ring.close()
        with self._changed:
            for slot in slots:
                self._free.popleft()
                self._put(slot)
            self._failure = failure
            self._changed.notify_all()
