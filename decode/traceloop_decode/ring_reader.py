# SPDX-License-Identifier: Apache-2.0
"""Reads a Snapshot's ring: which records can be trusted, their order, and what is missing between them.

Theory of operation (`record.h` explains the ring):

The first copy of the headers, taken before the data was copied, is the cut: what a CPU had finished by then is in
the copy, unless it was overwritten while the copy was made. So a record counts if

- its chunk begins at or above ``head - size`` of the last copy: no one had reserved its place again;
- it ends at or below its CPU's ``pos`` of the first copy;
- its stamp is right;
- if it is a call whose return completed the entry's record: its return counts unless it came after the cut. Then the
  record was the last of its CPU (`open` in the second copy), or is longer than its CPU's ``pos``;
- no writer that the ring had lapped may have written over it: see `_Damage`.

A call whose record has its return becomes two records, as if each had been written by itself, so that what other CPUs
did in the meantime finds its place between them.

Every chunk says how many records its CPU had written before it, so the missing records are counted exactly: those
before a CPU's first chunk were overwritten, all others were rejected here. A good record of a type beyond those that
there are now was written by a newer recorder: it is counted as such, since nothing of the ring is damaged.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from heapq import heapify, heappop, heappush, heapreplace
from itertools import accumulate, chain
from operator import itemgetter
from struct import Struct
from typing import Final, NamedTuple

from traceloop_decode import layout
from traceloop_decode.model import NEWER, Lost
from traceloop_decode.ring_headers import Headers
from traceloop_decode.snapshot import Snapshot

_COUNTED: Final = frozenset(
    (
        *(layout.TYPE_ENTER, layout.TYPE_EXIT, layout.TYPE_SIGNAL, layout.TYPE_TASK_EXIT),
        *(layout.TYPE_SIGNAL_SENT, layout.TYPE_LEFT, layout.TYPE_CALL, layout.TYPE_CALL_OUT),
        *(layout.TYPE_SIGNAL_IGNORED, layout.TYPE_SENDER, layout.TYPE_OOM, layout.TYPE_CAPABILITY),
        layout.TYPE_RETURN,
    )
)
NO_EVENTS: Final = frozenset(
    (
        *(layout.TYPE_EXIT, layout.TYPE_SIGNAL_SENT, layout.TYPE_LEFT),
        *(layout.TYPE_SENDER, layout.TYPE_OOM, layout.TYPE_CAPABILITY, layout.TYPE_RETURN),
    )
)
NEWEST_TYPE: Final = max(_COUNTED)
"""Records of later types are newer than this version."""
_RESULT: Final = Struct("<q")
_STAMP_MASK: Final = 0xFFFFFFFF
_ENDLESS: Final = 1 << 65  # greater than all positions


class Record(NamedTuple):
    """A record without its header. nr: tl_header.nr. body: what follows the header, with its padding."""

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
_when: Final = itemgetter(0, 1)  # by CPU if times are equal


class _Damage:
    """Ranges where a writer that stalled for a lap may have written into another CPU's chunk.

    Each entry of the headers is a range of positions that were written late, and the head when that write ended.
    Records may be damaged if they were reserved before that head and lie, a lap or more later, where the range lies in
    the ring. One CPU's late writes are a lap apart, since it looks at the head before each of them, so entries that its
    list has dropped no longer matter.

    A record that begins at `pos` is touched if some range begins before the record's end and ends (at the latest at its
    head) after `pos`. So of all ranges that begin before a position, only the latest end is kept.
    """

    def __init__(self, copies: list[Headers], ring_size: int, chunk_size: int, first: int) -> None:
        # first: the lowest position that is looked at; all others are within a lap from there.
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
    # Yields the places that a range has in later laps, as far as these are looked at.
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
    open: int


class RingReader:
    """Reader of a Snapshot's ring. read: how many of the ring's own records `records` has passed on so far."""

    def __init__(self, snapshot: Snapshot) -> None:
        copies = [Headers.parse(headers, snapshot.cpus) for headers in snapshot.headers]
        self.headers, self.read = copies[0], 0
        self._opens = [cpu.open for cpu in copies[1].cpus]
        self._snapshot, self._form = snapshot, layout.FORMS[snapshot.record_version]
        self._chunks: dict[int, list[_Chunk]] = {cpu: [] for cpu in range(snapshot.cpus)}
        head = max(copy.head for copy in copies)
        first = max(0, -(-(head - snapshot.ring_size) // snapshot.chunk_size))
        self._damage = _Damage(copies, snapshot.ring_size, snapshot.chunk_size, first * snapshot.chunk_size)
        last = min(self.headers.head, head) // snapshot.chunk_size
        if snapshot.ring_length < snapshot.ring_size:  # never filled: there is nothing after the data
            last = min(last, snapshot.ring_length // snapshot.chunk_size)
        for number in range(first, last):
            self._open_chunk(number * snapshot.chunk_size)

    def _open_chunk(self, start: int) -> None:
        size = self._snapshot.chunk_size
        offset, end = start % self._snapshot.ring_size, start + size
        if offset + size > self._snapshot.ring_length:
            return
        stamp, _, _, _, length_type, records, events, cpu, _ = layout.CHUNK.unpack_from(self._snapshot.data, offset)
        if (
            stamp != (start >> 3 ^ self.headers.cookie) & _STAMP_MASK
            or length_type != layout.TYPE_CHUNK << self._form.length_bits | layout.CHUNK.size // layout.POSITION_UNIT
            or cpu >= self._snapshot.cpus
            or (self._damage and self._damage.touches(start, layout.CHUNK.size))
        ):
            return
        owner = self.headers.cpus[cpu]
        if owner.end >= end:  # else the chunk was begun after the cut
            current = owner.end == end
            limit = min(owner.pos, end) if current else end
            self._chunks[cpu].append(_Chunk(start, limit, records, events, current, self._opens[cpu]))

    def chunks(self) -> Iterator[tuple[int, int]]:
        """Yields the begin of each chunk, and the end of what can be trusted in it, as positions."""
        return ((chunk.start, chunk.limit) for chunks in self._chunks.values() for chunk in chunks)

    def may_be_damaged(self, pos: int, length: int) -> bool:
        """Tells whether a writer that the ring had lapped may have written over these bytes."""
        return self._damage.touches(pos, length)

    def overwritten_until_ns(self) -> float:
        """Returns the time after which no CPU's records were overwritten; infinity if that is unknown."""
        until_ns: float = 0
        for number, cpu in enumerate(self.headers.cpus):
            chunks = self._chunks[number]
            if cpu.dropped or (cpu.records and not chunks):
                return math.inf
            if chunks and chunks[0].records:
                at = (chunks[0].start + layout.CHUNK.size) % self._snapshot.ring_size
                until_ns = max(until_ns, layout.BASE.unpack_from(self._snapshot.data, at)[5])
        return until_ns

    def begins_ns(self) -> dict[int, int]:
        """Returns the time of the oldest record, for each CPU that has any; what it wrote since is not missing."""
        size = self._snapshot.ring_size
        return {
            cpu: layout.BASE.unpack_from(self._snapshot.data, (chunks[0].start + layout.CHUNK.size) % size)[5]
            for cpu, chunks in self._chunks.items()
            if chunks
        }

    def records(self) -> Iterator[Record | Lost]:
        """Yields all records but those of `of_start` in the order of time, and Lost where records are missing."""
        wrote = [n for n, cpu in enumerate(self.headers.cpus) if self._chunks[n] or cpu.records or cpu.dropped]
        streams = [self._of_cpu(cpu) for cpu in wrote]
        return chain.from_iterable(streams[0] if len(streams) == 1 else _in_time(streams))

    def of_start(self) -> Iterator[Record]:
        """Yields the runtime's calls before the container's program began (TYPE_RETURN), one CPU's after another's."""
        for cpu, chunks in self._chunks.items():
            for chunk in chunks:
                walk = _Walk(self._snapshot, self.headers.cookie, self._damage, cpu, chunk, of_start=True)
                found = list(chain.from_iterable(walk))
                yield from found
                if not found:  # nor are there later ones
                    break

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
                    yield [Lost(batch[0].ts_ns, cpu, _within(*missing), missing[0], reason)]
                    missing = 0, 0
                ts_ns = batch[-1].ts_ns
                yield batch
            seen_records += walk.records + walk.newer
            self.read += walk.records
            if missing[0] > 0:
                yield [Lost(ts_ns, cpu, _within(*missing), missing[0], reason)]
            if walk.newer:
                yield [Lost(ts_ns, cpu, 0, walk.newer, NEWER)]
            seen_events += walk.records - walk.no_events
            reason, complete = "rejected", walk.whole and chunk.current
        # A CPU counts a record before it moves its pos: if the cut fell in between, one record only seems missing.
        missing = owner.records - seen_records, owner.events - seen_events
        if missing[0] > (1 if complete else 0):
            yield [Lost(ts_ns, cpu, _within(*missing), missing[0], reason)]
        if owner.dropped:
            yield [Lost(ts_ns, cpu, owner.dropped, owner.dropped, "dropped")]


