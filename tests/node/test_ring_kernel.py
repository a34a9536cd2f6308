# SPDX-License-Identifier: Apache-2.0
"""The ring under real programs: its contents are true, and whatever is missing is counted, to the record."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import count as count_from
from pathlib import Path
from struct import Struct

import pytest
from recorded_cgroups import TIMEOUT_S, Cgroup, Container, Workloads, entered, raw, returned

from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer
from traceloop_decode import layout
from traceloop_decode.events import RING, events
from traceloop_decode.model import Call, Entered, Event, Lost, Returned, TaskExit
from traceloop_decode.ring_reader import Record, RingReader
from traceloop_decode.snapshot import Snapshot

pytestmark = pytest.mark.kernel

CALLS = 100_003
"""The number of calls, a prime, several times what the ring holds."""
SNAPSHOTS = 250
PROVED, REJECTED = 2_000, 20
FORGED_NR = 777
"""A number that no table has and no program here calls."""
CYCLES = 4_000
"""The length of a stall in faults: some 1.5 ms, in which the other CPU laps 128 KiB twice."""


Recorded = Callable[[], Container]
RINGS = {"one": 128 << 10, "joined": 32 << 10}
"""Sizes of a ring in bytes; a container has 128 KiB: one ring, or four."""


@pytest.fixture(scope="module", params=RINGS)
def small(request: pytest.FixtureRequest) -> Iterator[Recorded]:
    """A factory of recorded cgroups with small rings."""
    with closing(Tracer.load(Plan(ring_size=RINGS[request.param], pool_size=4))) as tracer:
        yield partial(Container, tracer, ring_size=128 << 10)


@pytest.fixture(scope="module", params=RINGS)
def stalling(request: pytest.FixtureRequest) -> Iterator[Recorded]:
    """A factory of recorded cgroups; one in 2,048 records of CPU 0 waits before its stamp for over a lap."""
    plan = Plan(ring_size=RINGS[request.param], pool_size=4, defines={"TL_TEST_STALL": CYCLES})
    with closing(Tracer.load(plan)) as tracer:
        yield partial(Container, tracer, ring_size=128 << 10)


def tally(snapshot: Snapshot) -> tuple[int, int]:
    """Counts the records and events that are there."""
    ring = RingReader(snapshot)
    kinds = Counter(record.type for record in ring.records() if isinstance(record, Record))
    return ring.read, kinds.total() - kinds[layout.TYPE_EXIT]


def lost(found: list[Event]) -> list[Lost]:
    return [event for event in found if isinstance(event, Lost)]


def test_wrap_is_accounted_for_exactly(small: Recorded, workload: Workloads) -> None:
    with small() as container:
        with Cgroup() as outside:  # it enters the recorded one by itself
            program = workload("count_calls", "-nostdlib", "-static")
            outside.run(program, str(CALLS), str(container.path / "cgroup.procs"))
        count = container.recording.ring.count()
        found = list(events(snapshot := container.snapshot(), (RING,)))
    # The exit of the write with which it entered; each call, a few of them in two records; exit_group; the thread's end.
    assert count.events == CALLS + 1 + 1
    assert 0 <= count.records - (1 + CALLS + 1 + 1) < CALLS / 100
    there, begun = tally(snapshot)
    assert sum(gap.records for gap in lost(found)) == count.lost_records == count.records - there
    assert sum(gap.events for gap in lost(found)) == count.lost_events == count.events - begun
    assert {gap.reason for gap in lost(found)} == {"overwritten"}
    # The last of them are there, without a gap, up to the end.
    numbers = [raw(call)[1] for call in entered(found) if call.name == "lseek"]
    assert len(numbers) > 1000
    assert numbers == list(range(CALLS - len(numbers), CALLS))
    assert isinstance(found[0], Lost)
    last, end = found[-2:]
    assert isinstance(last, Entered)
    assert (last.call.name, type(end)) == ("exit_group", TaskExit)


def test_a_ring_that_has_not_wrapped_has_lost_nothing(tracer: Tracer, workload: Workloads) -> None:
    calls = 997
    with Container(tracer) as container:
        with Cgroup() as outside:
            program = workload("count_calls", "-nostdlib", "-static")
            outside.run(program, str(calls), str(container.path / "cgroup.procs"))
        count = container.recording.ring.count()
        found = container.events()
        assert tally(container.snapshot()) == (count.records, count.events)
    assert count[1:] == (calls + 2, 0, 0)
    assert 0 <= count.records - (calls + 3) < calls / 10
    assert [raw(call)[1] for call in returned(found) if call.name == "lseek"] == list(range(calls))


@pytest.mark.parametrize(("item_max", "call_max"), [(16, 16), (256, 1024), (4096, 16384)])
def test_records_of_every_size_fit_their_chunks(workload: Workloads, item_max: int, call_max: int) -> None:
    """The space for a call is reserved before its arguments are read: if it were too small, records would overlap."""
    calls, vlen, where = 3001, 2, 3
    with (
        closing(Tracer.load(Plan(512 << 10, item_max, call_max, pool_size=1))) as tracer,
        Container(tracer) as container,
    ):
        container.run(workload("large_records"), str(calls))
        found = list(events(container.snapshot(), (RING,)))
    assert {gap.reason for gap in lost(found)} <= {"overwritten"}
    writes = [call for call in returned(found) if call.name == "pwritev" and not call.entry_lost]
    numbers = [raw(call)[where] for call in writes]
    assert len(numbers) > 10
    assert numbers == list(range(calls - len(numbers), calls))
    for call, n in zip(writes, numbers, strict=True):
        count, size = 1 + n % 20, 1 + 37 * n % 5000
        assert raw(call)[vlen] == count
        array, *items = call.args[1].items
        assert (array.kind, array.size) == (layout.KIND_IOVEC, 16 * count)
        assert len(array.data) == min(16 * count, item_max)
        half = item_max // 2 // 8 * 8
        kept, end = (size, 0) if size <= item_max else (half, half)
        for k, item in enumerate(items):
            letter = bytes([ord("a") + k])
            assert (item.sub, item.data) == (k, letter * kept)
            assert item.tail in (letter * end, *([b""] if item is items[-1] else []))  # there may be enough bytes
            assert (item.size, item.more, item.fault) == (size, size > item_max, False)
        # Elements are left out only if there are too many of them, or enough bytes.
        assert len(items) == min(count, layout.SUB_MAX) or (
            sum(len(item.data) + len(item.tail) + 24 for item in (array, *items)) > call_max
        )


class Hammered:
    """A judge of snapshots of a container in which workloads/hammer.c runs."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.seen: Counter[str] = Counter()
        self.tids: dict[int, int] = {}
        self.recorded = 0  # records at the end of the previous snapshot

    def judge(self, snapshot: Snapshot) -> None:
        found = list(events(snapshot, (RING,)))
        last: dict[int, int] = {}
        for call in entered(found):
            if call.name == "pwrite64":
                self.prove(call)
                assert last.get(call.tid, 0) < raw(call)[3], "in the order in which it was called"
                last[call.tid] = raw(call)[3]
        for call in returned(found):
            if call.name == "pwrite64" and not call.entry_lost:
                assert call.result == raw(call)[2]
            assert call.number != FORGED_NR
        no_result_is_lost(found)
        self.account(snapshot, found)

    def prove(self, call: Call) -> None:
        """Asserts that every number and every byte follows from the offset."""
        _, _, length, offset = raw(call)
        words = 6 + (offset & 0xFFFF_FFFF_FFFF) % 25
        assert length == 16 + 8 * words
        assert self.tids.setdefault(offset >> 48, call.tid) == call.tid
        own = offset.to_bytes(8, "little")
        at = offset * 8 % (1 << 64) % (len(self.source) - 240) if self.source else 0
        payload = own * 2 + (self.source[at : at + 8 * words] if self.source else own * words)
        (item,) = call.args[1].items
        assert item.data == payload[:256]
        assert (item.size, item.more) == (length, length > 256)
        self.seen["proved"] += 1

    def account(self, snapshot: Snapshot, found: list[Event]) -> None:
        """Asserts that records present and lost add up to what the CPUs wrote, between the two copies of their counts.

        Each CPU may have counted one record more than it had published. The counts are copied while they change.
        """
        gaps, cpus = lost(found), snapshot.cpus
        for gap in gaps:
            self.seen[gap.reason] += gap.records
        ring = RingReader(snapshot)
        assert not sum(cpu.dropped for cpu in ring.headers.cpus)
        total = tally(snapshot)[0] + sum(gap.records for gap in gaps)
        at_cut = sum(cpu.records for cpu in ring.headers.cpus)
        after = sum(cpu.records for cpu in RingReader(flipped(snapshot)).headers.cpus)
        assert self.recorded - cpus <= total <= after + cpus
        self.seen["exact"] += abs(total - at_cut) <= cpus
        self.recorded = after


