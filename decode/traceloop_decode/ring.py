# SPDX-License-Identifier: Apache-2.0
"""Which records of a Snapshot can be believed, in which order, and what is missing between them.

Theory of operation (`record.h` explains the ring):

The first copy of the headers, taken before the data was copied, is the cut: what a CPU had finished by then is in
the copy, unless it was overwritten while the copy was made. So a record counts if

- its chunk begins at or above ``head - size`` of the last copy: no one had reserved its place anew;
- it ends at or below its CPU's ``pos`` of the first copy;
- its stamp is right;
- no program that was lapped by the ring may have written over it: see `_Damage`.

Every chunk says how many records its CPU had written before it, so what is missing is known to the record:
before a CPU's first chunk it was overwritten, anywhere else it was rejected here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from typing import Final, NamedTuple

from traceloop_decode import layout
from traceloop_decode.model import Lost
from traceloop_decode.snapshot import Snapshot

_COUNTED: Final = frozenset(
    (layout.TYPE_ENTER, layout.TYPE_EXIT, layout.TYPE_SIGNAL, layout.TYPE_TASK_EXIT, layout.TYPE_SIGNAL_SENT)
)
_NO_EVENTS: Final = frozenset((layout.TYPE_EXIT, layout.TYPE_SIGNAL_SENT))
_STAMP_MASK: Final = 0xFFFFFFFF


class Record(NamedTuple):
    """One record behind its header. nr: tl_header.nr. body: what follows the header, with its padding."""

    ts_ns: int
    cpu: int
    pid: int
    tid: int
    comm: str
    type: int
    nr: int
    body: bytes


class Cpu(NamedTuple):
    """struct tl_cpu."""

    pos: int
    end: int
    records: int
    events: int
    busy: int
    dropped: int
    late: tuple[tuple[int, int, int], ...]
    reread: int
    unread: int


@dataclass(frozen=True, slots=True)
class Headers:
    """struct tl_ring and the struct tl_cpu behind it."""

    head: int
    cookie: int
    init_pid: int
    exited: bool
    exit_ns: int
    exit_code: int
    cpus: tuple[Cpu, ...]

    @classmethod
    def parse(cls, headers: bytes, cpus: int) -> Headers:
        """From bytes as the kernel laid them out; `headers` has at least layout.headers_size(cpus) bytes."""
        head, cookie, _renames, _version, init_pid, _retries, exited, exit_ns, exit_code, _withheld = (
            layout.RING.unpack_from(headers)
        )
        return cls(head, cookie, init_pid, bool(exited), exit_ns, exit_code, tuple(_cpus(headers, cpus)))


def _cpus(headers: bytes, cpus: int) -> Iterator[Cpu]:
    for at in range(layout.RING.size, layout.headers_size(cpus), layout.CPU.size):
        pos, end, records, events, busy, _base, _tid, _renames, dropped, late, _late_count, _open, reread, unread = (
            layout.CPU.unpack_from(headers, at)
        )
        yield Cpu(pos, end, records, events, busy, dropped, tuple(layout.LATE_ENTRY.iter_unpack(late)), reread, unread)


class _Damage:
    """Where a program that stalled for a lap may have written into another's chunk.

    Each entry is a range of positions that were written late, and the head at which the write was over: records
    reserved before that, and lying where the range lies in the ring, may be damaged. One CPU's late writes are a lap
    apart, since it looks at the head before each, so what falls off its list concerns no one any more.
    """

    def __init__(self, copies: list[Headers], ring_size: int, chunk_size: int) -> None:
        self.ring_size = ring_size
        ranges: set[tuple[int, int, int | None]] = set()
        for copy in copies:
            for cpu in copy.cpus:
                if cpu.busy:
                    start = cpu.busy - 1
                    ranges.add((start, start - start % chunk_size + chunk_size, None))
                ranges.update(entry for entry in cpu.late if entry[2])
        self.ranges = tuple((start, to, head) for start, to, head in ranges if start < to)

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def touches(self, pos: int, length: int) -> bool:
        for start, to, head in self.ranges:
            distance = pos - start
            if distance <= 0 or (head is not None and pos >= head):
                continue
            place = distance % self.ring_size
            if (distance >= self.ring_size and place < to - start) or self.ring_size - place < length:
                return True
        return False


class _Chunk(NamedTuple):
    start: int
    limit: int
    records: int
    events: int
    current: bool


class Ring:
    """A Snapshot opened for reading."""

    def __init__(self, snapshot: Snapshot) -> None:
        copies = [Headers.parse(headers, snapshot.cpus) for headers in snapshot.headers]
        self.headers = copies[0]
        self._snapshot = snapshot
        self._damage = _Damage(copies, snapshot.ring_size, snapshot.chunk_size)
        self._chunks: dict[int, list[_Chunk]] = {cpu: [] for cpu in range(snapshot.cpus)}
        head = max(copy.head for copy in copies)
        first = max(0, -(-(head - snapshot.ring_size) // snapshot.chunk_size))
        last = min(self.headers.head, head) // snapshot.chunk_size
        if len(snapshot.data) < snapshot.ring_size:  # never filled: nothing lies behind the data
            last = min(last, len(snapshot.data) // snapshot.chunk_size)
        for number in range(first, last):
            self._open_chunk(number * snapshot.chunk_size)

    def _open_chunk(self, start: int) -> None:
        size = self._snapshot.chunk_size
        offset, end = start % self._snapshot.ring_size, start + size
        if offset + size > len(self._snapshot.data):
            return
        stamp, _, _, _, length_type, records, events, cpu, _ = layout.CHUNK.unpack_from(self._snapshot.data, offset)
        if (
            stamp != (start >> 3 ^ self.headers.cookie) & _STAMP_MASK
            or length_type != layout.TYPE_CHUNK << layout.LENGTH_BITS | layout.CHUNK.size // layout.POSITION_UNIT
            or cpu >= self._snapshot.cpus
            or (self._damage and self._damage.touches(start, layout.CHUNK.size))
        ):
            return
        owner = self.headers.cpus[cpu]
        if owner.end >= end:  # else it was begun behind the cut
            current = owner.end == end
            limit = min(owner.pos, end) if current else end
            self._chunks[cpu].append(_Chunk(start, limit, records, events, current))

    def chunks(self) -> Iterator[tuple[int, int]]:
        """The positions of each chunk's begin, and of the end of what can be believed in it."""
        return ((chunk.start, chunk.limit) for chunks in self._chunks.values() for chunk in chunks)

    def records(self) -> Iterator[Record | Lost]:
        """All records in the order of time, and what is missing in its place."""
        wrote = [n for n, cpu in enumerate(self.headers.cpus) if self._chunks[n] or cpu.records or cpu.dropped]
        if len(wrote) == 1:
            return self._of_cpu(wrote[0])
        return merge(*map(self._of_cpu, wrote), key=_ts_ns)

    def _of_cpu(self, cpu: int) -> Iterator[Record | Lost]:
        owner = self.headers.cpus[cpu]
        ts_ns = self._snapshot.started_ns
        seen_records = seen_events = 0
        reason, complete = "overwritten", False
        for chunk in self._chunks[cpu]:
            missing = chunk.records - seen_records, chunk.events - seen_events
            seen_records, seen_events = chunk.records, chunk.events
            walk = _Walk(self._snapshot, self.headers.cookie, self._damage, cpu, chunk)
            for record in walk:
                ts_ns = record.ts_ns
                if missing[0] > 0:
                    yield Lost(ts_ns, cpu, max(0, missing[1]), missing[0], reason)
                    missing = 0, 0
                seen_records += 1
                seen_events += record.type not in _NO_EVENTS
                yield record
            if missing[0] > 0:
                yield Lost(ts_ns, cpu, max(0, missing[1]), missing[0], reason)
            reason, complete = "rejected", walk.whole and chunk.current
        # A CPU counts a record before it moves its pos: where the cut fell between, one seems to be missing and is not.
        if owner.records - seen_records > (1 if complete else 0):
            yield Lost(ts_ns, cpu, max(0, owner.events - seen_events), owner.records - seen_records, reason)
        if owner.dropped:
            yield Lost(ts_ns, cpu, owner.dropped, owner.dropped, "dropped")


