# SPDX-License-Identifier: Apache-2.0
"""Where in a snapshot's data its records lie, and in them the items: what traced programs' memory was copied to.

Nothing of the items is looked at. All else in a record was written by the kernel side: header, number, registers,
result, and before each item its length. Total: damaged bytes give fewer places, and none outside of the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from traceloop_decode import layout
from traceloop_decode.ring import Ring
from traceloop_decode.snapshot import Snapshot

_STAMP_MASK: Final = 0xFFFFFFFF
_NO_ITEMS: Final[tuple[tuple[int, int], ...]] = ()


class Place(NamedTuple):
    """A record at data[begin:end]; items: begin and end of each item's bytes."""

    begin: int
    end: int
    items: tuple[tuple[int, int], ...]


def places(snapshot: Snapshot) -> Iterator[Place]:
    """Every record that bears its stamp: at least those that `Ring` believes, in no order."""
    ring = Ring(snapshot)
    data, mask, cookie = snapshot.data, snapshot.ring_size - 1, ring.headers.cookie
    unpack, header_size = layout.HEADER.unpack_from, layout.HEADER.size
    for start, limit in ring.chunks():
        pos = start
        while pos + header_size <= limit:
            at = pos & mask
            stamp, _, _, nr, length_type = unpack(data, at)
            length = (length_type & layout.LENGTH_MASK) << 3
            if stamp != (pos >> 3 ^ cookie) & _STAMP_MASK or length < header_size or pos + length > limit:
                pos += layout.POSITION_UNIT
                continue
            kind = length_type >> layout.LENGTH_BITS
            if kind in (layout.TYPE_ENTER, layout.TYPE_EXIT):
                yield Place(at, at + length, _items(data, at, at + length, kind, nr))
            else:
                yield Place(at, at + length, _NO_ITEMS)
            pos += length


def _items(data: bytes, begin: int, end: int, kind: int, nr: int) -> tuple[tuple[int, int], ...]:
    # As `events` takes records apart: [number], result of an exit, registers, items.
    words = (nr & layout.NR_MASK == layout.NR_WIDE) + (kind == layout.TYPE_EXIT)
    words += nr >> layout.NR_ARGS_SHIFT & layout.NR_ARGS_MASK
    at = begin + layout.HEADER.size + 8 * words
    found = []
    while at + layout.ITEM.size <= end:
        copied = layout.ITEM.unpack_from(data, at)[2]
        at += layout.ITEM.size
        if copied:
            found.append((at, min(at + copied, end)))
        at += copied + -copied % layout.POSITION_UNIT
    return tuple(found)
