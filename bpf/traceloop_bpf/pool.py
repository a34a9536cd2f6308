# SPDX-License-Identifier: Apache-2.0
"""The slots of the kernel's map of rings, and a stock of empty rings in them that a thread of its own keeps up.

Theory of operation. A change to a map of maps waits for an RCU grace period, some 12 ms: too long for a container
that waits to start. So the rings that wait in `ready` are in their slots already, and taking one costs nothing. Given
back, a slot goes through `used`: its ring is taken out, which waits until no program can still be writing to it; the
cgroups that a program entered for it meanwhile are swept; only then does it get another ring::

    free -> (new ring, kept, RCU wait) -> ready -> taken -> used -> (ring out, RCU wait, sweep, dropped) -> free

A larger ring is several of the stock, joined: the programs find the others by the first one's header. So the first
goes before the others, and none of them serves anybody else while it can be found.

Each ring is with the keeper (`kept_fds`) before a program can find it, and until none can any more. So a daemon that
follows one that died knows all rings that are in use.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Final

from traceloop_bpf import bpfcalls
from traceloop_bpf.cgroups import CgroupTable
from traceloop_bpf.geometry import Geometry
from traceloop_bpf.kept_fds import Keeper, ring_name
from traceloop_bpf.loader import SLOTS
from traceloop_bpf.ring import Ring

_KEY: Final = Struct("<I")
_LULL_S: Final = 0.005
_log = logging.getLogger(__name__)


class PoolError(Exception):
    """No ring is to be had. The message says why."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in the map of rings, and the ring that lies there. joined: those that its ring's data go on in."""

    number: int
    ring: Ring
    joined: tuple[Slot, ...] = ()

    def __iter__(self) -> Iterator[Slot]:
        yield self
        yield from self.joined


def assemble(rings: Mapping[int, Ring]) -> tuple[list[Slot], list[Slot]]:
    """The slots of a former daemon's pool: those that are whole, and rings without what they are joined with."""
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
    """How many rings there are. in_use: taken, or given back and not cleared away yet."""

    in_use: int
    in_stock: int
    ring_bytes: int