class _Walk:
    """The good records of one chunk. Once it is through, `whole` says whether all were good."""

    def __init__(self, snapshot: Snapshot, cookie: int, damage: _Damage, cpu: int, chunk: _Chunk) -> None:
        self._snapshot, self._cookie, self._damage, self._cpu, self._chunk = snapshot, cookie, damage, cpu, chunk
        self.whole = True

    def __iter__(self) -> Iterator[Record]:
        data, mask, cookie = self._snapshot.data, self._snapshot.ring_size - 1, self._cookie
        cpu, damage = self._cpu, self._damage or None
        header_size, unpack = layout.HEADER.size, layout.HEADER.unpack_from
        base_ns, pid, base_tid, comm, new = -1, 0, 0, "", tuple.__new__  # Record() itself takes twice as long
        pos, limit = self._chunk.start + layout.CHUNK.size, self._chunk.limit
        while pos + header_size <= limit:
            offset = pos & mask
            stamp, tid, delta_ns, nr, length_type = unpack(data, offset)
            length = (length_type & layout.LENGTH_MASK) << 3
            if (
                stamp != (pos >> 3 ^ cookie) & _STAMP_MASK
                or length < header_size
                or pos + length > limit
                or (damage is not None and damage.touches(pos, length))
            ):
                # On to what proves itself again. Its time and thread are known behind the next base.
                self.whole, base_ns = False, -1
                pos += layout.POSITION_UNIT
                continue
            kind = length_type >> layout.LENGTH_BITS
            if kind == layout.TYPE_BASE and length == layout.BASE.size:
                _, base_tid, pid, _, _, base_ns, name = layout.BASE.unpack_from(data, offset)
                comm = name.partition(b"\0")[0].decode("utf-8", "backslashreplace")
            elif kind in _COUNTED and base_ns >= 0 and tid == base_tid:
                body = data[offset + header_size : offset + length]
                yield new(Record, (base_ns + delta_ns, cpu, pid, tid, comm, kind, nr, body))
            else:
                self.whole = False
            pos += length


