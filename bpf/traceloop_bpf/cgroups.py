# SPDX-License-Identifier: Apache-2.0
"""Which cgroup is recorded into which slot: the kernel's three tables, and the one way to change them.

`cgroups` is a hash of the containers' own: id -> slot. It has room for as many as there are slots, and programs enter
nothing there. `below` is one of the cgroups below those. A container may fill it up to its share
(layout.BELOW_SHARE); whatever it makes beyond is not recorded, and counted in its ring. So no container keeps
another's own cgroup from being entered.

Before both lies `cgroup_front`, which answers nearly every call of a process
that is not recorded in one look: word ``id & 0xfff`` holds the rest of one id and its slot, all in 64 bits, so that it
changes at once. A word is

- 0: no recorded id has these low bits;
- an id's upper 52 bits and its slot (1 to 4095);
- anything else for the id that is asked about: the hashes know.

So the hashes may hold no id whose word is 0. Programs enter the children of recorded cgroups, and take out those that
are removed, at any time; words are only ever set to 0 here, and looked at once more after that.
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
_LOOK_BEHIND: Final = _REST
_LOOK_BEHIND_MAX: Final = 64


class CgroupTable:
    """The tables behind these descriptors. Safe to use from several threads."""

    def __init__(self, cgroups_fd: int, below_fd: int, front_fd: int) -> None:
        self._own, self._below = cgroups_fd, below_fd
        self._memory = mmap.mmap(front_fd, 8 << layout.FRONT_BITS, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._front = memoryview(self._memory).cast("Q")
        self._lock = threading.Lock()

    def close(self) -> None:
        """Unmaps the front; the tables go with their descriptors."""
        self._front.release()
        self._memory.close()

    def add(self, cgroup_id: int, slot: int) -> None:
        """From now on, the calls of a container's own cgroup go into the slot's ring. Raises OSError."""
        with self._lock:
            bpfcalls.update(self._own, _ID.pack(cgroup_id), _SLOT.pack(slot))
            self._show(cgroup_id, slot)

    def add_below(self, ids: Iterable[int], slot: int) -> int:
        """And of these below it, up to its share. How many of them are left out. Raises OSError."""
        with self._lock:
            own = [cgroup_id for cgroup_id, its in self._all() if its == slot]
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
            self._clear_words()
            return len(gone)

    def tidy(self) -> None:
        """Clears the words that no id needs, where there are many: a program that takes out a cgroup cannot tell."""
        with self._lock:
            if self._front.tolist().count(_LOOK_BEHIND) > _LOOK_BEHIND_MAX:
                self._clear_words()

    def _clear_words(self) -> None:
        members = {cgroup_id & layout.FRONT_MASK: (cgroup_id, its) for cgroup_id, its in self._all()}
        for bucket, word in enumerate(self._front):
            if word and bucket not in members:
                self._front[bucket] = 0
            elif word == _LOOK_BEHIND:
                cgroup_id, its = members[bucket]
                self._front[bucket] = cgroup_id & _REST | its
        for cgroup_id, its in self._all():  # one that a program entered meanwhile
            self._show(cgroup_id, its)

    def slot_of(self, cgroup_id: int) -> int | None:
        """The slot that a cgroup is recorded into, if any."""
        for table in (self._own, self._below):
            if (value := bpfcalls.lookup(table, _ID.pack(cgroup_id), _SLOT.size)) is not None:
                return int(_SLOT.unpack(value)[0])
        return None

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
        if not bpfcalls.delete(self._own, _ID.pack(cgroup_id)):
            bpfcalls.delete(self._below, _ID.pack(cgroup_id))
        bucket = cgroup_id & layout.FRONT_MASK
        if self._front[bucket] & _REST == cgroup_id & _REST:
            self._front[bucket] = _LOOK_BEHIND

    def _enter_below(self, cgroup_id: int, slot: int) -> bool:
        try:
            bpfcalls.update(self._below, _ID.pack(cgroup_id), _SLOT.pack(slot))
        except OSError as error:
            if error.errno != errno.E2BIG:  # the table is full
                raise
            return False
        self._show(cgroup_id, slot)
        return True

    def _all(self) -> list[tuple[int, int]]:
        found = chain.from_iterable(
            bpfcalls.items(table, _ID.size, _SLOT.size, most)
            for table, most in ((self._own, SLOTS), (self._below, BELOW))
        )
        return [(_ID.unpack(key)[0], _SLOT.unpack(value)[0]) for key, value in found]