class RingPool:
    """A stock of `size` empty rings, ready for use."""

    def __init__(
        self,
        rings_fd: int,
        cgroups: CgroupTable,
        geometry: Geometry,
        size: int,
        *,
        keeper: Keeper,
        recorder: int,
        taken: Iterable[Slot] = (),
        rest: Iterable[Slot] = (),
    ) -> None:
        """recorder: its number, in the rings' names. taken, rest: what a former daemon's pool gave out, had left."""
        self._fd, self._cgroups, self._geometry, self._size = rings_fd, cgroups, geometry, size
        self._keeper, self._recorder = keeper, recorder
        taken, rest = list(taken), list(rest)
        self._out = sum(1 for slot in taken for _ in slot)
        self._ready: deque[Slot] = deque(slot for slot in rest if self._is_fresh(slot))
        used = [slot for slot in rest if slot not in self._ready]
        self._used: deque[Slot] = deque(sorted(used, key=lambda slot: slot.ring.joined() is None))
        held = {one.number for slot in (*taken, *rest) for one in slot}
        self._free = deque(number for number in range(1, SLOTS) if number not in held)
        for number in cgroups.slots() - {slot.number for slot in taken}:
            cgroups.sweep(number)  # first: none of the rest is found any more
        self._wanted = 0
        self._changed = threading.Condition()
        self._closing = self._abandoned = False
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="ring-pool", daemon=True)
        self._thread.start()

    def holds(self, slot: Slot) -> bool:
        """Whether programs find this ring in this slot."""
        found = bpfcalls.lookup(self._fd, _KEY.pack(slot.number), _KEY.size)
        return found == _KEY.pack(bpfcalls.map_info(slot.ring.fd).id)

    def _is_fresh(self, slot: Slot) -> bool:
        unused = not slot.ring.headers().head and slot.ring.joined() == ()
        return unused and not self._cgroups.ids(slot.number) and self.holds(slot)

    def take(self, timeout_s: float, count: int = 1) -> Slot:
        """An empty ring in its slot, at once where one is ready; of `count` joined ones, a power of two, or fewer where
        that many are not to be had. Raises PoolError after `timeout_s`.
        """
        with self._changed:
            self._wanted = count
            self._changed.notify_all()
            self._changed.wait_for(lambda: len(self._ready) >= count or self._failure, timeout_s)
            self._wanted = 0
            failure, self._failure = self._failure, None
            self._changed.notify_all()
            if not self._ready:
                reason = failure or f"none became free within {timeout_s:g} s"
                raise PoolError(f"no ring of {self._geometry.value_size} bytes: {reason}")
            while count > len(self._ready):
                count //= 2
            first, *others = (self._ready.popleft() for _ in range(count))
            self._out += count
        slot = Slot(first.number, first.ring, tuple(others))
        if others:
            try:
                first.ring.join(first.number, {other.number: other.ring for other in others})
            except OSError as error:  # no room to map them
                self.give_back(slot)  # not into the stock: some of them may say that they are joined
                raise PoolError(f"{count} rings could not be joined: {error}") from error
        return slot

    def give_back(self, slot: Slot) -> None:
        """The slot's ring is not needed any more. Its cgroups should be removed already."""
        with self._changed:
            self._out -= 1 + len(slot.joined)
            if not self._abandoned:
                self._used.append(slot)
                self._changed.notify_all()
                return
        self._let_go(slot)

    def abandon(self) -> None:
        """Ends its work: the map takes no change any more. Rings that are given back go at once."""
        stock = self.close()
        with self._changed:
            self._abandoned = True
        self._keeper.drop([ring_name(self._recorder, slot.number) for slot in stock])

    def _let_go(self, slots: Iterable[Slot]) -> None:
        for slot in slots:
            self._keeper.drop([ring_name(self._recorder, slot.number)])
            slot.ring.close()

    def wait_returned(self) -> None:
        """Until all rings that were taken are given back, and nothing is left to do with them."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or not (self._out or self._used))

    def wait_for_programs(self) -> None:
        """Until every program that runs now has ended. Raises OSError."""
        # A change to a map of maps waits for that. No cgroup has slot 0.
        ring = Ring.create(self._geometry)
        try:
            bpfcalls.update(self._fd, _KEY.pack(0), _KEY.pack(ring.fd))
            bpfcalls.delete(self._fd, _KEY.pack(0))
        finally:
            ring.close()

    def wait_idle(self) -> None:
        """Until the stock is full and nothing given back is left to do."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or (not self._used and len(self._ready) >= self._size))

    def usage(self) -> PoolUsage:
        """How many rings there are now."""
        with self._changed:
            if self._closing:
                return PoolUsage(0, 0, 0)
            in_use = self._out + sum(1 for slot in self._used for _ in slot)
            return PoolUsage(in_use, len(self._ready), self._geometry.value_size)

    def close(self) -> list[Slot]:
        """Ends the thread and closes the rings in stock, which it returns. Rings that are taken stay their owners'."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        stock = [*self._ready, *(one for slot in self._used for one in slot)]
        for slot in stock:
            slot.ring.close()
        return stock

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._used or self._missing())
                if not self._used:
                    # A container is being registered: leave it the interpreter, as long as there is stock.
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
        except OSError as error:  # programs may find it still, so nobody gets it again
            _log.error("the ring in slot %d stays in the kernel until traceloopd is restarted: %s", slot.number, error)
            with self._changed:
                self._used.popleft()
                self._changed.notify_all()

    def _clear(self, slot: Slot) -> None:
        self._cgroups.sweep(slot.number)
        bpfcalls.delete(self._fd, _KEY.pack(slot.number))
        self._cgroups.sweep(slot.number)  # what a mkdir in flight had entered
        self._keeper.drop([ring_name(self._recorder, slot.number)])
        slot.ring.close()
        with self._changed:
            self._used.popleft()
            self._used.extendleft(slot.joined)
            self._free.appendleft(slot.number)
            self._changed.notify_all()

    def _refill(self, missing: int) -> None:
        slots: list[Slot] = []
        failure = None
        try:
            while len(slots) < missing:
                slots.append(Slot(self._free[len(slots)], Ring.create(self._geometry)))
        except OSError as error:  # no memory: told to whoever asks, who makes it try again
            failure = error
        try:
            if slots:  # one RCU wait for all of them
                self._keeper.keep({ring_name(self._recorder, slot.number): slot.ring.fd for slot in slots})
                bpfcalls.update_all(self._fd, [(_KEY.pack(slot.number), _KEY.pack(slot.ring.fd)) for slot in slots])
        except OSError as error:
            failure = error
            self._keeper.drop([ring_name(self._recorder, slot.number) for slot in slots])
            while slots:
                slots.pop().ring.close()
        with self._changed:
            for _ in slots:
                self._free.popleft()
            self._ready += slots
            self._failure = failure
            self._changed.notify_all()
