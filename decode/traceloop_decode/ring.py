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

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace
from itertools import accumulate, chain
from operator import itemgetter
from typing import Final, NamedTuple

from traceloop_decode import layout
from traceloop_decode.model import Lost
from traceloop_decode.snapshot import Snapshot

_COUNTED: Final = frozenset(
    (layout.TYPE_ENTER, layout.TYPE_EXIT, layout.TYPE_SIGNAL, layout.TYPE_TASK_EXIT, layout.TYPE_SIGNAL_SENT)
)
_NO_EVENTS: Final = frozenset((layout.TYPE_EXIT, layout.TYPE_SIGNAL_SENT))
_STAMP_MASK: Final = 0xFFFFFFFF
_ENDLESS: Final = 1 << 65  # behind all positions


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


_Batch = list[Record] | list[Lost] | list[Record | Lost]
_BATCH_BYTES: Final = 4096
_ts_ns: Final = itemgetter(0)
_when: Final = itemgetter(0, 1)  # by CPU where times are equal


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


class Unrecorded(NamedTuple):
    """What no record could tell.

    io_urings: instances of io_uring that the container set up; requests that go through them are no calls.
    cgroups: those below the container's own that found no place in the recorder's table, whenever they were made.
    rereads: calls whose arguments could not be read at entry, and found no place to be remembered until their exit.
    """

    io_urings: int
    cgroups: int
    rereads: int


def unrecorded(snapshot: Snapshot) -> Unrecorded:
    """What is in no record of a snapshot's ring."""
    return Headers.parse(snapshot.headers[-1], snapshot.cpus).unrecorded


@dataclass(frozen=True, slots=True)
class Headers:
    """struct tl_ring and the struct tl_cpu behind it."""

    head: int
    cookie: int
    unrecorded: Unrecorded
    init_pid: int
    exited: bool
    exit_ns: int
    exit_code: int
    cpus: tuple[Cpu, ...]

    @classmethod
    def parse(cls, headers: bytes, cpus: int) -> Headers:
        """From bytes as the kernel laid them out; `headers` has at least layout.headers_size(cpus) bytes."""
        head, cookie, _renames, _parts, _below, left_out, forgotten, io_urings, before, *rest = layout.RING.unpack_from(
            headers
        )
        _version, init_pid, _retries, exited, exit_ns, exit_code, _withheld = rest
        how = init_pid, bool(exited), exit_ns, exit_code
        unrecorded = Unrecorded(io_urings, left_out + before, forgotten)
        return cls(head, cookie, unrecorded, *how, tuple(_cpus(headers, cpus)))


def _cpus(headers: bytes, cpus: int) -> Iterator[Cpu]:
    for at in range(layout.RING.size, layout.headers_size(cpus), layout.CPU.size):
        pos, end, records, events, busy, _base, _tid, _renames, dropped, late, _late_count, _open, reread, unread = (
            layout.CPU.unpack_from(headers, at)
        )
        yield Cpu(pos, end, records, events, busy, dropped, tuple(layout.LATE_ENTRY.iter_unpack(late)), reread, unread)


class _Damage:
    """Where a program that stalled for a lap may have written into another's chunk.

    Each entry of the headers is a range of positions that were written late, and the head at which the write was over:
    records reserved before that, and lying where the range lies in the ring a lap or more later, may be damaged. One
    CPU's late writes are a lap apart, since it looks at the head before each, so what falls off its list concerns no
    one any more.

    A record that begins at `pos` is touched if some range begins before its end, and ends (at the latest at its head)
    behind `pos`. So of all ranges that begin before a position, the latest end is all that is kept.
    """

    def __init__(self, copies: list[Headers], ring_size: int, chunk_size: int, first: int) -> None:
        """first: the lowest position that is looked at; all are within a lap from there."""
        late: set[tuple[int, int, int | None]] = set()
        for copy in copies:
            for cpu in copy.cpus:
                if cpu.busy:
                    start = cpu.busy - 1
                    late.add((start, start - start % chunk_size + chunk_size, None))
                late.update(entry for entry in cpu.late if entry[2])
        ranges = sorted(
            (begin, end if head is None else min(end, head))
            for start, to, head in late
            if start < to
            for begin, end in _laps(start, to, ring_size, first)
        )
        self._begins = [begin for begin, _ in ranges]
        self._ends = list(accumulate((end for _, end in ranges), max))

    def __bool__(self) -> bool:
        return bool(self._begins)

    def touches(self, pos: int, length: int) -> bool:
        before = bisect_left(self._begins, pos + length)
        return before > 0 and self._ends[before - 1] > pos


