# SPDX-License-Identifier: Apache-2.0
"""Which cgroup is recorded into which slot: the kernel's two tables, and the one way to change them.

`cgroups` is a hash of all: id -> slot. Before it lies `cgroup_front`, which answers nearly every call of a process
that is not recorded in one look: word ``id & 0xfff`` holds the rest of one id and its slot, all in 64 bits, so that it
changes at once. A word is

- 0: no recorded id has these low bits;
- an id's upper 52 bits and its slot (1 to 4095);
- anything else for the id that is asked about: the hash knows.

So the hash may hold no id whose word is 0. Programs enter the children of recorded cgroups, and take out those that
are removed, at any time; words are only ever set to 0 here, and looked at once more after that.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Iterable
from struct import Struct
from typing import Final

from traceloop_bpf import bpfcalls
from traceloop_bpf.loader import CGROUPS
from traceloop_decode import layout

_ID: Final = Struct("<Q")
_SLOT: Final = Struct("<I")
_REST: Final = (1 << 64) - 1 - layout.FRONT_MASK
_LOOK_BEHIND: Final = _REST


class CgroupTable:
    """The tables behind the descriptors of `cgroups` and `cgroup_front`. Safe to use from several threads."""

    def __init__(self, cgroups_fd: int, front_fd: int) -> None:
        self._hash = cgroups_fd
        self._memory = mmap.mmap(front_fd, 8 << layout.FRONT_BITS, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._front = memoryview(self._memory).cast("Q")
        self._lock = threading.Lock()

    def close(self) -> None:
        """Unmaps the front; the tables go with their descriptors."""
        self._front.release()
        self._memory.close()

    def add(self, ids: Iterable[int], slot: int) -> None:
        """From now on, the calls of these cgroups go into the slot's ring. Raises OSError (E2BIG: table full)."""
        with self._lock:
            for cgroup_id in ids:
                bpfcalls.update(self._hash, _ID.pack(cgroup_id), _SLOT.pack(slot))
                self._show(cgroup_id, slot)

    def remove(self, ids: Iterable[int]) -> None:
        """From now on, these cgroups are not recorded; a program in flight may still finish its record."""
        with self._lock:
            for cgroup_id in ids:
                self._take_out(cgroup_id)

    def sweep(self, slot: int) -> int:
        """Takes out every cgroup of a slot, and clears the words that no id needs. How many were taken out."""
        with self._lock:
            gone = [cgroup_id for cgroup_id, its in self._all() if its == slot]
            for cgroup_id in gone:
                self._take_out(cgroup_id)
            members = {cgroup_id & layout.FRONT_MASK: (cgroup_id, its) for cgroup_id, its in self._all()}
            for bucket, word in enumerate(self._front):
                if word and bucket not in members:
                    self._front[bucket] = 0
                elif word == _LOOK_BEHIND:
                    cgroup_id, its = members[bucket]
                    self._front[bucket] = cgroup_id & _REST | its
            for cgroup_id, its in self._all():  # one that a program entered meanwhile
                self._show(cgroup_id, its)
            return len(gone)

    def slot_of(self, cgroup_id: int) -> int | None:
        """The slot that a cgroup is recorded into, if any."""
        value = bpfcalls.lookup(self._hash, _ID.pack(cgroup_id), _SLOT.size)
        return None if value is None else int(_SLOT.unpack(value)[0])

    def ids(self, slot: int) -> list[int]:
        """The cgroups that are recorded into a slot."""
        return [cgroup_id for cgroup_id, its in self._all() if its == slot]

    def slots(self) -> set[int]:
        """The slots that cgroups are recorded into."""
        return {slot for _, slot in self._all()}

    def _show(self, cgroup_id: int, slot: int) -> None:
        bucket = cgroup_id & layout.FRONT_MASK
        word = self._front[bucket]
        if not word or word & _REST == cgroup_id & _REST:
            self._front[bucket] = cgroup_id & _REST | slot

    def _take_out(self, cgroup_id: int) -> None:
        bpfcalls.delete(self._hash, _ID.pack(cgroup_id))
        bucket = cgroup_id & layout.FRONT_MASK
        if self._front[bucket] & _REST == cgroup_id & _REST:
            self._front[bucket] = _LOOK_BEHIND

    def _all(self) -> list[tuple[int, int]]:
        found = bpfcalls.items(self._hash, _ID.size, _SLOT.size, CGROUPS)
        return [(_ID.unpack(key)[0], _SLOT.unpack(value)[0]) for key, value in found]
