# SPDX-License-Identifier: Apache-2.0
"""One container's ring: a BPF array map of one element, made or adopted, read and given back."""

from __future__ import annotations

import mmap
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
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

    @classmethod
    def create(cls, geometry: Geometry) -> Ring:
        """A new one. Raises OSError."""
        ring = cls(geometry, bpfcalls.create_array(geometry.value_size, "tl_ring"), _random_cookie())
        with ring._mapped(geometry.headers_size) as memory:
            layout.RING.pack_into(memory, 0, 0, ring.cookie, 0, layout.RECORD_VERSION, 0, 0, 0, 0, 0, 0)
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

    def set_init_pid(self, pid: int) -> None:
        """Says whose exit is the container's: the programs keep its exit code in the ring's header."""
        with self._mapped(layout.RING.size) as memory:
            memory[_INIT_PID_AT : _INIT_PID_AT + 4] = pid.to_bytes(4, "little")

    def set_withheld(self, classes: int) -> None:
        """Says which classes of memory (layout.CLASS_...) the programs keep out of this ring."""
        with self._mapped(layout.RING.size) as memory:
            memory[_WITHHELD_AT : _WITHHELD_AT + 4] = classes.to_bytes(4, "little")

    def headers(self) -> Headers:
        """The ring's headers as they are now."""
        with self._mapped(self.geometry.headers_size) as memory:
            return Headers.parse(memory[: self.geometry.headers_size], self.geometry.cpus)

    def count(self) -> Count:
        """How much was recorded and lost up to now, without a look at the records."""
        return self.headers_and_count()[1]

    def headers_and_count(self) -> tuple[Headers, Count]:
        """Both, of the same moment."""
        geometry = self.geometry
        with self._mapped(geometry.value_size) as memory:
            headers = Headers.parse(memory[: geometry.headers_size], geometry.cpus)
            end = geometry.data_offset + min(headers.head, geometry.ring_size)
            places = range(geometry.data_offset, end, geometry.chunk_size)
            return headers, count(headers, (memory[at : at + layout.CHUNK.size] for at in places))

    def snapshot(self, started_ns: int) -> Snapshot:
        """All that is in the ring now. Nothing is stopped for it: `traceloop_decode.ring` sorts out what raced.

        started_ns: CLOCK_BOOTTIME of the recording's begin.
        """
        geometry = self.geometry
        with self._mapped(geometry.value_size) as memory:
            size = geometry.headers_size
            before = memory[:size]
            data = memory[geometry.data_offset : geometry.data_offset + geometry.ring_size]
            # Twice: a program clears `busy` after it has written `late`, so of the two one is seen at least.
            after, after_again = memory[:size], memory[:size]
        head = layout.RING.unpack_from(after_again)[0]
        boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        return Snapshot(
            arch=platform.machine(),
            record_version=layout.RECORD_VERSION,
            ring_size=geometry.ring_size,
            chunk_size=geometry.chunk_size,
            cpus=geometry.cpus,
            boot_offset_ns=time.time_ns() - boot_ns,
            taken_ns=boot_ns,
            started_ns=started_ns,
            headers=(before, after, after_again),
            data=data[:head],
        )

    @contextmanager
    def _mapped(self, size: int) -> Iterator[mmap.mmap]:
        # The kernel enters all pages of a mapping at once: that of a whole ring takes six times as long.
        length = -(-size // _PAGE) * _PAGE
        with mmap.mmap(self.fd, length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE) as memory:
            yield memory


_INIT_PID_AT: Final = 64 + 4  # offsetof(struct tl_ring, init_pid)
_WITHHELD_AT: Final = 64 + 28  # offsetof(struct tl_ring, withheld)


def _random_cookie() -> int:
    return int.from_bytes(os.urandom(4), "little") | 1