def _within(records: int, events: int) -> int:
    # How many of missing records are events: not those of newer types, of which it is not known.
    return min(max(0, events), records)


class _Walk:
    """Iterator over the good records of a chunk, in batches of `_BATCH_BYTES` of the ring, for speed and little memory.

    of_start: it yields records of TYPE_RETURN alone; else all others. After the last batch, `whole` says whether all
    records were good, `records` how many, `no_events` how many of these are no events, and `newer` how many others are
    of a type that this version does not know.
    """

    def __init__(
        self, snapshot: Snapshot, cookie: int, damage: _Damage, cpu: int, chunk: _Chunk, *, of_start: bool = False
    ) -> None:
        self._of_start = of_start
        self._snapshot, self._cookie, self._damage, self._cpu, self._chunk = snapshot, cookie, damage, cpu, chunk
        self._form = layout.FORMS[snapshot.record_version]
        self.whole, self.records, self.no_events, self.newer = True, 0, 0, 0

    def __iter__(self) -> Iterator[list[Record]]:
        data, chunk, cpu, damage = self._snapshot.data, self._chunk, self._cpu, self._damage or None
        header_size, unpack, unit = layout.HEADER.size, layout.HEADER.unpack_from, layout.POSITION_UNIT
        length_mask, length_bits, counted, no_events = *_masks(self._form), _COUNTED, NO_EVENTS
        enters, exits, calls, calls_out = layout.TYPE_ENTER, layout.TYPE_EXIT, layout.TYPE_CALL, layout.TYPE_CALL_OUT
        request, room_of, result_of, alone = (
            layout.REQUEST,
            layout.ROOM.unpack_from,
            _RESULT.pack,
            ~(layout.NR_ARGS_MASK << layout.NR_ARGS_SHIFT),
        )
        first, apart, of_start = header_size + self._form.room, layout.TYPE_RETURN, self._of_start
        base_ns, pid, base_tid, comm, new = 0, 0, -1, "", tuple.__new__  # Record() itself takes twice as long
        at = chunk.start & self._snapshot.ring_size - 1
        key, distance = stamp_key(chunk.start, at, self._cookie), chunk.start - at
        open_at = chunk.open - distance
        at, until = at + layout.CHUNK.size, chunk.limit - distance
        while at + header_size <= until:
            batch: list[Record] = []
            stop = min(at + _BATCH_BYTES, until - header_size + 1)
            while at < stop:
                stamp, tid, delta_ns, nr, length_type = unpack(data, at)
                kind, length = length_type >> length_bits, (length_type & length_mask) << 3
                end = at + length
                if end > until and chunk.current and calls <= kind <= calls_out:
                    kind, end = enters, until  # it was completed after the cut
                if (
                    stamp != at >> 3 ^ key
                    or length < header_size
                    or end > until
                    or (damage is not None and damage.touches(at + distance, length))
                ):
                    # Skips to the next record that is valid. Time and thread are unknown until the next base.
                    self.whole, base_tid = False, -1
                    at += unit
                    continue
                if tid == base_tid and kind in counted:
                    self.records += 1
                    begun_ns = base_ns + delta_ns
                    if not calls <= kind <= calls_out:
                        if (kind == apart) is of_start:
                            begin = at + (first if kind == enters and nr & request != request else header_size)
                            batch.append(new(Record, (begun_ns, cpu, pid, tid, comm, kind, nr, data[begin:end])))
                        if kind in no_events:
                            self.no_events += 1
                    elif end - at >= first and not of_start:
                        duration_ns, its = room_of(data, at + header_size)
                        middle, tail = (end, result_of(its)) if kind == calls else (at + its, data[at + its : end])
                        if not at + first <= middle <= end:
                            middle, tail = end, b""
                        batch.append(
                            new(Record, (begun_ns, cpu, pid, tid, comm, enters, nr, data[at + first : middle]))
                        )
                        if end < until or at != open_at or kind != calls:  # else it returned after the cut, if at all
                            ended_ns = begun_ns + duration_ns
                            batch.append(new(Record, (ended_ns, cpu, pid, tid, comm, exits, nr & alone, tail)))
                elif kind == layout.TYPE_BASE and length == layout.BASE.size:
                    _, base_tid, pid, _, _, base_ns, name = layout.BASE.unpack_from(data, at)
                    comm = name.partition(b"\0")[0].decode("utf-8", "backslashreplace")
                elif kind > NEWEST_TYPE:
                    self.newer += 1
                else:
                    self.whole = False
                at = end
            if batch:
                yield batch


def _masks(form: layout.Form) -> tuple[int, int]:
    return form.length_mask, form.length_bits


def _in_time(streams: list[Iterator[_Batch]]) -> Iterator[_Batch]:
    # Merges the batches of several CPUs, each in order, into batches in the order of time. Each step goes up to the
    # earliest end of a batch and takes only the batches that begin by then, because there may be thousands of CPUs.
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
            if number == ending:  # taken whole
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
        found.sort(key=_ts_ns)  # merges the sorted runs of the CPUs
        yield found


def _begin(batch: _Batch) -> tuple[int, int]:
    # The begin is at most the end, although times of a damaged ring need not rise.
    begin: tuple[int, int] = min(_when(batch[0]), _when(batch[-1]))
    return begin


def stamp_key(start: int, offset: int, cookie: int) -> int:
    """Returns the key of the chunk at position `start` and data[offset]: data[at] is stamped ``at >> 3 ^ key``.

    start and offset are multiples of the chunk's size, so only the bits below distinguish the chunk's records.
    """
    return (start >> 3 ^ offset >> 3 ^ cookie) & _STAMP_MASK
