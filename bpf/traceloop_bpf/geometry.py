# SPDX-License-Identifier: Apache-2.0
"""The sizes of a ring on this node, from what is asked for and how many CPUs it must serve."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from traceloop_decode import layout

_CHUNK_MAX: Final = 16 << 10
_CHUNK_MIN: Final = 4 << 10
_PAGE: Final = 4096
_RECORD_FIXED: Final = layout.HEADER.size + 8 + 8 + 6 * 8
SCRATCH_SIZE: Final = 512
"""TL_SCRATCH_SIZE of record.h."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """Sizes in bytes. cpus, ring_size, chunk_size: powers of two. item_max, call_max: what one call may capture."""

    cpus: int
    ring_size: int
    chunk_size: int
    item_max: int
    call_max: int

    @property
    def headers_size(self) -> int:
        """struct tl_ring and the struct tl_cpu."""
        return layout.headers_size(self.cpus)

    @property
    def data_offset(self) -> int:
        """Where the data begins in the map's element."""
        return self.headers_size + self.cpus * SCRATCH_SIZE + layout.RETRIES * layout.RETRY.size

    @property
    def record_max(self) -> int:
        """The largest record."""
        return _RECORD_FIXED + self.call_max + layout.ITEM.size + _up(self.item_max + 2, 8)

    @property
    def slack(self) -> int:
        """Room behind the data, so that no record wraps."""
        return _up(self.record_max, _PAGE)

    @property
    def value_size(self) -> int:
        """The map's element: all of a ring, or of each part of a larger one."""
        return self.data_offset + self.ring_size + self.slack

    @classmethod
    def fit(cls, ring_size: int, item_max: int, call_max: int, cpus: int) -> Geometry:
        """The ring of at least `ring_size` bytes whose chunks, one for each of `cpus`, take a quarter of it at most."""
        cpus = 1 << (cpus - 1).bit_length()
        ring_size = 1 << (ring_size - 1).bit_length()
        smallest = _CHUNK_MIN
        need = cls(cpus, ring_size, smallest, item_max, call_max).record_max
        while smallest < need + layout.CHUNK.size + layout.BASE.size:
            smallest *= 2
        ring_size = max(ring_size, 4 * cpus * smallest)
        chunk_size = max(smallest, min(_CHUNK_MAX, ring_size // (4 * cpus)))
        return cls(cpus, ring_size, chunk_size, item_max, call_max)


def possible_cpus(sysfs: Path = Path("/sys")) -> int:
    """One more than the highest CPU number that this kernel may ever use (devices/system/cpu/possible)."""
    text = (sysfs / "devices/system/cpu/possible").read_text()
    return int(text.strip().replace("-", ",").split(",")[-1]) + 1


def _up(size: int, unit: int) -> int:
    return -(-size // unit) * unit
