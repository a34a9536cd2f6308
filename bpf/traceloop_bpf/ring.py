# SPDX-License-Identifier: Apache-2.0
"""A container's ring, a BPF array map of one element or several joined ones: created or adopted, read, closed."""

from __future__ import annotations

import mmap
import os
import platform
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from struct import Struct
from threading import Lock
from typing import Final

from traceloop_bpf import births, bpfcalls
from traceloop_bpf.geometry import Geometry
from traceloop_decode import layout
from traceloop_decode.areas import Area
from traceloop_decode.capabilities import Capabilities
from traceloop_decode.ring_headers import Count, Headers, count
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.totals import Totals

_PAGE: Final = mmap.PAGESIZE


class Ring:
    """A ring. fd: the map's descriptor; the kernel frees the memory when the last descriptor is closed.

    The memory is mapped only while it is read or written, so it does not count as this process's memory.
    """

    def __init__(self, geometry: Geometry, fd: int, cookie: int) -> None:
        self.geometry, self.fd, self.cookie = geometry, fd, cookie
        self._rest: tuple[Ring, ...] = ()

    @property
    def data_size(self) -> int:
        """Size of the ring's data, in bytes."""
        return self.geometry.ring_size * (1 + len(self._rest))

    @property
    def size_bytes(self) -> int:
        """Size of the memory that the ring takes, in bytes."""
        return self.geometry.value_size * (1 + len(self._rest))

    @classmethod
    def create(cls, geometry: Geometry) -> Ring:
        """Creates a ring. Raises OSError."""
        ring = cls(geometry, bpfcalls.create_array(geometry.value_size, "tl_ring"), _random_cookie())
        try:
            with _mapped(ring.fd, geometry.headers_size) as memory:
                layout.RING.pack_into(memory, 0, 0, ring.cookie, 0, 1, *_NONE, layout.RECORD_VERSION, 0, 0, 0, 0, 0, 0)
            ring.set_firsts_size(geometry.firsts_size)
        except OSError:
            ring.close()
            raise
        return ring

    @classmethod
    def adopt(cls, geometry: Geometry, fd: int) -> Ring:
        """Adopts a ring that another process created. Raises ValueError if its size differs, OSError."""
        if bpfcalls.map_info(fd).value_size != geometry.value_size:
            raise ValueError(f"a ring has {bpfcalls.map_info(fd).value_size} bytes, not {geometry.value_size}")
        ring = cls(geometry, fd, 0)
        ring.cookie = ring.headers().cookie
        return ring

    def close(self) -> None:
        """Closes the descriptor. The kernel frees the memory after the ring is removed from the map of rings too."""
        os.close(self.fd)
        self.fd = -1

    def join(self, slot: int, rest: Mapping[int, Ring]) -> None:
        """Joins other rings to this one, which spreads its data over them. None may be in use; 2^n rings in all.

        slot: this ring's slot. rest: the other rings, by slot. Raises OSError; the rings may or may not be joined
        then, and none of them may be used.
        """
        for other in rest.values():
            with _mapped(other.fd, layout.RING.size) as memory:
                _PARTS.pack_into(memory, _PARTS_AT, 0)
        with _mapped(self.fd, layout.RING.size) as memory:
            _SLOTS.pack_into(memory, _SLOTS_AT, slot, *rest, *(0 for _ in range(len(rest) + 1, layout.PARTS_MAX)))
            _PARTS.pack_into(memory, _PARTS_AT, 1 + len(rest))
        self._rest = tuple(rest.values())

    def joined(self) -> tuple[int, ...] | None:
        """Returns the slots of the rings joined to this one, or None if this ring is joined to another."""
        with _mapped(self.fd, layout.RING.size) as memory:
            (count,), slots = _PARTS.unpack_from(memory, _PARTS_AT), _SLOTS.unpack_from(memory, _SLOTS_AT)
        return slots[1:count] if count else None

    def rejoin(self, rest: Mapping[int, Ring]) -> None:
        """Finds the rings that are joined to this adopted ring. rest: all rings, by slot."""
        self._rest = tuple(rest[slot] for slot in self.joined() or ())

    def set_init_pid(self, pid: int) -> None:
        """Sets the process whose exit is the container's: programs store its exit code in the ring's header."""
        with _mapped(self.fd, layout.RING.size) as memory:
            memory[_INIT_PID_AT : _INIT_PID_AT + 4] = pid.to_bytes(4, "little")

    def set_firsts_size(self, size_bytes: int) -> None:
        """Sets how many bytes the calls that were new may take, at most the geometry's; 0: none. Not while in use."""
        firsts, runtime = min(size_bytes, self.geometry.firsts_size) // _PAGE * _PAGE, self.geometry.runtime_size
        at = self.geometry.areas_offset
        with _mapped(self.fd, at + len(layout.AREAS) * layout.AREA.size) as memory:
            for size, kept in ((firsts, min(_KEPT, firsts // 4 // 8 * 8)), (runtime, 0)):
                layout.AREA.pack_into(memory, at, 0, 0, 0, size, kept)
                at += layout.AREA.size

    def firsts_limit(self) -> int | None:
        """Returns what set_firsts_size set; None where it is the geometry's, or the recorder keeps no such calls."""
        if self.geometry.version == 1:
            return None
        with _mapped(self.fd, self.geometry.skip_offset) as memory:
            size: int = layout.AREA.unpack_from(memory, self.geometry.areas_offset)[3]
        return size if size < self.geometry.firsts_size else None

    def set_skipped(self, numbers: Iterable[int]) -> None:
        """Sets the calls that are counted alone. numbers: layout.CALLS more for those of the 32-bit table.

        A recorder that counts no calls records them all.
        """
        if self.geometry.version == 1:
            return
        bits = sum(1 << number for number in set(numbers)).to_bytes(layout.SKIP_BYTES, "little")
        with _mapped(self.fd, self.geometry.skip_offset + layout.SKIP_BYTES) as memory:
            memory[self.geometry.skip_offset : self.geometry.skip_offset + layout.SKIP_BYTES] = bits

    def totals(self) -> Totals | None:
        """Reads the counts of all calls; None if the recorder does not count them."""
        geometry = self.geometry
        if geometry.version == 1:
            return None
        with _mapped(self.fd, geometry.area_offset(0)) as memory:
            return Totals.read(memory[geometry.totals_offset :][: 2 * geometry.totals * layout.TOTALS_SIZE])

    def set_notes_capabilities(self) -> None:
        """Sets that the programs note which capabilities are asked for, from the first call on. Not while in use."""
        with _mapped(self.fd, layout.RING.size) as memory:
            memory[_NOTES_AT] = layout.NOTES_CAPABILITIES >> 56  # a byte alone, as programs count in the others

    def capabilities(self) -> Capabilities | None:
        """Reads which capabilities were asked for; None if nothing is known."""
        with _mapped(self.fd, self.geometry.headers_size) as memory:
            return Capabilities.of_headers(memory[: self.geometry.headers_size], self.geometry.cpus)

    def set_withheld(self, classes: int) -> None:
        """Sets the classes of memory (layout.CLASS_...) that the programs keep out of this ring."""
        with _mapped(self.fd, layout.RING.size) as memory:
            memory[_WITHHELD_AT : _WITHHELD_AT + 4] = classes.to_bytes(4, "little")

    def is_unused(self, withheld: int) -> bool:
        """Returns whether nothing was recorded, no container began with this ring, and its policy is this one."""
        with _mapped(self.fd, layout.RING.size) as memory:
            at_birth = int.from_bytes(memory[_BORN_AT : _BORN_AT + 4], "little")
            classes = int.from_bytes(memory[_WITHHELD_AT : _WITHHELD_AT + 4], "little")
            return not layout.RING.unpack_from(memory)[0] and not at_birth and classes == withheld

    def set_born(self, maker: int, slot: int) -> None:
        """Notes that the recording began with its container. maker: the process that made its cgroup. slot: its own."""
        with _mapped(self.fd, layout.RING.size) as memory:
            memory[_SLOTS_AT : _SLOTS_AT + 4] = slot.to_bytes(4, "little")
            memory[_BORN_AT : _BORN_AT + 4] = maker.to_bytes(4, "little")

    def set_apart(self, which: int, processes: int) -> None:
        """Tells the calls of the container's runtime from its own.

        which: those that go to an area of their own (layout.APART_...). processes: how many the runtime has there now.
        """
        with _mapped(self.fd, layout.RING.size) as memory:
            _APART.pack_into(memory, _APART_AT, which, processes)

    def apart(self) -> tuple[int, int]:
        """Returns what `set_apart` was given, as it is now."""
        with _mapped(self.fd, layout.RING.size) as memory:
            which, processes = _APART.unpack_from(memory, _APART_AT)
            return which, processes

    def born(self) -> int:
        """Returns the process that made the container's cgroup, if the recording began with that; else 0."""
        with _mapped(self.fd, layout.RING.size) as memory:
            return int.from_bytes(memory[_BORN_AT : _BORN_AT + 4], "little")

    def is_service(self) -> bool:
        """Returns whether the recording began with the cgroup of a service, which has one process after the other."""
        return bool(self.born() & births.SERVICE)

    def is_untouched_birth(self) -> bool:
        """Returns whether a container began with this ring, and nothing was recorded since."""
        with _mapped(self.fd, layout.RING.size) as memory:
            at_birth = int.from_bytes(memory[_BORN_AT : _BORN_AT + 4], "little")
            return bool(at_birth) and not layout.RING.unpack_from(memory)[0]

    def leave_out(self, cgroups: int) -> None:
        """Adds to the count of cgroups below the container's own that are not recorded. Not thread-safe."""
        with _mapped(self.fd, layout.RING.size) as memory:
            _COUNT.pack_into(memory, _LEFT_OUT_AT, cgroups + _COUNT.unpack_from(memory, _LEFT_OUT_AT)[0])

    def headers(self) -> Headers:
        """Reads the ring's current headers."""
        with _mapped(self.fd, self.geometry.headers_size) as memory:
            return Headers.parse(memory[: self.geometry.headers_size], self.geometry.cpus)

    def count(self) -> Count:
        """Returns how much was recorded and lost up to now, without reading the records."""
        return self.headers_and_count()[1]

    def headers_and_count(self) -> tuple[Headers, Count]:
        """Reads the headers, and computes the counts from the same headers."""
        geometry = self.geometry
        with self._all_mapped() as memories:
            headers, chunks = Headers.parse(memories[0][: geometry.headers_size], geometry.cpus), []
            for n, memory in enumerate(memories):
                used = min(headers.head - n * geometry.ring_size, geometry.ring_size)
                places = range(geometry.data_offset, geometry.data_offset + used, geometry.chunk_size)
                chunks += [memory[at : at + layout.CHUNK.size] for at in places]
            return headers, count(headers, chunks)

    def snapshot(self, started_ns: int) -> Snapshot:
        """Copies the ring while programs go on writing; `traceloop_decode.ring_reader` handles the records that raced.

        started_ns: CLOCK_BOOTTIME at which the recording began.
        """
        geometry = self.geometry
        size, start = geometry.headers_size, geometry.data_offset
        with self._all_mapped() as memories:
            memory = memories[0]
            areas_before = self._areas(memory)
            before = memory[:size]
            _order_loads()
            before_again = memory[:size]
            totals = self.totals()  # of the calls up to here
            _order_loads()
            data = [part[start : start + geometry.ring_size] for part in memories]
            kept = [memory[at : at + size] for at, size in geometry.areas()]
            _order_loads()
            areas_after = self._areas(memory)
            # Twice: a program clears `busy` after it has written `late`, so at least one of the two is seen.
            after = memory[:size]
            _order_loads()
            after_again = memory[:size]
        head, _, _, _, _, _, _, _, _, _, version, *_ = layout.RING.unpack_from(after_again)
        boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        cut = Headers.parse(before_again, geometry.cpus)
        areas = [
            (area, part[: area.length])
            for number, (first, last, part) in enumerate(zip(areas_before, areas_after, kept, strict=True))
            if (area := _described(number, first, last, cut, geometry.slack)) is not None
        ]
        own = (data[0] if len(data) == 1 else b"".join(data))[:head]
        return Snapshot(
            arch=platform.machine(),
            record_version=version,
            ring_size=self.data_size,
            chunk_size=geometry.chunk_size,
            cpus=geometry.cpus,
            boot_offset_ns=time.time_ns() - boot_ns,
            taken_ns=boot_ns,
            started_ns=started_ns,
            headers=(before, before_again, after, after_again),
            data=b"".join((own, *(part for _, part in areas))),
            areas=tuple(area for area, _ in areas),
            totals=totals,
        )

    def _areas(self, memory: mmap.mmap) -> list[tuple[int, ...]]:
        # The struct tl_area array.
        if self.geometry.version == 1:
            return []
        at, size = self.geometry.areas_offset, layout.AREA.size
        return [layout.AREA.unpack_from(memory, at + n * size) for n in range(len(layout.AREAS))]

    @contextmanager
    def _all_mapped(self) -> Iterator[list[mmap.mmap]]:
        with ExitStack() as stack:
            yield [stack.enter_context(_mapped(ring.fd, self.geometry.value_size)) for ring in (self, *self._rest)]


_LOCK: Final = Lock()


def _order_loads() -> None:
    # Makes a weakly ordered processor load what comes before this first: a lock's release follows all loads before it,
    # and the acquisition that finds it released precedes all loads after it (the C11 memory model).
    _LOCK.acquire()
    _LOCK.release()
    _LOCK.acquire()
    _LOCK.release()


def _described(number: int, before: tuple[int, ...], after: tuple[int, ...], cut: Headers, slack: int) -> Area | None:
    # What is known of an area: what was written by the first copy, and was not written over by the last.
    limit, _, _, size, kept = before
    if not size:
        return None
    head, valid, dropped, _, _ = after
    limit = min(limit, *(cpu.keeping & ~7 for cpu in cut.cpus if cpu.keeping & 7 == number + 1), limit)
    oldest = max(valid, head - (size - kept), 0)
    return Area(layout.AREAS[number], size, kept, limit, oldest, dropped, limit if limit <= size else size + slack)


_KEPT: Final = 16 << 10  # bytes of the firsts that are never overwritten
_NONE: Final = (0, 0, 0, 0, 0, 0)  # below, left_out, forgotten, io_urings, left_out_before, pad
_LEFT_OUT_AT: Final = 40  # offsetof(struct tl_ring, left_out_before)
_COUNT: Final = Struct("<I")
_NOTES_AT: Final = 56 + 7  # offsetof(struct tl_ring, pad), its last byte
_APART_AT: Final = 48  # offsetof(struct tl_ring, apart), then runtimes
_APART: Final = Struct("<II")
_BORN_AT: Final = 44  # offsetof(struct tl_ring, born)
_INIT_PID_AT: Final = 64 + 4  # offsetof(struct tl_ring, init_pid)
_WITHHELD_AT: Final = 64 + 28  # offsetof(struct tl_ring, withheld)
_PARTS_AT: Final = 20  # offsetof(struct tl_ring, parts)
_PARTS: Final = Struct("<I")
_SLOTS_AT: Final = 64 + 32  # offsetof(struct tl_ring, part)
_SLOTS: Final = Struct(f"<{layout.PARTS_MAX}I")


def _random_cookie() -> int:
    return int.from_bytes(os.urandom(4), "little") | 1


@contextmanager
def _mapped(fd: int, size: int) -> Iterator[mmap.mmap]:
    # The kernel fills in all pages of a mapping at once, so mapping a whole ring takes six times as long.
    length = -(-size // _PAGE) * _PAGE
    with mmap.mmap(fd, length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE) as memory:
        yield memory
