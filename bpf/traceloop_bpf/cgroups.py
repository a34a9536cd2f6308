# SPDX-License-Identifier: Apache-2.0
"""The kernel's three tables that map a cgroup to the slot it is recorded into, and all changes to them.

`cgroups` is a hash, id -> slot, of the containers' own cgroups. It has room for one cgroup per slot, and the programs
in the kernel insert nothing there. `below` is a hash, id -> slot, of the cgroups below those. Each container may insert
up to its share (layout.BELOW_SHARE); cgroups beyond the share are not recorded, and are counted in the container's
ring. So no container can prevent another container's own cgroup from being inserted.

Programs read `cgroup_front` before both hashes; for nearly every call of a process that is not recorded, this one
look-up is enough. Word ``id & 0xfff`` holds the upper bits of one id and its slot in 64 bits, so that it changes
atomically. A word is one of

- 0: no recorded id has these low bits;
- the upper 52 bits of the id that is looked up, and its slot (1 to 4095);
- any other value: the hashes must be looked up.

So the word of each id in the hashes must differ from 0. Programs insert the children of recorded cgroups, and cgroups
that a container's first process moves to, and delete removed cgroups, at any time. Only this module sets words to 0,
and it reads the hashes again afterwards.

`below` also maps layout.FIRST_PROCESS plus the number of each container's first process to its slot.
"""

from __future__ import annotations

import errno
import mmap
import threading
from collections.abc import Iterable
from itertools import chain
from struct import Struct
from typing import Final

from traceloop_bpf import bpfcalls
from traceloop_bpf.loader import BELOW, SLOTS
from traceloop_decode import layout

_ID: Final = Struct("<Q")
_SLOT: Final = Struct("<I")
_REST: Final = (1 << 64) - 1 - layout.FRONT_MASK
_LOOK_UP: Final = _REST  # a word: the hashes must be looked up; TL_FRONT_LOOK_BEHIND in record.h
_LOOK_UP_MAX: Final = 64  # tidy() clears words if there are more


class CgroupTable:
    """The three tables, given their descriptors. Safe to use from several threads."""

    def __init__(self, cgroups_fd: int, below_fd: int, front_fd: int) -> None:
        self._own, self._below = cgroups_fd, below_fd
        self._memory = mmap.mmap(front_fd, 8 << layout.FRONT_BITS, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._front = memoryview(self._memory).cast("Q")
        self._lock = threading.Lock()

    def close(self) -> None:
        """Unmaps the front. The kernel frees the tables when their descriptors are closed."""
        self._front.release()
        self._memory.close()

    def add(self, cgroup_id: int, slot: int) -> None:
        """Starts recording a container's own cgroup into the slot's ring. Raises OSError."""
        with self._lock:
            bpfcalls.update(self._own, _ID.pack(cgroup_id), _SLOT.pack(slot))
            self._show(cgroup_id, slot)

    def add_first(self, pid: int, slot: int) -> bool:
        """The process whose end, and way out of the container's cgroups, is the slot's ring's. False: no room."""
        with self._lock:
            return self._enter(layout.FIRST_PROCESS | pid, slot)

    def add_below(self, ids: Iterable[int], slot: int) -> int:
        """Starts recording cgroups below a container's own, up to its share; returns how many are left out.

        Raises OSError.
        """
        with self._lock:
            own = [cgroup_id for cgroup_id, its in self._cgroups() if its == slot]
            there, left_out = set(own), 0
            for cgroup_id in ids:
                if cgroup_id in there:
                    continue
                if len(there) > layout.BELOW_SHARE or not self._enter_below(cgroup_id, slot):
                    left_out += 1
                else:
                    there.add(cgroup_id)
            return left_out

    def remove(self, ids: Iterable[int]) -> None:
        """Stops recording these cgroups. A program that is running may still finish its record."""
        with self._lock:
            for cgroup_id in ids:
                self._take_out(cgroup_id)

    def end(self, slot: int) -> None:
        """Stops recording into a slot; a program in flight may still finish its record."""
        with self._lock:
            for key, its in self._all():
                if its == slot:
                    self._take_out(key)

    def sweep(self, slot: int) -> int:
        """Deletes every cgroup of a slot and clears unneeded words; returns how many cgroups were deleted."""
        with self._lock:
            gone = [cgroup_id for cgroup_id, its in self._all() if its == slot]
            for cgroup_id in gone:
                self._take_out(cgroup_id)
            self._clear_words()
            return len(gone)

    def tidy(self) -> None:
        """Clears unneeded words if there are many: a program that deletes a cgroup cannot tell whether to clear it."""
        with self._lock:
            if self._front.tolist().count(_LOOK_UP) > _LOOK_UP_MAX:
                self._clear_words()

    def _clear_words(self) -> None:
        members = {cgroup_id & layout.FRONT_MASK: (cgroup_id, its) for cgroup_id, its in self._cgroups()}
        for bucket, word in enumerate(self._front):
            if word and bucket not in members:
                self._front[bucket] = 0
            elif word == _LOOK_UP:
                cgroup_id, its = members[bucket]
                self._front[bucket] = cgroup_id & _REST | its
        for cgroup_id, its in self._cgroups():  # a program may have inserted one in the meantime
            self._show(cgroup_id, its)

    def slot_of(self, cgroup_id: int) -> int | None:
        """Returns the slot that a cgroup is recorded into, or None."""
        for table in (self._own, self._below):
            if (value := bpfcalls.lookup(table, _ID.pack(cgroup_id), _SLOT.size)) is not None:
                return int(_SLOT.unpack(value)[0])
        return None

    def ids(self, slot: int) -> list[int]:
        """Returns the ids of the cgroups that are recorded into a slot."""
        return [cgroup_id for cgroup_id, its in self._cgroups() if its == slot]

    def slots(self) -> set[int]:
        """Returns the slots that at least one cgroup is recorded into."""
        return {slot for _, slot in self._all()}

    def _show(self, cgroup_id: int, slot: int) -> None:
        bucket = cgroup_id & layout.FRONT_MASK
        word = self._front[bucket]
        if not word or word & _REST == cgroup_id & _REST:
            self._front[bucket] = cgroup_id & _REST | slot

    def _take_out(self, cgroup_id: int) -> None:
        if not bpfcalls.delete(self._own, _ID.pack(cgroup_id)):
            bpfcalls.delete(self._below, _ID.pack(cgroup_id))
        bucket = cgroup_id & layout.FRONT_MASK
        if self._front[bucket] & _REST == cgroup_id & _REST:
            self._front[bucket] = _LOOK_UP

    def _enter_below(self, cgroup_id: int, slot: int) -> bool:
        if not self._enter(cgroup_id, slot):
            return False
        self._show(cgroup_id, slot)
        return True

    def _enter(self, key: int, slot: int) -> bool:
        try:
            bpfcalls.update(self._below, _ID.pack(key), _SLOT.pack(slot))
        except OSError as error:
            if error.errno != errno.E2BIG:  # the table is full
                raise
            return False
        return True

    def _cgroups(self) -> list[tuple[int, int]]:
        return [(key, slot) for key, slot in self._all() if key < layout.FIRST_PROCESS]

    def _all(self) -> list[tuple[int, int]]:
        found = chain.from_iterable(
            bpfcalls.items(table, _ID.size, _SLOT.size, most)
            for table, most in ((self._own, SLOTS), (self._below, BELOW))
        )
        return [(_ID.unpack(key)[0], _SLOT.unpack(value)[0]) for key, value in found]
