# SPDX-License-Identifier: Apache-2.0
"""The rules by which records of a ring are accepted, and others counted, each alone, on rings written in Python."""

from __future__ import annotations

from collections.abc import Iterable
from struct import pack

import pytest
from ringwriter import RingWriter

from traceloop_decode import layout
from traceloop_decode.model import Lost
from traceloop_decode.ring_headers import Headers, count
from traceloop_decode.ring_reader import NEWEST_TYPE, Record, RingReader
from traceloop_decode.snapshot import Snapshot

FIRST = layout.CHUNK.size + layout.BASE.size
"""The place of a chunk's first record in the chunk."""
ENTER = layout.HEADER.size + layout.ROOM.size + 8
"""The size of an entry with one register."""


def read(snapshot: Snapshot) -> list[Record | Lost]:
    return list(RingReader(snapshot).records())


def numbers(found: Iterable[Record | Lost]) -> list[int]:
    """Returns the registers that `fill` wrote."""
    return [int.from_bytes(item.body[:8], "little") for item in found if isinstance(item, Record)]


def losses(found: Iterable[Record | Lost]) -> list[tuple[str, int, int]]:
    return [(item.reason, item.records, item.events) for item in found if isinstance(item, Lost)]


def fill(ring: RingWriter, numbers: Iterable[int], cpu: int = 0, tid: int = 7) -> list[int]:
    """Writes one entry of call 1 per number, with the number as its register; returns their positions."""
    return [ring.enter(cpu, tid, 1, number) for number in numbers]


def per_chunk(ring: RingWriter) -> int:
    """Returns how many entries of `fill`, of one thread, fit into a chunk."""
    return (ring.chunk_size - 2 * FIRST) // ENTER


def test_empty() -> None:
    assert read(RingWriter().snapshot()) == []


def test_records_are_as_written() -> None:
    ring = RingWriter()
    ring.name(7, 5, "worker")
    ring.enter(0, 7, 257, 11, 12)
    ring.exit(0, 7, 257, -2)
    ring.signal(1, 5, 17)
    ring.task_exit(1, 5, 256)
    first, second, third, fourth = read(ring.snapshot())
    nr = 257 | 2 << layout.NR_ARGS_SHIFT
    assert first == Record(1_001_000, 0, 5, 7, "worker", layout.TYPE_ENTER, nr, pack("<QQ", 11, 12))
    assert second == Record(1_002_000, 0, 5, 7, "worker", layout.TYPE_EXIT, 257, pack("<q", -2))
    assert third == Record(1_003_000, 1, 5, 5, "t5", layout.TYPE_SIGNAL, 17, bytes(64))
    assert fourth == Record(1_004_000, 1, 5, 5, "t5", layout.TYPE_TASK_EXIT, 0, pack("<II", 256, 1))


def test_renamed_thread_and_long_silence() -> None:
    ring = RingWriter()
    fill(ring, [0])
    ring.name(7, 7, "new")
    fill(ring, [1])
    ring.now_ns += 5_000_000_000  # more than 32 bits of nanoseconds
    fill(ring, [2])
    found = read(ring.snapshot())
    assert [(record.ts_ns, record.comm) for record in found] == [
        (1_001_000, "t7"),
        (1_002_000, "new"),
        (5_001_003_000, "new"),
    ]


def test_cpus_are_merged_by_time() -> None:
    ring = RingWriter()
    for number in range(50):
        fill(ring, [number], cpu=number % 2, tid=7 + number % 2)
    assert numbers(read(ring.snapshot())) == list(range(50))


def test_overwritten_are_counted_before_the_first() -> None:
    ring, total = RingWriter(), 7919
    for number in range(total):
        ring.enter(0, 7, 1, number)
        ring.exit(0, 7, 1, 0)
    found = read(ring.snapshot())
    kept = sum(isinstance(item, Record) for item in found)
    lost = found[0]
    assert isinstance(lost, Lost)
    assert lost.reason == "overwritten"
    assert lost.records == 2 * total - kept
    assert lost.events == total - sum(getattr(item, "type", None) == layout.TYPE_ENTER for item in found)
    assert lost.ts_ns == found[1].ts_ns
    assert losses(found[1:]) == []
    entries = [item for item in found[1:] if isinstance(item, Record) and item.type == layout.TYPE_ENTER]
    assert numbers(entries) == list(range(total - len(entries), total))


