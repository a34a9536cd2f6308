# SPDX-License-Identifier: Apache-2.0
"""The part of a container's life that an explanation rests on: what the ring has without a hole, and the firsts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from archives import INFO
from areawriter import AreaWriter
from ringwriter import RingWriter, item

from traceloop_cli.display.why_lines import lines
from traceloop_decode import layout
from traceloop_decode.archive_file import TraceInfo
from traceloop_decode.causes.explain import explain
from traceloop_decode.causes.objects import Clock, report_object
from traceloop_decode.causes.wording import part, span
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.whole_since import whole_since_ns

OPEN, GETPPID, EXIT_GROUP = 2, 110, 231
SECOND = 10**9
BORN_NS = 1_000_000  # a RingWriter's
CONF = item(0, layout.KIND_STRING, b"/etc/app.conf")
FACTS = replace(INFO, started_ns=5 * SECOND, ended_ns=29 * SECOND, status=1 << 8, overwritten=400, dropped=0)


def calls(ring: RingWriter, count: int, cpu: int = 0, tid: int = 7) -> None:
    for _ in range(count):
        ring.enter(cpu, tid, GETPPID)
        ring.returns(cpu, 1)


def wrapped() -> RingWriter:
    """Returns a ring with the last moments of 24 s."""
    ring = RingWriter(ring_size=1 << 13, chunk_size=1 << 12)
    ring.now_ns = BORN_NS + 24 * SECOND
    calls(ring, 500)
    ring.enter(0, 7, EXIT_GROUP, 1)
    ring.task_exit(0, 7, 1 << 8)
    return ring


def with_firsts() -> Snapshot:
    area = AreaWriter()
    area.call(BORN_NS + SECOND, 7, OPEN, 64, 0, 0, result=3, items=CONF)
    area.returned(BORN_NS + SECOND + 5, 7, OPEN, 64, 0, 0, result=-2, items=CONF)
    return area.beside(wrapped().snapshot(), {OPEN: (2, 1), GETPPID: (500, 0), EXIT_GROUP: (1, 0)})


def recorded(snapshot: Snapshot, facts: TraceInfo = FACTS) -> str:
    clock = Clock(snapshot.started_ns, snapshot.boot_offset_ns)
    (row,) = (line for line in lines(explain(snapshot, facts), facts, clock, "x") if line.startswith("recorded"))
    return row.removeprefix("recorded").strip()


def test_firsts_are_no_time_that_the_trace_covers() -> None:
    bare, snapshot = explain(wrapped().snapshot(), FACTS).covered, with_firsts()
    covered = explain(snapshot, FACTS).covered
    assert covered.from_ns == bare.from_ns
    assert covered.until_ns - covered.from_ns < SECOND // 1000
    assert (covered.firsts, bare.firsts) == (2, 0)
    assert covered.events == bare.events + 2


def test_the_screen_tells_the_ring_s_part_and_the_firsts() -> None:
    covered = explain(with_firsts(), FACTS).covered
    took = span(covered.until_ns - covered.from_ns)
    assert took.endswith(" ms")
    events = covered.events - 2
    assert recorded(with_firsts()) == (
        f"the last {took} of 24.0 s: {events} events of the program, and 2 first times from before; "
        "the ring no longer has 400 earlier ones (ring.size in traceloop.toml)"
    )
    assert "first times" not in recorded(wrapped().snapshot())


def test_one_first_is_one_time() -> None:
    area = AreaWriter()
    area.call(BORN_NS + SECOND, 7, OPEN, 64, 0, 0, result=3, items=CONF)
    assert ", and 1 first time from before;" in recorded(area.beside(wrapped().snapshot(), {}))


def test_a_ring_that_has_everything_tells_of_no_firsts() -> None:
    ring = RingWriter(ring_size=1 << 15, chunk_size=1 << 12)
    calls(ring, 3)
    area = AreaWriter()
    area.call(ring.now_ns - 2000, 7, GETPPID, result=1)  # as the ring has it
    facts = replace(FACTS, overwritten=0)
    snapshot = area.beside(ring.snapshot(), {GETPPID: (3, 0)})
    assert recorded(snapshot, facts) == "its whole life: 3 events of the program"
    covered = explain(snapshot, facts).covered
    assert (covered.firsts, covered.from_ns) == (0, BORN_NS + 1000)


def test_the_object_has_the_ring_s_begin_and_the_number_of_firsts() -> None:
    snapshot = with_firsts()
    found = report_object(explain(snapshot, FACTS), Clock(snapshot.started_ns, snapshot.boot_offset_ns))["trace"]
    assert found["from_ns"] > BORN_NS + 24 * SECOND
    assert found["firsts"] == 2


def test_the_hole_of_one_cpu_is_a_hole() -> None:
    """A CPU's oldest chunk begins later than another's: what it wrote before is missing until then."""
    ring = RingWriter(ring_size=1 << 15, chunk_size=1 << 12)
    for _ in range(12):
        calls(ring, 100)
        calls(ring, 100, cpu=1, tid=8)
    begins = {0: 0, 1: 0}
    for at in range(ring.head - ring.ring_size, ring.head, ring.chunk_size):
        place = at % ring.ring_size
        cpu = layout.CHUNK.unpack_from(ring.data, place)[7]
        begins[cpu] = begins[cpu] or layout.BASE.unpack_from(ring.data, place + layout.CHUNK.size)[5]
    assert whole_since_ns(ring.snapshot()) == max(begins.values()) > min(begins.values())


def test_a_cpu_leaves_its_chunk_after_half_a_lap_so_older_holes_end_there() -> None:
    ring = RingWriter(ring_size=1 << 16, chunk_size=1 << 12)
    calls(ring, 10, cpu=1, tid=8)
    calls(ring, 3000)
    before_ns = ring.now_ns
    calls(ring, 1, cpu=1, tid=8)
    assert whole_since_ns(ring.snapshot()) < before_ns - SECOND // 10_000


def test_a_cpu_that_was_idle_long_since_has_no_hole() -> None:
    ring = RingWriter(ring_size=1 << 16, chunk_size=1 << 12)
    calls(ring, 10, cpu=1, tid=8)
    calls(ring, 5000)
    alone = RingWriter(ring_size=1 << 16, chunk_size=1 << 12, cpus=1)
    alone.head, alone.now_ns = ring.chunk_size, BORN_NS + 20_000
    calls(alone, 5000)
    assert whole_since_ns(ring.snapshot()) == whole_since_ns(alone.snapshot())


def test_an_empty_ring_is_whole_since_never() -> None:
    assert whole_since_ns(RingWriter().snapshot()) == 0


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ms"),
        (412_345, "0.412 ms"),
        (9_990_000, "9.99 ms"),
        (12_000_000, "0.012 s"),
        (9_999 * 10**6, "9.999 s"),
        (24 * SECOND, "24.0 s"),
        (3600 * SECOND, "3,600.0 s"),
    ],
)
def test_spans(ns: int, text: str) -> None:
    assert span(ns) == text


def test_the_part_of_a_container_that_runs_has_no_whole() -> None:
    covered = explain(with_firsts(), FACTS).covered
    assert " of " not in part(covered, replace(FACTS, ended_ns=0))