def no_result_is_lost(found: list[Event]) -> None:
    """Asserts that a thread's call has returned before the next one begins, unless something was lost between."""
    unfinished: dict[int, Call] = {}
    for event in found:
        if isinstance(event, Lost):
            unfinished.clear()
        elif isinstance(event, Returned):
            unfinished.pop(event.call.tid, None)
        elif isinstance(event, (Call, Entered)):
            call = event if isinstance(event, Call) else event.call
            assert call.tid not in unfinished, f"{unfinished[call.tid]} did not return before {call}"
            if isinstance(event, Entered):
                unfinished[call.tid] = call


def flipped(snapshot: Snapshot) -> Snapshot:
    """Returns the snapshot with the last copy of the headers first."""
    return replace(snapshot, headers=snapshot.headers[::-1])


def hammer(
    recorded: Recorded, program: str, *, rejected: int = 0, file: Path | None = None, source: bytes = b""
) -> None:
    """Judges at least SNAPSHOTS snapshots, until PROVED calls were proved and `rejected` records were rejected."""
    judge = Hammered(source)
    arguments = [str(file)] if file else []
    with recorded() as container, container.start(program, *arguments) as process:
        for taken in count_from(1):
            judge.judge(container.snapshot())
            if taken >= SNAPSHOTS and judge.seen["proved"] >= PROVED and judge.seen["rejected"] >= rejected:
                break
            assert taken < 20 * SNAPSHOTS, judge.seen
        process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0
        judge.judge(container.snapshot())
        found = list(events(snapshot := container.snapshot(), (RING,)))
        count = container.recording.ring.count()
        assert tally(snapshot)[0] + sum(gap.records for gap in lost(found)) == count.records
    print(taken, "snapshots:", dict(judge.seen))
    assert judge.seen["overwritten"] > 0
    assert judge.seen["exact"] > 0.95 * taken


