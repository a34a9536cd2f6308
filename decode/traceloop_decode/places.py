# SPDX-License-Identifier: Apache-2.0
"""Places of records and items in a snapshot's data; items are copies of traced programs' memory.

The contents of items are not looked at. The kernel side wrote all else in a record: header, number, registers,
result, and before each item its length. Total: damaged bytes give fewer places, and none outside the data.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from struct import Struct
from typing import Final

from traceloop_decode import layout
from traceloop_decode.areas import Found, found_in
from traceloop_decode.ring_reader import RingReader, stamp_key
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.submitted import first_item

_HEADER: Final = Struct("<I8xHH")  # tl_header without tid and time
_STAMP: Final = Struct("<I")
_ITEM: Final = Struct("<xBHI")  # tl_item without its argument
_WRITTEN: Final = layout.KIND_MASK | layout.ITEM_OUT
_ENTRIES: Final = (layout.TYPE_ENTER, layout.TYPE_CALL, layout.TYPE_CALL_OUT)
_RETURNS: Final = (layout.TYPE_EXIT, layout.TYPE_RETURN)
_WITH_ITEMS: Final = (*_ENTRIES, *_RETURNS)
_ROOM: Final = layout.ROOM
_RESULT_SIZE: Final = 8
_NOWHERE: Final = layout.RECORD_MAX_BYTES


@dataclass(frozen=True, slots=True)
class Places:
    """Offsets in the data, ascending. Arrays, because a ring may have tens of thousands of places.

    runs: begin and end of sequences of adjacent records. begins, ends: of each item's bytes; none is empty.
    tails: for memory longer than an item: the index of the item with its beginning, those of the first and the last
    item of its end, and whether bytes between were left out of what was written (False for a path).
    """

    runs: list[tuple[int, int]]
    begins: array[int]
    ends: array[int]
    tails: list[tuple[int, int, int, bool]] = field(default_factory=list)


def places(snapshot: Snapshot) -> Places:
    """Finds every record that bears its stamp: at least those that `RingReader` and `areas` trust."""
    ring, found = RingReader(snapshot), Places([], array("Q"), array("Q"))
    mask, form = snapshot.ring_size - 1, layout.FORMS[snapshot.record_version]
    for start, limit in sorted(ring.chunks(), key=lambda chunk: chunk[0] & mask):
        at = start & mask
        key = stamp_key(start, at, ring.headers.cookie)
        _look_through(snapshot.data, at, at + limit - start, key, form, found=found)
    for record in _in_areas(snapshot, ring.headers.cookie):
        begin = record.at - layout.BASE.size
        found.runs.append((begin, record.at))
        (stamp,) = _STAMP.unpack_from(snapshot.data, record.at)
        key = stamp ^ record.at >> 3
        _look_through(snapshot.data, record.at, record.end, key, form, found=found)
    return found


def _in_areas(snapshot: Snapshot, cookie: int) -> Iterator[Found]:
    # Yields the records of the areas by their places. In damaged bytes they may overlap, of which the first counts, or
    # stand between multiples of POSITION_UNIT.
    begin = snapshot.ring_length
    for area in snapshot.areas:
        last = begin
        for record in sorted(found_in(area, snapshot.data, begin, cookie), key=attrgetter("at")):
            if record.at - layout.BASE.size >= last and not record.at % layout.POSITION_UNIT:
                yield record
                last = record.end
        begin += area.length


def _look_through(data: bytes, at: int, until: int, key: int, form: layout.Form, *, found: Places) -> None:
    # Scans one chunk up to `until`. Records and items begin at multiples of POSITION_UNIT.
    unpack, item_of, first_items = _HEADER.unpack_from, _ITEM.unpack_from, _FirstItems(form)
    header_size, item_size, unit, is_tail = _HEADER.size, _ITEM.size, layout.POSITION_UNIT, layout.ITEM_TAIL
    length_mask, length_bits, calls = form.length_mask, form.length_bits, layout.TYPE_CALL
    begins, ends, run = found.begins.append, found.ends.append, at
    while at + header_size <= until:
        stamp, nr, length_type = unpack(data, at)
        kind_of_record, length = length_type >> length_bits, (length_type & length_mask) << 3
        end = at + length
        if end > until and calls <= kind_of_record <= layout.TYPE_CALL_OUT:
            end = until  # its return was recorded after the cut
        if stamp != at >> 3 ^ key or length < header_size or end > until:
            if run < at:
                found.runs.append((run, at))
            at += unit
            run = at
            continue
        middle = end
        if kind_of_record == layout.TYPE_CALL_OUT and length > header_size:
            middle = min(end, at + max(header_size, _ROOM.unpack_from(data, at + header_size)[1]))
        at += first_items[nr, kind_of_record]
        while at < end:
            if at == middle:
                at += _RESULT_SIZE
                continue
            kind, copied, size = item_of(data, at)
            at += item_size
            if copied:
                begins(at)
                at += copied
                ends(min(at, end))
                if kind & is_tail:
                    _extend(found, kind, size)
                at += -at % unit
        at = end
    if run < at:
        found.runs.append((run, at))


def _extend(found: Places, kind: int, size: int) -> None:
    # The last item is of the end of what those before it are of. size: of all of it.
    index = len(found.begins) - 1
    head, first = index - 1, index
    if found.tails and found.tails[-1][2] == index - 1:
        head, first, _, _ = found.tails.pop()
    if head >= 0:
        known = sum(end - begin for begin, end in zip(found.begins[head:], found.ends[head:], strict=True))
        found.tails.append((head, first, index, known < size and kind & _WRITTEN == layout.KIND_BUFFER))


class _FirstItems(dict[tuple[int, int], int]):
    """Maps a record's nr and type to the distance from its begin to its first item."""

    def __init__(self, form: layout.Form) -> None:
        self._room = form.room

    def __missing__(self, key: tuple[int, int]) -> int:
        nr, kind = key
        if kind in _WITH_ITEMS and nr & layout.REQUEST == layout.REQUEST:
            self[key] = layout.HEADER.size + first_item(kind, nr)
            return self[key]
        # [room], [number], a return's result, registers, items.
        words = (nr & layout.NR_MASK == layout.NR_WIDE) + (kind in _RETURNS)
        words += nr >> layout.NR_ARGS_SHIFT & layout.NR_ARGS_MASK
        first = layout.HEADER.size + 8 * words + (self._room if kind in _ENTRIES else 0)
        self[key] = first if kind in _WITH_ITEMS else _NOWHERE
        return self[key]
