# SPDX-License-Identifier: Apache-2.0
"""One container's ring: a BPF array map of one element, or several joined; made or adopted, read and given back."""

from __future__ import annotations

import mmap
import os
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from struct import Struct
from typing import Final

from traceloop_bpf import bpfcalls
from traceloop_bpf.geometry import Geometry
from traceloop_decode import layout
from traceloop_decode.ring import Count, Headers, count
from traceloop_decode.snapshot import Snapshot

_PAGE: Final = mmap.PAGESIZE


class Ring:
    """A ring. `fd` is the map's; whoever closes it last frees the memory.

    The memory is mapped only while it is looked at: it lives in the kernel, and is no part of this process.
    """

    def __init__(self, geometry: Geometry, fd: int, cookie: int) -> None:
        self.geometry, self.fd, self.cookie = geometry, fd, cookie
        self._rest: tuple[Ring, ...] = ()

    @property
    def data_size(self) -> int:
        """Bytes of records that it holds."""
        return self.geometry.ring_size * (1 + len(self._rest))

    @property
    def size_bytes(self) -> int:
        """Bytes of memory that it takes."""
        return self.geometry.value_size * (1 + len(self._rest))

    @classmethod
    def create(cls, geometry: Geometry) -> Ring:
        """A new one. Raises OSError."""
        ring = cls(geometry, bpfcalls.create_array(geometry.value_size, "tl_ring"), _random_cookie())
        try:
            with _mapped(ring.fd, geometry.headers_size) as memory:
                layout.RING.pack_into(memory, 0, 0, ring.cookie, 0, 1, *_NONE, layout.RECORD_VERSION, 0, 0, 0, 0, 0, 0)
        except OSError:
            ring.close()
            raise
        return ring

    @classmethod
    def adopt(cls, geometry: Geometry, fd: int) -> Ring:
        """One that another process made. Raises ValueError if it is of another size, OSError."""
        if bpfcalls.map_info(fd).value_size != geometry.value_size:
            raise ValueError(f"a ring of {bpfcalls.map_info(fd).value_size} bytes, not {geometry.value_size}")
        ring = cls(geometry, fd, 0)
        ring.cookie = ring.headers().cookie
        return ring

    def close(self) -> None:
        """Gives the memory back, once the kernel's map of rings has let go of it too."""
        os.close(self.fd)
        self.fd = -1

    def join(self, slot: int, rest: Mapping[int, Ring]) -> None:
        """Spreads the data over other rings too, before any is used. slot: its own. All together are a power of two.

        Raises OSError; whether they are joined then is open, and none of them may be used.
        """
        for other in rest.values():
            with _mapped(other.fd, layout.RING.size) as memory:
                _PARTS.pack_into(memory, _PARTS_AT, 0)
        with _mapped(self.fd, layout.RING.size) as memory:
            _SLOTS.pack_into(memory, _SLOTS_AT, slot, *rest, *(0 for _ in range(len(rest) + 1, layout.PARTS_MAX)))
            _PARTS.pack_into(memory, _PARTS_AT, 1 + len(rest))
        self._rest = tuple(rest.values())

    def joined(self) -> tuple[int, ...] | None:
        """The slots of the rings that were joined to it; None: it is itself joined to another."""
        with _mapped(self.fd, layout.RING.size) as memory:
            (count,), slots = _PARTS.unpack_from(memory, _PARTS_AT), _SLOTS.unpack_from(memory, _SLOTS_AT)
        return slots[1:count] if count else None

    def rejoin(self, rest: Mapping[int, Ring]) -> None:
        """Says of an adopted one which rings are those that were joined to it."""
        self._rest = tuple(rest[slot] for slot in self.joined() or ())

    def set_init_pid(self, pid: int) -> None:
        """Says whose exit is the container's: the programs keep its exit code in the ring's header."""
        with _mapped(self.fd, layout.RING.size) as memory:
            memory[_INIT_PID_AT : _INIT_PID_AT + 4] = pid.to_bytes(4, "little")

    def set_withheld(self, classes: int) -> None:
        """Says which classes of memory (layout.CLASS_...) the programs keep out of this ring."""
        with _mapped(self.fd, layout.RING.size) as memory:
            memory[_WITHHELD_AT : _WITHHELD_AT + 4] = classes.to_bytes(4, "little")

    def leave_out(self, cgroups: int) -> None:
        """Says that so many more cgroups below the container's own are not recorded. One at a time may say so."""
        with _mapped(self.fd, layout.RING.size) as memory:
            _COUNT.pack_into(memory, _LEFT_OUT_AT, cgroups + _COUNT.unpack_from(memory, _LEFT_OUT_AT)[0])

    def headers(self) -> Headers:
        """The ring's headers as they are now."""
        with _mapped(self.fd, self.geometry.headers_size) as memory:
            return Headers.parse(memory[: self.geometry.headers_size], self.geometry.cpus)

    def count(self) -> Count:
        """How much was recorded and lost up to now, without a look at the records."""
        return self.headers_and_count()[1]

    def headers_and_count(self) -> tuple[Headers, Count]:
        """Both, of the same moment."""
        geometry = self.geometry
        with self._all_mapped() as memories:
            headers, chunks = Headers.parse(memories[0][: geometry.headers_size], geometry.cpus), []
            for n, memory in enumerate(memories):
                used = min(headers.head - n * geometry.ring_size, geometry.ring_size)
                places = range(geometry.data_offset, geometry.data_offset + used, geometry.chunk_size)
                chunks += [memory[at : at + layout.CHUNK.size] for at in places]
            return headers, count(headers, chunks)

    def snapshot(self, started_ns: int) -> Snapshot:
        """All that is in the ring now. Nothing is stopped for it: `traceloop_decode.ring` sorts out what raced.

        started_ns: CLOCK_BOOTTIME of the recording's begin.
        """
        geometry = self.geometry
        size, start = geometry.headers_size, geometry.data_offset
        with self._all_mapped() as memories:
            memory = memories[0]
            before = memory[:size]
            data = [part[start : start + geometry.ring_size] for part in memories]
            # Twice: a program clears `busy` after it has written `late`, so of the two one is seen at least.
            after, after_again = memory[:size], memory[:size]
        head = layout.RING.unpack_from(after_again)[0]
        boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        return Snapshot(
            arch=platform.machine(),
            record_version=layout.RECORD_VERSION,
            ring_size=self.data_size,
            chunk_size=geometry.chunk_size,
            cpus=geometry.cpus,
            boot_offset_ns=time.time_ns() - boot_ns,
            taken_ns=boot_ns,
            started_ns=started_ns,
            headers=(before, after, after_again),
            data=(data[0] if len(data) == 1 else b"".join(data))[:head],
        )

    @contextmanager
    def _all_mapped(self) -> Iterator[list[mmap.mmap]]:
        with ExitStack() as stack:
            yield [stack.enter_context(_mapped(ring.fd, self.geometry.value_size)) for ring in (self, *self._rest)]


_NONE: Final = (0, 0, 0, 0, 0)  # below, left_out, forgotten, io_urings, left_out_before
_LEFT_OUT_AT: Final = 40  # offsetof(struct tl_ring, left_out_before)
_COUNT: Final = Struct("<I")
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
    # The kernel enters all pages of a mapping at once: that of a whole ring takes six times as long.
    length = -(-size // _PAGE) * _PAGE
    with mmap.mmap(fd, length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE) as memory:
        yield memory
