# SPDX-License-Identifier: Apache-2.0
"""The births of containers: by what their cgroups are recognised, and the kernel's events about them.

`births.h` explains both, and this module mirrors it. The programs write an event into a BPF ring buffer for each
cgroup of a container that is made. The ring buffer and the position up to which it was read outlive the daemon. So an
event is settled only after its trace is saved, and the next daemon reads again what was not settled.

The kernel gives no system call to read a ring buffer (kernel: kernel/bpf/ringbuf.c): its first page holds the
consumer's position, its second page the producer's, and the data follow twice, so that no record wraps. A record is a
header of 8 bytes, whose first four hold the length and two flags, and the event.
"""

from __future__ import annotations

import mmap
import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from struct import Struct
from typing import Final, NamedTuple

from traceloop_bpf import bpfcalls

SHAPES: Final = 64
SHAPE_TEXT: Final = 48
PATH_MAX: Final = 512
WORDS_MAX: Final = 1024
SHAPE: Final = Struct(f"<{SHAPE_TEXT}s{SHAPE_TEXT}sBBBBB3x")
"""struct tl_shape: text, mask, kind, suffix, whose, length, is_service."""
COUNTS: Final = Struct("<QQ")
"""struct tl_shapes after its shapes: missed, untold."""
BIRTH: Final = Struct(f"<QQIIIIII{PATH_MAX}s{WORDS_MAX}s")
"""struct tl_birth: id, at_ns, slot, cookie, maker, whose, moved, words_length, path, words."""
ENTRY: Final = Struct("<QIII4x6Q")
"""struct tl_entry: at_ns, slot, cookie, process; magic and inode of each stream."""
SERVICE: Final = 1 << 31
"""TL_BORN_SERVICE, a bit of tl_ring.born."""
_HEADER: Final = Struct("<I")
_HEADER_SIZE: Final = 8  # BPF_RINGBUF_HDR_SZ, linux/bpf.h
_BUSY: Final = 1 << 31  # BPF_RINGBUF_BUSY_BIT: a program is writing it
_DISCARDED: Final = 1 << 30
_STREAMS: Final = {0x50495045: b"pipe", 0x534F434B: b"socket"}
"""PIPEFS_MAGIC and SOCKFS_MAGIC of linux/magic.h."""


class Kind(Enum):
    """The part of a cgroup that a shape's text is compared with: TL_SHAPE_..."""

    NAME = 1
    BEGINS = 2
    ID = 3
    BELOW = 4
    RUNTIME = 5


class Suffix(Enum):
    """The end that a cgroup's name must have: TL_SUFFIX_..."""

    FREE = 0
    SCOPE = 1
    SERVICE = 2


_WHOLE: Final = (Kind.NAME, Kind.BELOW, Kind.RUNTIME)
"""The kinds whose text is the whole of what it is compared with."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A form of a cgroup's name. whose: comes back in the births that fit; 0: such a cgroup is never a container's.

    is_service: any process that is put into the cgroup may be the first one, as systemd's services have no pid
    namespaces.
    """

    kind: Kind
    text: str
    whose: int
    suffix: Suffix = Suffix.FREE
    is_service: bool = False

    def pack(self) -> bytes:
        """Returns the struct tl_shape. A text that is too long is cut, and fits what begins with it."""
        text, kind = self.text.encode(), self.kind
        if len(text) >= SHAPE_TEXT:
            text, kind = text[: SHAPE_TEXT - 1], Kind.BEGINS
        mask = b"\xff" * (len(text) + (kind in _WHOLE))
        return SHAPE.pack(text, mask, kind.value, self.suffix.value, self.whose, len(text), self.is_service)


@dataclass(frozen=True, slots=True)
class Birth:
    """A container's cgroup that was made. at_ns: CLOCK_BOOTTIME. path: in the hierarchy; cut if it is very long.

    slot, cookie: of the ring that records it; 0: none was in stock, and nothing is recorded. maker: the process that
    made it, in this process's pid namespace. whose: of its shape. moved: the ring was told before, for the parent,
    which is no container's. until: the position of the next event. words: the maker's command line; none if it is
    very long.
    """

    id: int
    at_ns: int
    slot: int
    cookie: int
    maker: int
    whose: int
    moved: bool
    path: str
    until: int
    words: tuple[bytes, ...] = ()

    @property
    def is_cut(self) -> bool:
        """True if the path may be longer than it is here."""
        return len(self.path.encode("utf-8", "surrogateescape")) >= PATH_MAX - 1

    @property
    def ago_s(self) -> float:
        """Time since the cgroup was made, in seconds."""
        return (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - self.at_ns) / 1e9


