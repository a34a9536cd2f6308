# SPDX-License-Identifier: Apache-2.0
"""Reads the areas of a ring, which keep what its data forgets: the calls that were new, and those of the runtime.

`record.h` explains an area. In a snapshot the bytes of the areas follow those of the ring, and its description says of
each how far it can be trusted: from `oldest` to `limit`, and the first `kept` bytes, which are never overwritten. Each
record has a base of its own before it, and both prove themselves by their stamps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final, NamedTuple, Self

from traceloop_decode import layout
from traceloop_decode.model import DecodeError

FIRSTS: Final = "firsts"
RUNTIME: Final = "runtime"
SIZE_MAX: Final = 16 << 20
"""Maximum size of an area, in bytes."""
_SLACK_MAX: Final = 1 << 16
BYTES_MAX: Final = len(layout.AREAS) * (SIZE_MAX + _SLACK_MAX)
"""Maximum size of all areas in a snapshot, in bytes."""
_POSITIONS: Final = range(1 << 63)
_STAMP_MASK: Final = 0xFFFFFFFF
_RESULT: Final = Struct("<q")
_NUMBER_SIZE: Final = 8


@dataclass(frozen=True, slots=True)
class Area:
    """An area as it was copied. size, kept: bytes. length: of its bytes in the snapshot. dropped: records without room.

    limit, oldest: positions between which records can be trusted, apart from those within the first `kept` bytes.
    """

    name: str
    size: int
    kept: int
    limit: int
    oldest: int
    dropped: int
    length: int

    def fields(self) -> list[object]:
        """Returns the description as JSON values."""
        return [self.name, self.size, self.kept, self.limit, self.oldest, self.dropped, self.length]

    @classmethod
    def of_fields(cls, found: object) -> Self:
        """Parses what `fields` returned. Raises DecodeError for anything else."""
        if not isinstance(found, list) or len(found) != len(cls.__slots__) or not isinstance(found[0], str):
            raise DecodeError("damaged snapshot: an area without description")
        name, *numbers = found
        if not all(type(number) is int and number in _POSITIONS for number in numbers):
            raise DecodeError(f"damaged snapshot: the area {name[:40]!r} has {str(numbers)[:80]}")
        area = cls(name, *numbers)
        if not (area.kept < area.size <= SIZE_MAX and area.length <= area.size + _SLACK_MAX):
            raise DecodeError(f"damaged snapshot: an area of {area.size} bytes, {area.kept} of them kept")
        return area

    def place(self, pos: int) -> int:
        """Returns where the byte at a position is, as a distance from the area's first one."""
        return pos if pos < self.size else self.kept + (pos - self.kept) % (self.size - self.kept)

    def stretches(self) -> Iterator[tuple[int, int]]:
        """Yields the positions between which records can be trusted, as begin and end."""
        if self.limit <= self.size:
            yield 0, self.limit
        else:
            yield 0, self.kept
            yield max(self.oldest, self.kept, self.limit - self.size), self.limit


class Found(NamedTuple):
    """A record in an area. at, end: offsets of its header and of its end in the snapshot's data. ts_ns: its time."""

    ts_ns: int
    cpu: int
    pid: int
    tid: int
    comm: str
    type: int
    nr: int
    at: int
    end: int


def areas_of_fields(found: Any) -> tuple[Area, ...]:
    """Parses the descriptions of a snapshot's areas. Raises DecodeError."""
    if not isinstance(found, list) or len(found) > len(layout.AREAS):
        raise DecodeError("damaged snapshot: its areas are no list of areas")
    return tuple(Area.of_fields(one) for one in found)