def test_two_threads_hammer(small: Recorded, workload: Workloads) -> None:
    hammer(small, workload("hammer"))


def test_two_threads_hammer_and_stall(stalling: Recorded, workload: Workloads) -> None:
    """Records that a writer which stalls for over a lap may have overwritten are rejected and counted."""
    hammer(stalling, workload("hammer"), rejected=REJECTED)


@pytest.mark.parametrize("kind", ["zeros", "forged", "replayed"])
def test_payload_that_looks_like_records(stalling: Recorded, workload: Workloads, tmp_path: Path, kind: str) -> None:
    """A reader that searches after a stalled writer is not misled by payload that looks like records."""
    if kind == "replayed":
        with stalling() as container, container.start(workload("hammer")) as process:
            while len(source := container.snapshot().data) < 128 << 10:
                pass
            process.communicate(timeout=TIMEOUT_S)
    else:
        source = bytes(64 << 10) if kind == "zeros" else forged(64 << 10)
    file = tmp_path / "source"
    file.write_bytes(source)
    hammer(stalling, workload("hammer"), rejected=REJECTED, file=file, source=source)


def forged(size: int) -> bytes:
    """Returns headers of entries, bases and exits, with stamps that real positions could have."""
    chance, out = random.Random(3), bytearray()
    while len(out) < size:
        type_, length = chance.choice([(layout.TYPE_BASE, 40), (layout.TYPE_ENTER, 16), (layout.TYPE_EXIT, 24)])
        stamp = (len(out) >> 3) + (chance.randrange(1 << 16) << 14)
        out += layout.HEADER.pack(
            stamp, chance.randrange(32768), 0, FORGED_NR, length >> 3 | type_ << layout.LENGTH_BITS
        )
        out += Struct("<QQQ").pack(0, 0, 0)[: length - 16]
    return bytes(out[:size])