def test_a_cpu_of_which_nothing_is_left() -> None:
    ring = RingWriter()
    fill(ring, range(3), cpu=1)
    fill(ring, range(7919))
    found = read(ring.snapshot())
    assert found[0] == Lost(1_000_000, 1, 3, 3, "overwritten")


def test_count_agrees_with_the_records() -> None:
    ring = RingWriter()
    for number in range(7919):
        ring.enter(number % 2, 7, 1, number)
        ring.exit(number % 3 % 2, 7, 1, 0)
    ring.cpus[1].dropped = 5
    snapshot = ring.snapshot()
    heads = (snapshot.data[at : at + layout.CHUNK.size] for at in range(0, len(snapshot.data), ring.chunk_size))
    account = count(Headers.parse(snapshot.headers[0], 2), heads)
    found = read(snapshot)
    assert account.records == 2 * 7919 + 5
    assert account.events == 7919 + 5
    assert account.lost_records == sum(records for _, records, _ in losses(found))
    assert account.lost_events == sum(events for _, _, events in losses(found))
    assert len([item for item in found if isinstance(item, Record)]) == account.records - account.lost_records


def test_dropped() -> None:
    ring = RingWriter()
    fill(ring, range(3))
    ring.cpus[0].dropped = 4
    found = read(ring.snapshot())
    assert found[-1] == Lost(1_003_000, 0, 4, 4, "dropped")
    assert numbers(found) == [0, 1, 2]


def test_nothing_behind_the_cut() -> None:
    """Records written during the copy are left out as a whole, and are not losses."""
    ring = RingWriter()
    fill(ring, range(10))
    before = ring.headers()
    fill(ring, range(10, 20))  # in the same chunk
    fill(ring, range(20, 20 + per_chunk(ring)))  # and in a new one
    fill(ring, [99], cpu=1)
    found = read(ring.snapshot(before))
    assert numbers(found) == list(range(10))
    assert losses(found) == []


def test_overwritten_while_the_copy_was_made() -> None:
    ring = RingWriter()
    fits = per_chunk(ring)
    fill(ring, range(8 * fits))  # fills it exactly
    assert ring.head == ring.ring_size
    before = ring.headers()
    fill(ring, range(8 * fits, 10 * fits), cpu=1)
    found = read(ring.snapshot(before))
    assert numbers(found) == list(range(2 * fits, 8 * fits))
    assert losses(found) == [("overwritten", 2 * fits, 2 * fits)]


def test_a_lap_while_the_copy_was_made_leaves_nothing() -> None:
    ring = RingWriter()
    fill(ring, range(100))
    before = ring.headers()
    fill(ring, range(7919), cpu=1)
    assert read(ring.snapshot(before)) == [Lost(1_000_000, 0, 100, 100, "overwritten")]


def test_cut_between_count_and_position() -> None:
    """A snapshot between a CPU's update of its count and of its pos loses no record."""
    ring = RingWriter()
    fill(ring, range(10))
    ring.cpus[0].records += 1
    ring.cpus[0].events += 1
    found = read(ring.snapshot())
    assert numbers(found) == list(range(10))
    assert losses(found) == []


