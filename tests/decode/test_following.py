# SPDX-License-Identifier: Apache-2.0
"""Following a live ring by snapshots: every event once, whenever the snapshots are taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random

import pytest
from ringwriter import RingWriter

from traceloop_decode import layout
from traceloop_decode.events import events
from traceloop_decode.following import HOLD_NS, Batches, Follower
from traceloop_decode.model import Call, Entered, Event, Lost, Returned, Signal, TaskExit
from traceloop_decode.selection.select import STATUSES, Selection, selected
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text import strace

READ, CLOSE, GETPPID = 0, 3, 110


def later(ring: RingWriter) -> None:
    ring.now_ns += 2 * HOLD_NS


def parts(found: Iterable[Event]) -> Iterator[tuple[str, int, int]]:
    """Yields the entry and the return of each call, and other events, with thread and time."""
    for event in found:
        call = event.call if isinstance(event, Entered | Returned) else event
        if isinstance(event, Call | Entered) and not event_is_alone(call):
            yield "enter", call.tid, call.ts_ns
        if isinstance(event, Call | Returned) and call.end_ns is not None:
            yield "exit", call.tid, call.end_ns
        if isinstance(event, Signal | TaskExit):
            yield type(event).__name__, event.tid, event.ts_ns


def event_is_alone(call: object) -> bool:
    return isinstance(call, Call) and call.entry_lost


def random_ring(random: Random) -> Iterator[RingWriter]:
    """Yields a ring after each of some records of four threads on two CPUs."""
    ring = RingWriter(1 << 20, 1 << 12)
    inside: dict[int, int] = {}
    for _ in range(random.randrange(5, 120)):
        tid = random.choice((5, 6, 7, 8))
        if tid in inside and random.random() < 0.7:
            ring.exit(random.randrange(2), tid, inside.pop(tid), 0)
        elif random.random() < 0.1:
            ring.signal(random.randrange(2), tid, 10)
        else:
            inside[tid] = random.choice((READ, CLOSE, GETPPID))
            ring.enter(random.randrange(2), tid, inside[tid], 3, 4, 5)
        ring.now_ns += random.choice((0, 0, 500, HOLD_NS // 3, 2 * HOLD_NS))
        yield ring


@pytest.mark.parametrize("seed", range(60))
def test_every_event_comes_once_in_order(seed: int) -> None:
    random, follower, found = Random(seed), Follower(), []
    for ring in random_ring(random):
        if random.random() < 0.3:
            snapshot = ring.snapshot()
            found += follower.new(events(snapshot), snapshot)
    snapshot = ring.snapshot()
    found += follower.new(events(snapshot), snapshot, last=True)
    assert sorted(parts(found)) == sorted(parts(events(snapshot)))
    times = [at_ns for _, _, at_ns in parts(found)]
    assert len(set(parts(found))) == len(times)


@pytest.mark.parametrize("seed", range(20))
def test_calls_that_are_whole_come_once(seed: int) -> None:
    def whole(snapshot: Snapshot) -> Iterator[Event]:
        return selected(events(snapshot), Selection(statuses=STATUSES), by_return=True)

    random, follower, found = Random(seed), Follower(whole=True), []
    for ring in random_ring(random):
        if random.random() < 0.3:
            snapshot = ring.snapshot()
            found += follower.new(whole(snapshot), snapshot)
    snapshot = ring.snapshot()
    found += follower.new(whole(snapshot), snapshot, last=True)
    assert sorted(parts(found)) == sorted(parts(whole(snapshot)))


def test_an_entry_is_followed_by_its_return_though_both_are_one_event_then() -> None:
    ring, follower = RingWriter(), Follower()
    ring.enter(0, 7, READ, 3, 4, 5)
    later(ring)
    (first,) = follower.new(events(ring.snapshot()), ring.snapshot())
    ring.exit(0, 7, READ, 1)
    later(ring)
    (second,) = follower.new(events(ring.snapshot()), ring.snapshot())
    assert isinstance(first, Entered)
    assert isinstance(second, Returned)
    assert second.call.result == 1
    assert list(follower.new(events(ring.snapshot()), ring.snapshot(), last=True)) == []


def test_the_last_moment_waits_for_the_next_snapshot() -> None:
    ring, follower = RingWriter(), Follower()
    ring.enter(0, 7, CLOSE, 3)
    ring.exit(0, 7, CLOSE, 0)
    assert list(follower.new(events(ring.snapshot()), ring.snapshot())) == []
    later(ring)
    assert len(list(follower.new(events(ring.snapshot()), ring.snapshot()))) == 1


def test_a_record_that_was_written_late_is_shown_late() -> None:
    ring, follower = RingWriter(), Follower()
    close(ring, 1)
    stalled = ring.begin(0, 7, layout.HEADER.size + layout.SIGNAL.size)
    close(ring, 1, cpu=1)
    later(ring)
    first = list(follower.new(events(ring.snapshot()), ring.snapshot()))
    assert [event.tid for event in first if isinstance(event, Call)] == [7, 8]
    ring.finish(stalled, layout.TYPE_SIGNAL, 10, layout.SIGNAL.pack(bytes(48), 0, 0))
    later(ring)
    (signal,) = follower.new(events(ring.snapshot()), ring.snapshot())
    assert isinstance(signal, Signal)
    assert signal.ts_ns < first[-1].ts_ns


def close(ring: RingWriter, times: int, cpu: int = 0) -> None:
    for _ in range(times):
        ring.enter(cpu, 7 + cpu, CLOSE, 3)
        ring.exit(cpu, 7 + cpu, CLOSE, 0)


def counted(found: Iterable[Event]) -> tuple[int, int]:
    """Returns the numbers of calls that came, and of events that were told to be lost."""
    found = list(found)
    return sum(isinstance(event, Call) for event in found), sum(e.events for e in found if isinstance(e, Lost))


def test_what_was_overwritten_after_it_was_shown_is_no_loss() -> None:
    ring, follower = RingWriter(1 << 14, 1 << 11), Follower()
    total = 0
    for _ in range(100):
        close(ring, 20)
        later(ring)
        came, lost = counted(follower.new(events(ring.snapshot()), ring.snapshot()))
        assert lost == 0
        total += came
    assert total == 2000
    assert any(isinstance(event, Lost) for event in events(ring.snapshot()))


@pytest.mark.parametrize("cpus", [1, 2])
def test_what_was_overwritten_before_it_was_shown_is_counted_exactly(cpus: int) -> None:
    ring, follower = RingWriter(1 << 14, 1 << 11), Follower()
    came = lost = written = 0
    for round_ in range(8):
        for cpu in range(cpus):
            close(ring, 1000 if round_ % 2 else 20, cpu)
            written += 1000 if round_ % 2 else 20
        later(ring)
        more, missing = counted(follower.new(events(ring.snapshot()), ring.snapshot()))
        assert bool(missing) == bool(round_ % 2)
        came, lost = came + more, lost + missing
    assert came + lost == written


def test_what_was_dropped_is_told_once() -> None:
    ring, follower = RingWriter(), Follower()
    close(ring, 1)
    ring.cpus[0].dropped = 3
    later(ring)
    assert counted(follower.new(events(ring.snapshot()), ring.snapshot())) == (1, 3)
    assert counted(follower.new(events(ring.snapshot()), ring.snapshot())) == (0, 0)
    ring.cpus[0].dropped = 5
    assert counted(follower.new(events(ring.snapshot()), ring.snapshot())) == (0, 2)


def test_batches_tell_whether_an_event_is_there() -> None:
    asked: list[int] = []

    def batch(number: int) -> list[Event]:
        asked.append(number)
        return [Lost(number, 0, 1, 1, "x")] * number

    batches = Batches(batch(number) for number in (1, 0, 2))
    assert not batches.ready
    assert asked == []
    assert next(batches).ts_ns == 1
    assert not batches.ready
    assert asked == [1]
    assert [event.ts_ns for event in batches] == [2, 2]


def test_strace_s_format_does_not_wait_to_look_ahead() -> None:
    ring = RingWriter()
    ring.enter(0, 7, READ, 3, 4, 5)
    snapshot = ring.snapshot()

    def batches() -> Iterator[Iterable[Event]]:
        yield events(snapshot)
        pytest.fail("the line was not there before the next batch was asked for")

    assert next(strace.lines(Batches(batches()), snapshot)) == "7     read(3 <unfinished ...>"
