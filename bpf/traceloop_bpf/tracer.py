# SPDX-License-Identifier: Apache-2.0
"""The recorder as the daemon sees it: recordings of cgroups, begun, extended, read, stopped and given back."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct
from typing import Final

from traceloop_bpf import bpfcalls
from traceloop_bpf.cgroups import CgroupTable
from traceloop_bpf.geometry import Geometry, possible_cpus
from traceloop_bpf.loader import load
from traceloop_bpf.pool import RingPool, Slot
from traceloop_bpf.ring import Ring
from traceloop_decode import layout
from traceloop_decode.capture import calls_table

_KEY: Final = Struct("<I")
_VARIANT: Final = Struct("<Q")
TAKE_TIMEOUT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Recording:
    """A container's cgroups, and the ring that their calls go to. started_ns: CLOCK_BOOTTIME."""

    slot: Slot
    started_ns: int

    @property
    def ring(self) -> Ring:
        """The recording's ring."""
        return self.slot.ring


class Tracer:
    """The programs in the kernel, and the rings. Safe to use from several threads."""

    def __init__(
        self,
        ring_size: int = 1 << 20,
        item_max: int = 256,
        call_max: int = 1024,
        pool_size: int = 8,
        defines: dict[str, int] | None = None,
    ) -> None:
        """Compiles, loads and attaches. Sizes in bytes; `defines` are for tests. Raises LoadError, OSError."""
        self.geometry = Geometry.fit(ring_size, item_max, call_max, possible_cpus())
        table, variants = calls_table(item_max, call_max)
        self._fds = load(self.geometry, defines)
        for number, at in enumerate(range(0, len(table), layout.CALL_SIZE)):
            bpfcalls.update(self._fds["calls"], _KEY.pack(number), table[at : at + layout.CALL_SIZE])
        for key, place in variants.items():
            bpfcalls.update(self._fds["variants"], _VARIANT.pack(key), _KEY.pack(place))
        self._cgroups = CgroupTable(self._fds["cgroups"], self._fds["cgroup_front"])
        self.pool = RingPool(self._fds["rings"], self._cgroups, self.geometry, pool_size)

    def record(self, cgroup_ids: Iterable[int], init_pid: int = 0, withheld: int = 0) -> Recording:
        """Records these cgroups and all that are made below them, from now on, into one ring.

        init_pid: the process whose exit code is the container's; 0: none. withheld: the classes of memory
        (layout.CLASS_...) that are kept out of the ring. Raises PoolError, OSError.
        """
        slot = self.pool.take(TAKE_TIMEOUT_S)
        recording = Recording(slot, time.clock_gettime_ns(time.CLOCK_BOOTTIME))
        try:
            if init_pid:
                slot.ring.set_init_pid(init_pid)
            if withheld:
                slot.ring.set_withheld(withheld)
            self._cgroups.add(cgroup_ids, slot.number)
        except OSError:
            self.pool.give_back(slot)
            raise
        return recording

    def extend(self, recording: Recording, cgroup_ids: Iterable[int]) -> None:
        """Records more cgroups into the same ring."""
        self._cgroups.add(cgroup_ids, recording.slot.number)

    def stop(self, recording: Recording) -> None:
        """Ends the recording of its cgroups, children that the kernel entered too; the ring stays to be read."""
        self._cgroups.remove(self._cgroups.ids(recording.slot.number))

    def is_recorded(self, cgroup_id: int) -> bool:
        """Whether a cgroup's calls go into some ring."""
        return self._cgroups.slot_of(cgroup_id) is not None

    def give_back(self, recording: Recording) -> None:
        """The ring is not needed any more."""
        self.pool.give_back(recording.slot)

    def close(self) -> None:
        """Takes the programs out of the kernel, and frees all rings but those of recordings not given back."""
        self.pool.close()
        self._cgroups.close()
        for fd in self._fds.values():
            os.close(fd)
