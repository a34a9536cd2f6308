# SPDX-License-Identifier: Apache-2.0
"""Calls of the container's runtime in the ring's data: they are the runtime's, and none of the container's own."""

from __future__ import annotations

from struct import pack

from areawriter import AreaWriter
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.areas import RUNTIME
from traceloop_decode.events import RING, events
from traceloop_decode.model import Call, Event, Lost
from traceloop_decode.places import places
from traceloop_decode.ring_headers import count
from traceloop_decode.ring_reader import RingReader
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text import records

CHDIR, GETPID, MOUNT, PATH = 80, 39, 165, b"/no/such\0"
RUNC, OWN = 7, 9


def started(rounds: int = 3) -> RingWriter:
    """A ring with `rounds` failed chdir of a runtime on each of two CPUs, and then a call of the container."""
    ring = RingWriter(cpus=2)
    for n in range(rounds):
        for cpu in range(2):
            ring.apart(cpu, RUNC + cpu, CHDIR, -2, 0x1000 + n, items=item(0, layout.KIND_STRING, PATH))
    ring.enter(0, OWN, GETPID)
    ring.returns(0, OWN)
    return ring


def calls(found: list[Event]) -> list[tuple[str, int, str]]:
    assert all(isinstance(event, Call) for event in found)
    return [(event.name, event.tid, event.source) for event in found if isinstance(event, Call)]


def test_they_are_shown_before_the_container_s_own() -> None:
    found = list(events(started(2).snapshot()))
    assert calls(found) == [
        *(("chdir", RUNC, RUNTIME), ("chdir", RUNC + 1, RUNTIME)) * 2,
        ("getpid", OWN, RING),
    ]
    first = found[0]
    assert isinstance(first, Call)
    assert (first.result, first.registers, first.entry_lost) == (-2, (0x1000,), False)
    assert [one.data for one in first.args[0].items] == [PATH]


def test_each_source_has_its_own() -> None:
    snapshot = started().snapshot()
    assert {source for _, _, source in calls(list(events(snapshot, [RING])))} == {RING}
    assert calls(list(events(snapshot, [RUNTIME]))) == [("chdir", RUNC + n % 2, RUNTIME) for n in range(6)]


def test_they_count_as_records_and_not_as_events() -> None:
    ring = started()
    reader = RingReader(ring.snapshot())
    assert not any(isinstance(record, Lost) for record in reader.records())
    assert reader.read == 7
    counted = count(reader.headers, [])
    assert (counted.records, counted.events) == (7, 1)


def test_those_that_were_overwritten_are_missed_once() -> None:
    ring = started(40)
    for _ in range(2000):
        ring.enter(0, OWN, GETPID)
        ring.returns(0, OWN)
    snapshot = ring.snapshot()
    assert calls(list(events(snapshot, [RUNTIME]))) == []
    assert [event.reason for event in events(snapshot) if isinstance(event, Lost)][:1] == ["overwritten"]


def test_their_memory_can_be_redacted_and_their_records_printed() -> None:
    snapshot = started(1).snapshot()
    found = places(snapshot)
    assert [snapshot.data[begin:end] for begin, end in zip(found.begins, found.ends, strict=True)] == [PATH, PATH]
    lines = [line for line in records.lines(snapshot) if " return " in line]
    assert len(lines) == 2
    assert all(f"nr={CHDIR} result=-2 0x1000" in line for line in lines)


def test_damaged_ones_give_fewer() -> None:
    whole = started().snapshot()
    for at in range(len(whole.data)):
        damaged = bytearray(whole.data)
        damaged[at] ^= 0xFF
        assert len(list(events(replaced(whole, bytes(damaged)), [RUNTIME]))) <= 6


def replaced(snapshot: Snapshot, data: bytes) -> Snapshot:
    fields = {name: getattr(snapshot, name) for name in snapshot.__dataclass_fields__}
    return Snapshot(**fields | {"data": data})


def test_a_return_without_a_number_is_that_of_rt_sigreturn() -> None:
    """The registers of the call were replaced by those of before the signal."""
    ring = RingWriter()
    ring.record(
        0, RUNC, layout.TYPE_RETURN, layout.NR_WIDE | 6 << layout.NR_ARGS_SHIFT, pack("<qq6Q", -1, 5, *range(6))
    )
    (call,) = events(ring.snapshot())
    assert isinstance(call, Call)
    assert (call.name, call.number, call.result, call.registers) == ("rt_sigreturn", 15, 5, ())


def beside(ring: RingWriter, last: int, later: int, size: int) -> Snapshot:
    """A snapshot with an area of `size` bytes: the `last` calls of the start, and `later` calls of later execs."""
    area = AreaWriter(size, 0, ring.cookie, RUNTIME)
    snapshot = ring.snapshot()
    start = sorted((record for record in RingReader(snapshot).of_start() if record.cpu == 0), key=lambda one: one.ts_ns)
    for record in start[-last:]:
        area.returned(record.ts_ns, record.tid, CHDIR, 0x1000, result=-2)
    for n in range(later):
        area.returned(snapshot.taken_ns + 1000 * (n + 1), RUNC, GETPID, result=RUNC)
    return area.beside(snapshot)


def started_on_one_cpu() -> RingWriter:
    ring = RingWriter()
    for n in range(6):
        ring.apart(0, RUNC, CHDIR, -2, 0x1000 + n)
    return ring


def test_what_the_ring_has_is_not_taken_from_the_area_too() -> None:
    found = list(events(beside(started_on_one_cpu(), 3, 1, 1 << 14), [RUNTIME]))
    assert calls(found) == [("chdir", RUNC, RUNTIME)] * 6 + [("getpid", RUNC, RUNTIME)]


def test_the_area_s_loss_is_none_where_the_ring_has_it() -> None:
    ring = started_on_one_cpu()
    assert not [one for one in events(beside(ring, 6, 0, 320)) if isinstance(one, Lost)]
    assert [one.reason for one in events(beside(ring, 6, 20, 320)) if isinstance(one, Lost)] == ["overwritten_runtime"]
