# SPDX-License-Identifier: Apache-2.0
"""Where in a snapshot's data its records lie, and in them the items: what traced programs' memory was copied to.

Nothing of the items is looked at. All else in a record was written by the kernel side: header, number, registers,
result, and before each item its length. Total: damaged bytes give fewer places, and none outside of the data.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from struct import Struct
from typing import Final

from traceloop_decode import layout
from traceloop_decode.ring import Ring, stamp_key
from traceloop_decode.snapshot import Snapshot

_HEADER: Final = Struct("<I8xHH")  # tl_header without thread and time
_COPIED: Final = Struct("<2xH4x")  # tl_item's
_WITH_ITEMS: Final = (layout.TYPE_ENTER, layout.TYPE_EXIT)
_NOWHERE: Final = layout.RECORD_MAX_BYTES


@dataclass(frozen=True, slots=True)
class Places:
    """Offsets in the data, ascending. A ring may have tens of thousands, so there is no object for each.

    runs: begin and end of records that lie one behind the other. begins, ends: of each item's bytes; none is empty.
    """

    runs: list[tuple[int, int]]
    begins: array[int]
    ends: array[int]


def places(snapshot: Snapshot) -> Places:
    """Of every record that bears its stamp: at least those that `Ring` believes."""
    ring, found = Ring(snapshot), Places([], array("Q"), array("Q"))
    mask = snapshot.ring_size - 1
    for start, limit in sorted(ring.chunks(), key=lambda chunk: chunk[0] & mask):
        at = start & mask
        _look_through(snapshot.data, at, at + limit - start, stamp_key(start, at, ring.headers.cookie), found)
    return found


def _look_through(data: bytes, at: int, until: int, key: int, found: Places) -> None:
    # One chunk, up to `until`. Records and items begin at multiples of POSITION_UNIT.
    unpack, copied_of, first_items = _HEADER.unpack_from, _COPIED.unpack_from, _FirstItems()
    header_size, item_size, unit = _HEADER.size, _COPIED.size, layout.POSITION_UNIT
    length_mask, length_bits = layout.LENGTH_MASK, layout.LENGTH_BITS
    begins, ends, run = found.begins.append, found.ends.append, at
    while at + header_size <= until:
        stamp, nr, length_type = unpack(data, at)
        length = (length_type & length_mask) << 3
        end = at + length
        if stamp != at >> 3 ^ key or length < header_size or end > until:
            if run < at:
                found.runs.append((run, at))
            at += unit
            run = at
            continue
        at += first_items[nr, length_type >> length_bits]
        while at < end:
            (copied,) = copied_of(data, at)
            at += item_size
            if copied:
                begins(at)
                at += copied
                ends(min(at, end))
                at += -at % unit
        at = end
    if run < at:
        found.runs.append((run, at))


class _FirstItems(dict[tuple[int, int], int]):
    """By a record's nr and type: how far behind its begin its first item would be."""

    def __missing__(self, key: tuple[int, int]) -> int:
        nr, kind = key
        # As `events` takes records apart: [number], result of an exit, registers, items.
        words = (nr & layout.NR_MASK == layout.NR_WIDE) + (kind == layout.TYPE_EXIT)
        words += nr >> layout.NR_ARGS_SHIFT & layout.NR_ARGS_MASK
        self[key] = layout.HEADER.size + 8 * words if kind in _WITH_ITEMS else _NOWHERE
        return self[key]
