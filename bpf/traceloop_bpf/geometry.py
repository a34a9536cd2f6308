# SPDX-License-Identifier: Apache-2.0
"""The sizes of a ring on this node, computed from the requested size and the number of CPUs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from traceloop_decode import layout

_CHUNK_MAX: Final = 16 << 10
_CHUNK_MIN: Final = 4 << 10
_PAGE: Final = 4096
_RECORD_FIXED: Final = layout.HEADER.size + 8 + 8 + 6 * 8
SCRATCH_SIZE: Final = 688
"""Value of TL_SCRATCH_SIZE in record.h."""
_SCRATCH_SIZE_1: Final = 576
FIRSTS_SIZE: Final = 64 << 10
RUNTIME_SIZE: Final = 20 << 10


@dataclass(frozen=True, slots=True)
class Geometry:
    """A ring's sizes, in bytes.

    cpus, ring_size, chunk_size: powers of two. item_max: most captured bytes of one item. call_max: after this many
    captured bytes no further item of a call is started. firsts_size, runtime_size: of the ring's areas. version: of its
    records, which decides where all lies; a recorder that does not say has the first.
    """

    cpus: int
    ring_size: int
    chunk_size: int
    item_max: int
    call_max: int
    firsts_size: int = 0
    runtime_size: int = 0
    version: int = 1

    @property
    def headers_size(self) -> int:
        """Size of struct tl_ring and the array of struct tl_cpu."""
        return layout.headers_size(self.cpus)

    @property
    def data_offset(self) -> int:
        """Offset of the data in the map's element."""
        if self.version == 1:
            return self.headers_size + self.cpus * _SCRATCH_SIZE_1 + layout.RETRIES * layout.RETRY.size
        return self.area_offset(len(layout.AREAS))

    @property
    def totals(self) -> int:
        """Number of sets of totals of each table."""
        return min(self.cpus, layout.TOTALS_MAX)

    @property
    def areas_offset(self) -> int:
        """Offset of the struct tl_area array."""
        return self.headers_size + self.cpus * SCRATCH_SIZE + layout.RETRIES * layout.RETRY.size

    @property
    def skip_offset(self) -> int:
        """Offset of the bits of the calls that are counted alone."""
        return self.areas_offset + len(layout.AREAS) * layout.AREA.size

    @property
    def totals_offset(self) -> int:
        """Offset of the struct tl_totals array."""
        return self.skip_offset + layout.SKIP_BYTES

    def area_offset(self, number: int) -> int:
        """Offset of the bytes of an area; of what follows them for the number after the last."""
        sizes = self.firsts_size, self.runtime_size
        first = self.totals_offset + 2 * self.totals * layout.TOTALS_SIZE + layout.GROUPS_BYTES + layout.SEEN_BYTES
        return first + sum(size + self.slack for size in sizes[:number])

    def areas(self) -> list[tuple[int, int]]:
        """Returns the offset and the size, slack included, of the bytes of each area."""
        if self.version == 1:
            return []
        sizes = self.firsts_size, self.runtime_size
        return [(self.area_offset(number), size + self.slack) for number, size in enumerate(sizes)]

    @property
    def record_max(self) -> int:
        """Size of the largest record."""
        return _RECORD_FIXED + self.call_max + layout.ITEM.size + _up(self.item_max + 2, 8)

    @property
    def slack(self) -> int:
        """Size of the unused room after the data, which lets a record end past the data instead of wrapping."""
        return _up(self.record_max + (0 if self.version == 1 else layout.BASE.size), _PAGE)

    @property
    def value_size(self) -> int:
        """Size of the map's element: the whole of a ring, or of each part of a joined one."""
        return self.data_offset + self.ring_size + self.slack

    @classmethod
    def fit(cls, ring_size: int, item_max: int, call_max: int, cpus: int, firsts_size: int = FIRSTS_SIZE) -> Geometry:
        """Returns a ring of at least `ring_size` bytes, of which one chunk for each CPU takes a quarter at most."""
        cpus = 1 << (cpus - 1).bit_length()
        ring_size = 1 << (ring_size - 1).bit_length()
        smallest = _CHUNK_MIN
        need = cls(cpus, ring_size, smallest, item_max, call_max).record_max
        while smallest < need + layout.CHUNK.size + layout.BASE.size:
            smallest *= 2
        ring_size = max(ring_size, 4 * cpus * smallest)
        chunk_size = max(smallest, min(_CHUNK_MAX, ring_size // (4 * cpus)))
        areas = _up(firsts_size, _PAGE), RUNTIME_SIZE
        return cls(cpus, ring_size, chunk_size, item_max, call_max, *areas, layout.RECORD_VERSION)


def possible_cpus(sysfs: Path = Path("/sys")) -> int:
    """Returns the highest CPU number that this kernel may ever use, plus one (devices/system/cpu/possible)."""
    text = (sysfs / "devices/system/cpu/possible").read_text()
    return int(text.strip().replace("-", ",").split(",")[-1]) + 1


def _up(size: int, unit: int) -> int:
    return -(-size // unit) * unit
