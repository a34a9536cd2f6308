# SPDX-License-Identifier: Apache-2.0
"""Firsts beside a ring that has wrapped: each call once, in the order of time, and the gap between told by name."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from areawriter import AreaWriter
from hypothesis import given
from hypothesis import strategies as st
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.descriptors.follow import known
from traceloop_decode.events import RING, events
from traceloop_decode.forgotten import CALLS, FIRSTS, FIRSTS_DROPPED
from traceloop_decode.life import life
from traceloop_decode.model import Call, Event, Lost, Request, Returned, TaskExit, event_source
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text import jsonl, short, strace, summary
from traceloop_decode.text.notes import lost_note
from traceloop_decode.text.strace import Layout

READ, OPEN, EXECVE, GETPPID, CLONE = 0, 2, 59, 110, 56
MADE = 500
NAMED = item(0, layout.KIND_STRING, b"/etc/app.conf")


def wrapped(made: int = MADE) -> RingWriter:
    """Returns a ring in which a thread has called getppid more often than it holds, then read(3)."""
    ring = RingWriter(ring_size=1 << 13, chunk_size=1 << 12)
    ring.now_ns = 50_000_000
    for _ in range(made):
        ring.enter(0, 7, GETPPID)
        ring.returns(0, 1)
    ring.enter(0, 7, READ, 3, 4096, 5)
    ring.returns(0, 0)
    return ring


def firsts() -> AreaWriter:
    area = AreaWriter()
    area.call(2_000_000, 7, OPEN, 64, 0, 0, result=3, items=NAMED)
    area.returned(3_000_000, 7, OPEN, 64, 0, 0, result=-2, items=item(0, layout.KIND_STRING, b"/etc/none"))
    return area


def names(found: list[Event]) -> list[str]:
    return [f"{event.name}{f' {event.source}' if event.source else ''}" for event in found if isinstance(event, Call)]


def gap(found: list[Event]) -> Lost:
    (it,) = (event for event in found if isinstance(event, Lost) and event.reason == CALLS)
    return it


def test_a_call_is_shown_once_and_the_gap_in_its_place() -> None:
    area, ring = firsts(), wrapped()
    area.call(ring.now_ns - 2000, 7, READ, 3, 4096, 5, result=0)  # as the ring has it
    found = list(events(area.beside(ring.snapshot(), {OPEN: (2, 1), GETPPID: (MADE, 0), READ: (1, 0)})))
    there = names(found)
    assert there[:2] == ["open firsts", "open firsts"]
    assert there.count("read") == 1
    assert "read firsts" not in there
    held = there.count("getppid")
    assert 0 < held < MADE
    assert gap(found).calls == (("getppid", MADE - held),)
    assert found[2] == gap(found)
    overwritten = found[3]
    assert isinstance(overwritten, Lost)
    assert (overwritten.reason, overwritten.events) == ("overwritten", MADE - held)
    assert [getattr(event, "ts_ns", 0) for event in found] == sorted(getattr(event, "ts_ns", 0) for event in found)


def test_the_line_of_the_gap_has_the_most_frequent_names() -> None:
    calls = tuple((f"call{n}", 1000 >> n) for n in range(7))
    text = "1,983 calls: 1,000 call0, 500 call1, 250 call2, 125 call3, 62 call4, 46 of 2 other kinds"
    assert lost_note(Lost(0, -1, 0, 0, CALLS, calls)) == f"--- overwritten, and not among the firsts: {text} ---"
    one = lost_note(Lost(0, -1, 0, 0, CALLS, (("read", 1),)))
    assert one == "--- overwritten, and not among the firsts: 1 call: 1 read ---"


def test_a_ring_that_holds_all_shows_no_firsts_and_no_gap() -> None:
    ring = wrapped(made=3)
    area = AreaWriter()
    area.call(ring.now_ns - 2000, 7, READ, 3, 4096, 5, result=0)
    snapshot = ring.snapshot()
    assert list(events(area.beside(snapshot, {GETPPID: (3, 0), READ: (1, 0)}))) == list(events(snapshot))


def test_without_totals_the_losses_alone_are_told() -> None:
    found = list(events(firsts().beside(wrapped().snapshot())))
    assert [event.reason for event in found if isinstance(event, Lost)] == ["overwritten"]


def test_a_cpu_of_which_nothing_is_left_is_told_of_in_the_gap() -> None:
    ring = RingWriter(ring_size=1 << 13, chunk_size=1 << 12)
    ring.now_ns = 50_000_000
    ring.enter(1, 8, GETPPID)
    ring.returns(1, 1)
    for _ in range(MADE):
        ring.enter(0, 7, GETPPID)
        ring.returns(0, 1)
    found = list(events(firsts().beside(ring.snapshot(), {OPEN: (2, 1), GETPPID: (MADE + 1, 0)})))
    assert [event.reason for event in found[2:5] if isinstance(event, Lost)] == [CALLS, "overwritten", "overwritten"]


@pytest.mark.parametrize(("sources", "expected"), [((RING,), {""}), (("firsts",), {"firsts"})])
def test_one_source_alone(sources: tuple[str, ...], expected: set[str]) -> None:
    found = list(events(firsts().beside(wrapped().snapshot(), {GETPPID: (MADE, 0)}), sources))
    assert {event_source(event) for event in found} == expected
    assert not [event for event in found if isinstance(event, Lost) and event.reason == CALLS]


def test_a_first_names_no_descriptor_of_the_ring() -> None:
    """Descriptor 3 may have become another file in the gap."""
    found = list(known(events(firsts().beside(wrapped().snapshot(), {}))))
    (read,) = (event for event in found if isinstance(event, Call) and event.name == "read")
    assert read.files is not None
    assert not read.files.before
    assert not [event for event in found if isinstance(event, Call) and event.source and event.files is not None]


def test_durations_are_those_that_are_known() -> None:
    snapshot = firsts().beside(wrapped().snapshot())
    whole, alone = (event for event in events(snapshot, ("firsts",)) if isinstance(event, Call))
    assert (whole.duration_ns, alone.duration_ns) == (500, None)
    first, second = strace.lines([whole, alone], snapshot, layout=Layout(duration_digits=9))
    assert first.endswith("= 3 <0.000000500>")
    assert second.endswith("(No such file or directory)")


def test_json_says_where_a_call_comes_from() -> None:
    area = firsts()
    area.task_exit(4_000_000, 9, 3 << 8)
    snapshot = area.beside(wrapped().snapshot(), {GETPPID: (MADE, 0), OPEN: (5, 1)})
    lines = list(jsonl.lines(events(snapshot), snapshot))
    assert ['"source":"firsts"' in line for line in lines[:5]] == [True, True, True, False, False]
    assert '"cpu":null' in lines[3]
    assert '"reason":"overwritten_calls","calls":{"getppid":' in lines[3]
    assert ',"open":3}' in lines[3]
    assert not any("source" in line for line in lines[3:])


def test_an_execve_alone_has_its_new_programs_arguments() -> None:
    area, out = AreaWriter(), layout.ITEM_OUT
    argv = item(1, layout.KIND_BUFFER, b"/bin/sh\0/app/run\0-v\0", flags=out)
    area.exit(2_000_000, 7, EXECVE, 0, item(0, layout.KIND_STRING, b"/app/run", flags=out) + argv)
    area.exit(2_100_000, 7, EXECVE, 0, item(0, layout.KIND_STRING, b"/bin/cat", flags=out) + argv)
    area.exit(2_200_000, 7, EXECVE, 0)
    snapshot = area.beside(wrapped().snapshot())
    script, program, bare = short.lines(events(snapshot, ("firsts",)), snapshot)
    assert 'execve(filename="/app/run" /* read at exit */, argv=[..., "-v"] /* read at exit */) = 0' in script
    assert 'argv=["/bin/sh", "/app/run", "-v"]' in program
    assert bare.endswith("...execve() = 0")


def test_a_clones_return_in_the_child_is_no_call_that_is_still_there() -> None:
    area = AreaWriter()
    area.exit(2_000_000, 8, CLONE, 0)
    found = list(events(area.beside(wrapped(MADE).snapshot(), {CLONE: (5, 0)})))
    assert isinstance(found[0], Returned)
    assert gap(found).calls == (("clone", 5),)


def test_firsts_that_were_overwritten_or_had_no_room_are_told() -> None:
    area = AreaWriter(size=1 << 11, kept=1 << 9)
    for n in range(40):
        area.call(2_000_000 + 1000 * n, 7, OPEN, 64, 0, 0, result=n, items=NAMED)
    area.dropped = 3
    found = list(events(area.beside(wrapped().snapshot(), {GETPPID: (MADE, 0)})))
    results = [event.result for event in found if isinstance(event, Call) and event.source]
    (at,) = (n for n, event in enumerate(found) if isinstance(event, Lost) and event.reason == FIRSTS)
    assert results[0] == 0
    assert results[-1] == 39
    assert results[at] - results[at - 1] > 1
    (dropped,) = (event for event in found if isinstance(event, Lost) and event.reason == FIRSTS_DROPPED)
    assert lost_note(dropped).startswith("--- 3 firsts were not kept")
    assert jsonl.dumps({"cpu": None})[1:-1] in next(jsonl.lines([dropped], wrapped().snapshot()))


def test_firsts_that_the_ring_still_has_are_not_told_to_be_lost() -> None:
    area = AreaWriter(size=1 << 11, kept=1 << 9)
    ring = RingWriter(ring_size=1 << 16, chunk_size=1 << 12)
    for n in range(40):
        area.call(ring.now_ns, 7, OPEN, 64, 0, 0, result=n, items=NAMED)
        ring.enter(0, 7, OPEN, 64, 0, 0, items=NAMED)
        ring.returns(0, n)
    area.dropped = 3
    whole = area.beside(ring.snapshot(), {OPEN: (40, 0)})
    assert not [event for event in events(whole) if isinstance(event, Lost)]
    assert {event.reason for event in events(whole, ("firsts",)) if isinstance(event, Lost)} == {FIRSTS, FIRSTS_DROPPED}


def test_firsts_of_before_a_ring_that_has_wrapped_since_are_not_told_to_be_lost() -> None:
    """The ring lost what is older than the part of the firsts that is never overwritten, and nothing after."""
    area = AreaWriter(size=1 << 11, kept=1 << 9)
    ring = wrapped()
    for n in range(40):
        area.call(ring.now_ns - 2000 + n, 7, OPEN, 64, 0, 0, result=n, items=NAMED)
    found = list(events(area.beside(ring.snapshot(), {GETPPID: (MADE, 0), OPEN: (40, 0)})))
    assert FIRSTS not in {event.reason for event in found if isinstance(event, Lost)}


@given(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=64))
def test_damage_anywhere_is_survived(at: int, damage: bytes) -> None:
    whole = firsts().beside(wrapped().snapshot(), {GETPPID: (MADE, 0), OPEN: (2, 1)})
    at %= len(whole.data)
    damaged = replace(whole, data=(whole.data[:at] + damage + whole.data[at + len(damage) :])[: len(whole.data)])
    for found in (list(events(damaged)), list(events(damaged, ("firsts",)))):
        assert list(short.lines(known(found), damaged)) or not found
        assert list(jsonl.lines(found, damaged)) or not found


def table(snapshot: Snapshot, found: list[Event]) -> list[str]:
    return list(summary.Summary(life(snapshot)).lines_of(found))


def test_the_table_counts_the_whole_life_and_times_what_the_ring_holds() -> None:
    snapshot = firsts().beside(wrapped().snapshot(), {OPEN: (2, 1), GETPPID: (MADE, 0), READ: (1, 0)})
    found = list(events(snapshot))
    held = names(found).count("getppid")
    note, _, _, *rows = table(snapshot, found)
    assert note == f"--- calls and errors: of the whole life; times: of the {held + 1} calls that the ring holds ---"
    assert rows[0].split()[1:] == [f"{held / 1e6:.6f}", "1", str(MADE), "getppid"]
    assert rows[2].split() == ["0.00", "0.000000", "0", "2", "1", "open"]
    assert rows[-1].split()[-3:] == [str(MADE + 3), "1", "total"]


def test_the_table_says_that_requests_of_io_uring_are_the_rings_alone() -> None:
    snapshot = firsts().beside(wrapped().snapshot(), {OPEN: (2, 1), GETPPID: (MADE, 0), READ: (1, 0)})
    found = list(events(snapshot))
    last = next(event for event in reversed(found) if isinstance(event, Call))
    asked = last._replace(name="openat", result=-2, request=Request(1, 0))
    note, *_, total = table(snapshot, [*found, asked])
    held = names(found).count("getppid") + 2
    said = "of the whole life; times, and requests of io_uring: of the"
    assert note == f"--- calls and errors: {said} {held} calls that the ring holds ---"
    assert total.split()[-3:] == [str(MADE + 4), "2", "total"]


def test_the_table_of_a_ring_that_holds_all_is_as_it_was() -> None:
    ring = wrapped(made=3).snapshot()
    found = list(events(ring))
    counted = AreaWriter().beside(ring, {GETPPID: (3, 0), READ: (1, 0)})
    assert table(replace(counted, areas=()), found) == list(summary.lines(found))


def test_an_end_with_an_error_comes_from_the_firsts() -> None:
    area = firsts()
    area.task_exit(4_000_000, 9, 3 << 8)
    (end,) = (event for event in events(area.beside(wrapped().snapshot())) if isinstance(event, TaskExit))
    assert (end.code, end.source) == (3 << 8, "firsts")
