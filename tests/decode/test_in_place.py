# SPDX-License-Identifier: Apache-2.0
"""Calls whose return completes the record of their entry: two records when read, and one when counted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.events import events
from traceloop_decode.model import Call, Entered, Lost
from traceloop_decode.places import places
from traceloop_decode.ring_reader import Record, RingReader
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text.records import lines

READ = 0
DATA = item(1, layout.KIND_BUFFER, b"some bytes", flags=layout.ITEM_OUT)


def calls(snapshot: Snapshot) -> list[tuple[str, int | None]]:
    """Returns the kind of each event and, of a call, its result."""
    found = []
    for event in events(snapshot):
        call = event if isinstance(event, Call) else getattr(event, "call", None)
        found.append((type(event).__name__, call.result if call is not None else None))
    return found


@pytest.mark.parametrize("result", [3, -2, 1 << 40, -(1 << 40)])
def test_a_result_in_place(result: int) -> None:
    ring = RingWriter()
    ring.enter(0, 7, READ, 3, 4, 5)
    ring.returns(0, result)
    (call,) = events(ring.snapshot())
    assert isinstance(call, Call)
    assert (call.name, call.registers, call.result, call.end_ns - call.ts_ns) == ("read", (3, 4, 5), result, 1000)
    assert ring.cpus[0].records == RingReader(ring.snapshot()).headers.cpus[0].records == 1


def test_memory_that_was_written_by_the_call() -> None:
    ring = RingWriter()
    ring.enter(0, 7, READ, 3, 4, 5)
    ring.returns(0, 10, items=DATA)
    ring.enter(0, 7, READ, 3, 4, 6)
    snapshot = ring.snapshot()
    begun, still = events(snapshot)
    assert isinstance(begun, Call)
    assert (begun.args[1].items[0].data, begun.args[1].items[0].out) == (b"some bytes", True)
    assert isinstance(still, Entered)
    assert [snapshot.data[a:b] for a, b in zip(places(snapshot).begins, places(snapshot).ends, strict=True)] == [
        b"some bytes"
    ]


def test_what_another_cpu_did_meanwhile_stands_between() -> None:
    ring = RingWriter()
    ring.enter(0, 7, READ, 3, 4, 5)
    ring.enter(1, 8, READ, 3, 4, 5)
    ring.returns(1, 1)
    ring.returns(0, 2)
    assert calls(ring.snapshot()) == [("Entered", None), ("Call", 1), ("Returned", 2)]


@pytest.mark.parametrize(("result", "items"), [(3, b""), (1 << 40, b""), (10, DATA)])
def test_a_return_after_the_cut_is_left_to_the_next_snapshot(result: int, items: bytes) -> None:
    """The data has the return already, but it may have been copied while it was written."""
    ring = RingWriter()
    ring.enter(0, 7, READ, 9, 9, 9)
    ring.returns(0, 1)
    ring.enter(0, 7, READ, 3, 4, 5)
    before = ring.headers()
    ring.returns(0, result, items=items)
    snapshot = ring.snapshot(before)
    assert calls(snapshot) == [("Call", 1), ("Entered", None)]
    assert places(snapshot).begins.tolist() == []
    assert [line.split()[2] for line in lines(snapshot) if line.startswith("0x")][2:4] in (
        ["call", "enter"],
        ["call", "call"],
    )


def test_a_return_between_the_two_copies_of_the_cut() -> None:
    """The first copy has the entry's end; the second knows that it was completed, so all of it was there to be copied."""
    ring = RingWriter()
    ring.enter(0, 7, READ, 3, 4, 5)
    before = ring.headers()
    ring.returns(0, 2)
    snapshot = replace(ring.snapshot(), headers=(before, ring.headers(), ring.headers()))
    assert calls(snapshot) == [("Call", 2)]


def test_an_entry_after_the_first_copy_of_the_cut() -> None:
    ring = RingWriter()
    ring.enter(0, 7, READ, 3, 4, 5)
    ring.returns(0, 2)
    before = ring.headers()
    ring.enter(0, 7, READ, 3, 4, 5)
    snapshot = replace(ring.snapshot(), headers=(before, ring.headers(), ring.headers()))
    assert calls(snapshot) == [("Call", 2)]


def test_lost_calls_are_counted_once() -> None:
    ring, wrote = RingWriter(), 5003
    for n in range(wrote):
        ring.enter(0, 7, READ, n)
        ring.returns(0, 0)
    gap, *found = list(events(ring.snapshot()))
    assert isinstance(gap, Lost)
    assert gap.records == gap.events == wrote - len(found)
    assert all(isinstance(event, Call) for event in found)


def test_a_ring_of_the_first_version_is_read() -> None:
    ring = RingWriter(version=1)
    ring.enter(0, 7, READ, 3, 4, 5)
    ring.exit(0, 7, READ, 2, items=DATA)
    ring.enter(0, 7, READ, 4, 4, 5)
    ring.enter(1, 8, READ, 5, 4, 5)
    ring.exit(0, 7, READ, 3)
    snapshot = Snapshot.decode(ring.snapshot().encode())
    assert snapshot.record_version == 1
    assert calls(snapshot) == [("Call", 2), ("Entered", None), ("Entered", None), ("Returned", 3)]
    (begin,), (end,) = places(snapshot).begins, places(snapshot).ends
    assert snapshot.data[begin:end] == b"some bytes"


@pytest.mark.parametrize("exit_at", [0, 8, 16, 23, 1 << 20, -8, -(1 << 31)])
def test_an_end_that_is_nowhere(exit_at: int) -> None:
    ring = RingWriter()
    at = ring.enter(0, 7, READ, 3, 4, 5)
    ring.returns(0, 10, items=DATA)
    ring.data[at + 20 : at + 24] = exit_at.to_bytes(4, "little", signed=True)
    snapshot = ring.snapshot()
    assert all(isinstance(record, Record) for record in RingReader(snapshot).records())
    assert [type(event) for event in events(snapshot)] == [Entered]
    places(snapshot)
    list(lines(snapshot))