class Entry(NamedTuple):
    """A process that came into a recorded cgroup from outside. at_ns: CLOCK_BOOTTIME. slot, cookie: of the ring.

    process: in this process's pid namespace. streams: what the descriptors 0 to 2 of a program that was just executed
    stand for, if that is a pipe or socket, as in /proc/PID/fd: ``pipe:[814]``.
    """

    at_ns: int
    slot: int
    cookie: int
    process: int
    streams: Mapping[int, bytes]


class Births:
    """The events of one recorder, and its table of shapes, given their maps' descriptors. Not thread-safe.

    fd: becomes readable with each event (epoll(7), edge-triggered, as events stay until they are settled).
    """

    def __init__(self, births_fd: int, shapes_fd: int) -> None:
        self.fd = os.dup(births_fd)
        size = bpfcalls.map_info(births_fd).entries
        page = mmap.PAGESIZE
        self._consumer = mmap.mmap(births_fd, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._position = memoryview(self._consumer).cast("Q")
        self._events = mmap.mmap(births_fd, page + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)
        self._mask = size - 1
        shapes_size = bpfcalls.map_info(shapes_fd).value_size
        self._shapes = mmap.mmap(shapes_fd, shapes_size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._read = self._position[0]
        self._unsettled: deque[int] = deque()  # the ends of events that were read, in order
        self._settled: set[int] = set()
        self._entries: list[Entry] = []

    def close(self) -> None:
        """Unmaps the memory. The kernel frees the maps when their descriptors are closed."""
        os.close(self.fd)
        self._position.release()
        for memory in (self._consumer, self._events, self._shapes):
            memory.close()

    def recognise(self, shapes: Sequence[Shape]) -> None:
        """Replaces the shapes, of which the first that fits decides; none: no container is recorded from its birth."""
        if len(shapes) > SHAPES:
            raise ValueError(f"{len(shapes)} forms of cgroups' names are to be recognised, more than {SHAPES}")
        packed = b"".join(shape.pack() for shape in shapes).ljust(SHAPES * SHAPE.size, b"\0")
        self._shapes[SHAPE.size : len(packed)] = packed[SHAPE.size :]
        self._shapes[: SHAPE.size] = packed[: SHAPE.size]  # last, as the programs look at the first one's kind

    def counts(self) -> tuple[int, int]:
        """Returns how many births found no ring in stock, and how many could not be told; of all daemons."""
        missed, untold = COUNTS.unpack_from(self._shapes, SHAPES * SHAPE.size)
        return missed, untold

    def entries(self) -> list[Entry]:
        """Returns the processes that came from outside, which `read` has found since the last call."""
        found, self._entries = self._entries, []
        return found

    def read(self) -> list[Birth]:
        """Returns the births since the last call. Each must be settled."""
        found = []
        produced = int.from_bytes(self._events[:8], "little")
        while self._read < produced:
            at = mmap.PAGESIZE + (self._read & self._mask)
            (header,) = _HEADER.unpack_from(self._events, at)
            if header & _BUSY:
                break
            self._read += -(-((header & ~_DISCARDED) + _HEADER_SIZE) // 8) * 8
            self._unsettled.append(self._read)
            if header == BIRTH.size:
                found.append(self._birth(at + _HEADER_SIZE))
                continue
            if header == ENTRY.size:  # who reads /proc late reads another state, so no later daemon is to
                self._entries.append(self._entry(at + _HEADER_SIZE))
            self.settle(self._read)  # also what was discarded, and the events of other versions
        return found

    def settle(self, until: int) -> None:
        """Settles an event, by its `until`: no daemon reads it again once all earlier ones are settled, too."""
        self._settled.add(until)
        position = 0
        while self._unsettled and self._unsettled[0] in self._settled:
            position = self._unsettled.popleft()
            self._settled.discard(position)
        if position:
            self._position[0] = position

    def again(self) -> None:
        """Makes `read` return all events again that are not settled."""
        self._read = self._position[0]
        self._unsettled.clear()
        self._settled.clear()

    def _entry(self, at: int) -> Entry:
        at_ns, slot, cookie, process, *streams = ENTRY.unpack_from(self._events, at)
        pairs = enumerate(zip(streams[::2], streams[1::2], strict=True))
        names = {fd: b"%b:[%d]" % (kind, inode) for fd, (magic, inode) in pairs if (kind := _STREAMS.get(magic))}
        return Entry(at_ns, slot, cookie, process, names)

    def _birth(self, at: int) -> Birth:
        number, at_ns, slot, cookie, maker, whose, moved, length, path, line = BIRTH.unpack_from(self._events, at)
        is_whole = length < WORDS_MAX - 1  # a runtime's last word names the container
        words = tuple(line[:length].split(b"\0")[:-1]) if is_whole else ()
        text = path.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
        return Birth(number, at_ns, slot, cookie, maker, whose, bool(moved), text, self._read, words)