@pytest.mark.parametrize("bit", [0, 13, 31])
def test_a_wrong_stamp_rejects_up_to_the_next_base(bit: int) -> None:
    ring = RingWriter()
    places = fill(ring, range(10))
    fill(ring, range(10, 20), tid=8)
    ring.data[places[6] + bit // 8] ^= 1 << bit % 8
    found = read(ring.snapshot())
    assert numbers(found) == [*range(6), *range(10, 20)]
    assert losses(found) == [("rejected", 4, 4)]


def test_rejected_is_counted_in_its_place() -> None:
    ring = RingWriter()
    fits = per_chunk(ring)
    places = fill(ring, range(3 * fits))
    ring.data[places[fits + 4]] ^= 1
    found = read(ring.snapshot())
    assert numbers(found) == [*range(fits + 4), *range(2 * fits, 3 * fits)]
    gap = fits + 4
    assert found[gap] == Lost(found[gap + 1].ts_ns, 0, fits - 4, fits - 4, "rejected")


def test_records_of_a_later_type_are_newer_and_nothing_else_is_missing() -> None:
    ring = RingWriter()
    fill(ring, range(4))
    for _ in range(3):
        ring.record(0, 7, NEWEST_TYPE + 1, 0, bytes(16))
    fill(ring, range(4, 8))
    found = read(ring.snapshot())
    assert numbers(found) == [*range(8)]
    assert losses(found) == [("newer", 3, 0)]


def test_newer_records_are_told_from_damaged_ones() -> None:
    ring = RingWriter()
    places = fill(ring, range(10))
    ring.record(0, 8, NEWEST_TYPE + 1, 0, bytes(16))
    ring.data[places[9]] ^= 1
    assert losses(read(ring.snapshot())) == [("newer", 1, 0), ("rejected", 1, 1)]


@pytest.mark.parametrize("damaged", ["stamp", "type", "cpu"])
def test_a_chunk_that_does_not_prove_itself(damaged: str) -> None:
    ring = RingWriter()
    fits = per_chunk(ring)
    fill(ring, range(3 * fits))
    ring.data[ring.chunk_size + {"stamp": 0, "type": 15, "cpu": layout.CHUNK.size - 5}[damaged]] ^= 0x80
    found = read(ring.snapshot())
    assert numbers(found) == [*range(fits), *range(2 * fits, 3 * fits)]
    assert losses(found) == [("rejected", fits, fits)]


def test_a_base_that_does_not_prove_itself() -> None:
    ring = RingWriter()
    fill(ring, range(10))
    ring.data[layout.CHUNK.size] ^= 1
    assert read(ring.snapshot()) == [Lost(1_000_000, 0, 10, 10, "rejected")]


@pytest.mark.parametrize("length", [0, 1, layout.LENGTH_MASK])
def test_a_length_that_cannot_be(length: int) -> None:
    ring = RingWriter()
    places = fill(ring, range(10))
    ring.data[places[9] + 14 : places[9] + 16] = pack("<H", length | layout.TYPE_ENTER << layout.LENGTH_BITS)
    found = read(ring.snapshot())
    assert numbers(found) == list(range(9))
    assert losses(found) == [("rejected", 1, 1)]


def test_a_length_that_swallows_others() -> None:
    ring = RingWriter()
    places = fill(ring, range(10))
    ring.data[places[2] + 14 : places[2] + 16] = pack("<H", 4 * ENTER >> 3 | layout.TYPE_ENTER << layout.LENGTH_BITS)
    found = read(ring.snapshot())
    assert numbers(found) == [0, 1, 2, 6, 7, 8, 9]
    assert losses(found) == [("rejected", 3, 3)]


def test_a_record_of_another_thread_than_its_base() -> None:
    ring = RingWriter()
    places = fill(ring, range(10))
    ring.data[places[4] + 4] ^= 1
    found = read(ring.snapshot())
    assert numbers(found) == [*range(4), *range(5, 10)]
    assert losses(found) == [("rejected", 1, 1)]


def test_bytes_that_look_like_records_are_none() -> None:
    """A payload of headers, with all stamps but the right ones, is not taken for records by a reader that searches."""
    ring = RingWriter()
    fill(ring, range(3))
    forged = b"".join(
        layout.HEADER.pack((ring.head + at) >> 3, 7, 0, 1, 3 | layout.TYPE_ENTER << layout.LENGTH_BITS)
        + pack("<Q", 666)
        for at in range(0, 8 * ENTER, ENTER)
    )
    place = ring.record(
        0, 7, layout.TYPE_ENTER, 1 | 1 << layout.NR_ARGS_SHIFT, bytes(layout.ROOM.size) + pack("<Q", 3) + forged
    )
    fill(ring, [4], tid=8)
    ring.data[place] ^= 1
    found = read(ring.snapshot())
    assert numbers(found) == [0, 1, 2, 4]
    assert losses(found) == [("rejected", 1, 1)]


class TestStalledWriter:
    """A program stalls in the middle of a record, while another CPU laps the ring."""

    def ring(self) -> tuple[RingWriter, list[int]]:
        """Makes CPU 0 begin a record in the first chunk, and CPU 1 fill the ring, the last lap with `numbers`."""
        ring = RingWriter()
        fill(ring, range(1000, 1010))
        self.started = ring.begin(0, 7, ENTER)
        fits = per_chunk(ring)
        fill(ring, range(2000, 2000 + 7 * fits), cpu=1)
        assert ring.head == ring.ring_size
        numbers = list(range(8 * fits))
        fill(ring, numbers, cpu=1)
        return ring, numbers

    def stalled_in_chunk(self) -> int:
        """Returns the number of CPU 1's first record that the stalled one may damage."""
        return (self.started.pos - FIRST) // ENTER

    def finish(self, ring: RingWriter) -> None:
        ring.finish(
            self.started, layout.TYPE_ENTER, 1 | 1 << layout.NR_ARGS_SHIFT, bytes(layout.ROOM.size) + pack("<Q", 1010)
        )

    def test_while_it_stalls(self) -> None:
        """Records up to the end of the stalled chunk may be damaged, and are rejected."""
        ring, numbers_ = self.ring()
        first, fits = self.stalled_in_chunk(), per_chunk(ring)
        found = read(ring.snapshot())
        assert numbers(found) == [*numbers_[:first], *numbers_[fits:]]
        assert losses(found) == [
            ("overwritten", 10, 10),
            ("overwritten", 7 * fits, 7 * fits),
            ("rejected", fits - first, fits - first),
        ]

    def test_after_it_wrote(self) -> None:
        """The late list names exactly the overwritten range; after it, records are accepted from the next base on."""
        ring, numbers_ = self.ring()
        first, fits = self.stalled_in_chunk(), per_chunk(ring)
        self.finish(ring)
        found = read(ring.snapshot())
        assert numbers(found) == [*numbers_[:first], *numbers_[fits:]]
        assert sum(records for _, records, _ in losses(found)) == ring.cpus[0].records + ring.cpus[1].records - len(
            numbers(found)
        )

    def test_it_wrote_while_the_copy_was_made(self) -> None:
        ring, numbers_ = self.ring()
        before = ring.headers()
        first, fits = self.stalled_in_chunk(), per_chunk(ring)
        self.finish(ring)
        assert numbers(read(ring.snapshot(before))) == [*numbers_[:first], *numbers_[fits:]]

    def test_long_after(self) -> None:
        """Records reserved after the late write are not rejected."""
        ring, _ = self.ring()
        self.finish(ring)
        again = range(5000, 5000 + 8 * per_chunk(ring))
        fill(ring, again, cpu=1)
        found = read(ring.snapshot())
        assert numbers(found) == list(again)
        assert {reason for reason, _, _ in losses(found)} == {"overwritten"}

    def test_its_next_record_goes_elsewhere(self) -> None:
        ring, _ = self.ring()
        self.finish(ring)
        fill(ring, [77])
        assert ring.cpus[0].pos > ring.ring_size
        assert 77 in numbers(read(ring.snapshot()))

    def test_more_late_writes_than_the_list_holds(self) -> None:
        """Forgotten late ranges are too old to matter, as they are a lap apart each."""
        ring, _ = self.ring()
        self.finish(ring)
        fits = per_chunk(ring)
        for lap in range(layout.LATE):
            started = ring.begin(0, 7, ENTER)
            fill(ring, range(8 * fits), cpu=1)
            ring.finish(
                started, layout.TYPE_ENTER, 1 | 1 << layout.NR_ARGS_SHIFT, bytes(layout.ROOM.size) + pack("<Q", lap)
            )
        assert ring.cpus[0].late_count == layout.LATE + 1
        found = read(ring.snapshot())
        # Of the last lap, all but the last chunk: the late record lies where it begins.
        assert numbers(found) == list(range(7 * fits))
        kept = sum(isinstance(item, Record) for item in found)
        assert sum(records for _, records, _ in losses(found)) + kept == sum(cpu.records for cpu in ring.cpus)