def found_in(area: Area, data: bytes, begin: int, cookie: int) -> Iterator[Found]:
    """Yields the records of an area in the order in which they were written. begin: of its bytes in the data."""
    bits, mask = layout.FORMS[layout.RECORD_VERSION].length_bits, layout.FORMS[layout.RECORD_VERSION].length_mask
    base_type = layout.TYPE_BASE << bits | layout.BASE.size // layout.POSITION_UNIT
    last = begin + min(area.length, len(data) - begin) - layout.HEADER.size
    for start, limit in area.stretches():
        pos = start
        while pos + layout.BASE.size + layout.HEADER.size <= limit:
            at = begin + area.place(pos)
            record = at + layout.BASE.size
            if record > last:
                pos += layout.POSITION_UNIT
                continue
            stamp, tid, pid, cpu, length_type, ts_ns, comm = layout.BASE.unpack_from(data, at)
            own_stamp, own_tid, _, nr, own_type = layout.HEADER.unpack_from(data, record)
            length = (own_type & mask) * layout.POSITION_UNIT
            end = pos + layout.BASE.size + length
            whole = layout.HEADER.size <= length and end <= limit and record + length <= last + layout.HEADER.size
            stamps = pos >> 3 ^ cookie, pos + layout.BASE.size >> 3 ^ cookie
            stamped = (stamp, own_stamp) == tuple(one & _STAMP_MASK for one in stamps)
            if not (whole and stamped and length_type == base_type):
                pos += layout.POSITION_UNIT
                continue
            name = comm.partition(b"\0")[0].decode("utf-8", "backslashreplace")
            # A length that was damaged must not hide the records that follow.
            inside = range(pos + layout.BASE.size + layout.HEADER.size, end, layout.POSITION_UNIT)
            end = next(_stamped(area, data, begin, cookie, inside), end)
            if tid == own_tid:
                yield Found(ts_ns, cpu, pid, tid, name, own_type >> bits, nr, record, at + end - pos)
            pos = end


def _stamped(area: Area, data: bytes, begin: int, cookie: int, positions: range) -> Iterator[int]:
    # Those of the positions where the stamps of a base and of its record stand.
    for pos in positions:
        at = begin + area.place(pos)
        if int.from_bytes(data[at : at + 4], "little") != (pos >> 3 ^ cookie) & _STAMP_MASK:
            continue
        own, its = at + layout.BASE.size, pos + layout.BASE.size
        if int.from_bytes(data[own : own + 4], "little") == (its >> 3 ^ cookie) & _STAMP_MASK:
            yield pos


def return_of(at_ns: int, nr: int, body: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yields what a return with its arguments (TYPE_RETURN) stands for, as `records_of` does."""
    alone = ~(layout.NR_ARGS_MASK << layout.NR_ARGS_SHIFT)
    result = _NUMBER_SIZE * (nr & layout.NR_MASK == layout.NR_WIDE)
    middle = result + _RESULT.size
    if middle <= len(body):
        yield at_ns, layout.TYPE_ENTER, nr, body[:result] + body[middle:]
        yield at_ns, layout.TYPE_EXIT, nr & alone, body[:middle]


def records_of(found: Found, data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yields what a record of an area stands for, as time (ns), type, number and body of records of the ring.

    A whole call stands for its entry and its return. One whose return was recorded by itself has its arguments there,
    and the time of its return.
    """
    at_ns = found.ts_ns
    room, begin = layout.ROOM.size, found.at + layout.HEADER.size
    alone = ~(layout.NR_ARGS_MASK << layout.NR_ARGS_SHIFT)
    match found.type:
        case layout.TYPE_CALL | layout.TYPE_CALL_OUT if found.end >= begin + room:
            duration_ns, its = layout.ROOM.unpack_from(data, begin)
            whole = found.type == layout.TYPE_CALL
            middle = found.end if whole else found.at + its
            if begin + room <= middle <= found.end:
                end = _RESULT.pack(its) if whole else data[middle : found.end]
                yield at_ns, layout.TYPE_ENTER, found.nr, data[begin + room : middle]
                yield at_ns + duration_ns, layout.TYPE_EXIT, found.nr & alone, end
        case layout.TYPE_ENTER if found.nr & layout.REQUEST != layout.REQUEST:
            yield at_ns, layout.TYPE_ENTER, found.nr, data[begin + room : found.end]
        case layout.TYPE_RETURN:
            yield from return_of(at_ns, found.nr, data[begin : found.end])
        case _:
            yield at_ns, found.type, found.nr, data[begin : found.end]