def stamp_key(start: int, offset: int, cookie: int) -> int:
    """For the chunk that begins at position `start`, and at data[offset]: ``at >> 3 ^ key`` stamps what is at data[at].

    Both are multiples of the chunk's size, so what tells its records apart are the bits below.
    """
    return (start >> 3 ^ offset >> 3 ^ cookie) & _STAMP_MASK


def _ts_ns(item: Record | Lost) -> int:
    return item.ts_ns


class Count(NamedTuple):
    """How much one ring has recorded, and how much of it is no longer there."""

    records: int
    events: int
    lost_records: int
    lost_events: int


def count(headers: Headers, chunk_heads: Iterator[bytes]) -> Count:
    """The account of a ring from its headers and the struct tl_chunk at each chunk's place, without its records.

    For the daemon, which reads nothing that traced programs wrote.
    """
    oldest: dict[int, tuple[int, int]] = {}
    for head in chunk_heads:
        _, _, _, _, length_type, records, events, cpu, _ = layout.CHUNK.unpack(head)
        if length_type >> layout.LENGTH_BITS == layout.TYPE_CHUNK and cpu < len(headers.cpus):
            oldest[cpu] = min(oldest.get(cpu, (records, events)), (records, events))
    records = events = lost_records = lost_events = 0
    for number, cpu in enumerate(headers.cpus):
        before = oldest.get(number, (cpu.records, cpu.events))
        records += cpu.records + cpu.dropped
        events += cpu.events + cpu.dropped
        lost_records += before[0] + cpu.dropped
        lost_events += before[1] + cpu.dropped
    return Count(records, events, lost_records, lost_events)