def _laps(start: int, to: int, ring_size: int, first: int) -> Iterator[tuple[int, int]]:
    # Where a range comes to lie in the laps after its own, as far as these are looked at.
    if to - start >= ring_size:
        yield start + ring_size, _ENDLESS
        return
    begin = start + max(1, (first - start) // ring_size) * ring_size
    while begin < first + ring_size:
        yield begin, begin + to - start
        begin += ring_size


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
        self._chunks: dict[int, list[_Chunk]] = {cpu: [] for cpu in range(snapshot.cpus)}
        head = max(copy.head for copy in copies)
        first = max(0, -(-(head - snapshot.ring_size) // snapshot.chunk_size))
        self._damage = _Damage(copies, snapshot.ring_size, snapshot.chunk_size, first * snapshot.chunk_size)
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

    def may_be_damaged(self, pos: int, length: int) -> bool:
        """May a program that was lapped by the ring have written over these bytes?"""
        return self._damage.touches(pos, length)

    def overwritten_until_ns(self) -> float:
        """Since when no CPU's records are overwritten; infinity where nothing tells of it."""
        until_ns: float = 0
        for number, cpu in enumerate(self.headers.cpus):
            chunks = self._chunks[number]
            if cpu.dropped or (cpu.records and not chunks):
                return math.inf
            if chunks and chunks[0].records:
                at = (chunks[0].start + layout.CHUNK.size) % self._snapshot.ring_size
                until_ns = max(until_ns, layout.BASE.unpack_from(self._snapshot.data, at)[5])
        return until_ns

    def records(self) -> Iterator[Record | Lost]:
        """All records in the order of time, and what is missing in its place."""
        wrote = [n for n, cpu in enumerate(self.headers.cpus) if self._chunks[n] or cpu.records or cpu.dropped]
        streams = [self._of_cpu(cpu) for cpu in wrote]
        return chain.from_iterable(streams[0] if len(streams) == 1 else _in_time(streams))

    def _of_cpu(self, cpu: int) -> Iterator[_Batch]:
        owner = self.headers.cpus[cpu]
        ts_ns = self._snapshot.started_ns
        seen_records = seen_events = 0
        reason, complete = "overwritten", False
        for chunk in self._chunks[cpu]:
            missing = chunk.records - seen_records, chunk.events - seen_events
            seen_records, seen_events = chunk.records, chunk.events
            walk = _Walk(self._snapshot, self.headers.cookie, self._damage, cpu, chunk)
            for batch in walk:
                if missing[0] > 0:
                    yield [Lost(batch[0].ts_ns, cpu, max(0, missing[1]), missing[0], reason)]
                    missing = 0, 0
                ts_ns = batch[-1].ts_ns
                seen_records += len(batch)
                yield batch
            if missing[0] > 0:
                yield [Lost(ts_ns, cpu, max(0, missing[1]), missing[0], reason)]
            seen_events += seen_records - chunk.records - walk.no_events
            reason, complete = "rejected", walk.whole and chunk.current
        # A CPU counts a record before it moves its pos: where the cut fell between, one seems to be missing and is not.
        if owner.records - seen_records > (1 if complete else 0):
            yield [Lost(ts_ns, cpu, max(0, owner.events - seen_events), owner.records - seen_records, reason)]
        if owner.dropped:
            yield [Lost(ts_ns, cpu, owner.dropped, owner.dropped, "dropped")]


class _Walk:
    """The good records of one chunk, by `_BATCH_BYTES` of the ring: faster than one by one, and little for each CPU.

    Once it is through, `whole` says whether all were good, and `no_events` how many of them are no events.
    """

    def __init__(self, snapshot: Snapshot, cookie: int, damage: _Damage, cpu: int, chunk: _Chunk) -> None:
        self._snapshot, self._cookie, self._damage, self._cpu, self._chunk = snapshot, cookie, damage, cpu, chunk
        self.whole, self.no_events = True, 0

    def __iter__(self) -> Iterator[list[Record]]:
        data, chunk, cpu, damage = self._snapshot.data, self._chunk, self._cpu, self._damage or None
        header_size, unpack, unit = layout.HEADER.size, layout.HEADER.unpack_from, layout.POSITION_UNIT
        length_mask, length_bits, counted, no_events = layout.LENGTH_MASK, layout.LENGTH_BITS, _COUNTED, _NO_EVENTS
        base_ns, pid, base_tid, comm, new = 0, 0, -1, "", tuple.__new__  # Record() itself takes twice as long
        at = chunk.start & self._snapshot.ring_size - 1
        key, distance = stamp_key(chunk.start, at, self._cookie), chunk.start - at
        at, until = at + layout.CHUNK.size, chunk.limit - distance
        while at + header_size <= until:
            batch: list[Record] = []
            stop = min(at + _BATCH_BYTES, until - header_size + 1)
            while at < stop:
                stamp, tid, delta_ns, nr, length_type = unpack(data, at)
                length = (length_type & length_mask) << 3
                end = at + length
                if (
                    stamp != at >> 3 ^ key
                    or length < header_size
                    or end > until
                    or (damage is not None and damage.touches(at + distance, length))
                ):
                    # On to what proves itself again. Its time and thread are known behind the next base.
                    self.whole, base_tid = False, -1
                    at += unit
                    continue
                kind = length_type >> length_bits
                if tid == base_tid and kind in counted:
                    body = data[at + header_size : end]
                    batch.append(new(Record, (base_ns + delta_ns, cpu, pid, tid, comm, kind, nr, body)))
                    if kind in no_events:
                        self.no_events += 1
                elif kind == layout.TYPE_BASE and length == layout.BASE.size:
                    _, base_tid, pid, _, _, base_ns, name = layout.BASE.unpack_from(data, at)
                    comm = name.partition(b"\0")[0].decode("utf-8", "backslashreplace")
                else:
                    self.whole = False
                at = end
            if batch:
                yield batch


def _in_time(streams: list[Iterator[_Batch]]) -> Iterator[_Batch]:
    """The batches of several CPUs, which are given in their order, as batches in the order of time.

    Each goes up to where the first of the batches ends, and takes those alone that have begun by then: there may be
    thousands of CPUs.
    """
    batches = [next(stream, []) for stream in streams]
    begins = [(_begin(batch), number) for number, batch in enumerate(batches) if batch]
    ends = [(_when(batch[-1]), number) for number, batch in enumerate(batches) if batch]
    heapify(begins)
    heapify(ends)
    while ends:
        until, ending = ends[0]
        begun: list[int] = []
        while begins and begins[0][0] <= until:
            begun.append(heappop(begins)[1])
        found: _Batch = []
        for number in sorted(begun):
            batch = batches[number]
            if number == ending:  # as a whole
                found += batch
                batch = next(streams[number], [])
                if batch:
                    heapreplace(ends, (_when(batch[-1]), number))
                else:
                    heappop(ends)
            else:
                last = bisect_right(batch, until, key=_when)
                found += batch[:last]
                batch = batch[last:]
            batches[number] = batch
            if batch:
                heappush(begins, (_begin(batch), number))
        found.sort(key=_ts_ns)  # runs of each CPU, which it merges
        yield found


def _begin(batch: _Batch) -> tuple[int, int]:
    # No later than its end: times of a damaged ring need not rise.
    begin: tuple[int, int] = min(_when(batch[0]), _when(batch[-1]))
    return begin


def stamp_key(start: int, offset: int, cookie: int) -> int:
    """For the chunk that begins at position `start`, and at data[offset]: ``at >> 3 ^ key`` stamps what is at data[at].

    Both are multiples of the chunk's size, so what tells its records apart are the bits below.
    """
    return (start >> 3 ^ offset >> 3 ^ cookie) & _STAMP_MASK


class Count(NamedTuple):
    """How much one ring has recorded, and how much of it is no longer there."""

    records: int
    events: int
    lost_records: int
    lost_events: int


def count(headers: Headers, chunk_heads: Iterable[bytes]) -> Count:
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
