# SPDX-License-Identifier: Apache-2.0
"""The decoder answers any bytes with valid records and counted gaps, or with a DecodeError."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from hypothesis import example, given, settings
from hypothesis import strategies as st
from recorded_cgroups import Container
from ringwriter import RingWriter, item

from traceloop_bpf.tracer import Tracer
from traceloop_decode import layout
from traceloop_decode.areas import found_in
from traceloop_decode.comparing.compare import compare
from traceloop_decode.comparing.profile import profile
from traceloop_decode.descriptors.follow import known
from traceloop_decode.events import events
from traceloop_decode.model import Call, DecodeError, Event, Lost
from traceloop_decode.places import places as places_in
from traceloop_decode.program_start import since_program
from traceloop_decode.ring_reader import Record, RingReader
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text import jsonl, records
from traceloop_decode.timeline.timeline import timeline
from traceloop_decode.totals import Total, Totals
from traceloop_decode.whole_calls import whole


@cache
def sample() -> Snapshot:
    """Returns a small ring that has wrapped, with every type of record and of item."""
    ring, chance = RingWriter(ring_size=1 << 14, chunk_size=1 << 11, firsts_size=1 << 12), random.Random(1)
    for step in range(400):
        cpu, tid = step % 2, 7 + chance.randrange(3)
        path = item(1, layout.KIND_STRING, b"/etc/hosts"[: chance.randrange(11)])
        vector = b"".join(
            item(1, layout.KIND_BUFFER, b"abc" * n, size=99, flags=layout.ITEM_MORE, sub=n) for n in (0, 1)
        )
        ring.enter(cpu, tid, *chance.choice([(257, 1, 2, 3, 4), (39,), (99999, 1)]), items=path)
        ring.exit(1 - cpu, tid, chance.choice([257, 19, -1]), -2, items=vector)
        if step % 40 == 0:
            ring.signal(cpu, tid, 17)
            ring.name(tid, 5, f"name {step}")
            ring.task_exit(cpu, tid + 1, 0)
    for step in range(90):  # more than the area holds
        kind = (layout.TYPE_CALL, layout.TYPE_CALL_OUT, layout.TYPE_RETURN, layout.TYPE_ENTER)[step % 4]
        words = b"".join(word.to_bytes(8, "little") for word in (1, 2, 3, 4))
        path = item(1, layout.KIND_STRING, b"/etc/%d" % step)
        head = layout.ROOM.pack(9, 24 + len(words + path)) if kind != layout.TYPE_RETURN else bytes(8)
        ring.keep(step % 2, 7, kind, 257 | 4 << layout.NR_ARGS_SHIFT, head + words + path + bytes(8 * (step % 4 == 1)))
    ring.totals = Totals({0: Total(9, 3), 257: Total(1 << 40, 0)}, {4: Total(5, 5)}, 1 << 50, 7)
    return ring.snapshot()


def read_all(encoded: bytes) -> list[Event]:
    """Decodes to the end; every error other than a DecodeError propagates."""
    try:
        snapshot = Snapshot.decode(encoded)
    except DecodeError:
        return []
    found = list(events(snapshot))
    for event in found:
        if isinstance(event, Lost):
            assert event.records >= 0
            assert event.events >= 0
    assert all(line.isascii() and line.isprintable() for line in records.lines(snapshot))
    complete = list(since_program(whole(known(found, sockets=True))))
    picture = timeline(complete, snapshot)
    assert all(item.text.isascii() and item.text.isprintable() and item.took_ns >= 0 for item in picture.items)
    run = profile(complete)
    assert compare(run, run).same
    return found


def test_the_sample_is_whole() -> None:
    snapshot = sample()
    assert Snapshot.decode(snapshot.encode()) == snapshot
    assert {type(event).__name__ for event in read_all(snapshot.encode())} == {
        *("Call", "Entered", "Returned", "Signal", "TaskExit", "Lost")
    }


def damage(encoded: bytes, places: list[tuple[float, bytes]]) -> bytes:
    damaged = bytearray(encoded)
    for where, what in places:
        at = int(where * len(damaged))
        damaged[at : at + len(what)] = what
    return bytes(damaged)


fractions = st.floats(0, 1, exclude_max=True)
# Half of the changes hit the first eighth, which includes the description and the headers.
places = st.lists(st.tuples(st.one_of(fractions, fractions.map(lambda f: f / 8)), st.binary(min_size=1, max_size=40)))


@given(places)
@settings(max_examples=150)
def test_overwritten_anywhere(places: list[tuple[float, bytes]]) -> None:
    read_all(damage(sample().encode(), places))


@given(fractions)
@settings(max_examples=60)
def test_cut_off_anywhere(fraction: float) -> None:
    encoded = sample().encode()
    read_all(encoded[: int(fraction * len(encoded))])


@given(st.binary(max_size=400), st.sampled_from([b"", b"TLSNAP1\n"]))
@settings(max_examples=100)
def test_rubbish(rubbish: bytes, magic: bytes) -> None:
    with pytest.raises(DecodeError):
        Snapshot.decode(magic + rubbish)


numbers = st.one_of(st.integers(), st.integers(0, 1 << 20), st.sampled_from([1 << 12, 1 << 32, -1, 0, 1, 64]))


def with_fields(encoded: bytes, lies: Mapping[str, object]) -> bytes:
    length = int.from_bytes(encoded[8:12], "little")
    fields = json.dumps(json.loads(encoded[12 : 12 + length]) | lies).encode()
    return encoded[:8] + len(fields).to_bytes(4, "little") + fields + encoded[12 + length :]


@given(st.dictionaries(st.sampled_from(["ring_size", "chunk_size", "cpus", "headers", "record_version"]), numbers))
@settings(max_examples=100)
def test_a_description_that_lies(lies: dict[str, int]) -> None:
    read_all(with_fields(sample().encode(), lies))


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.floats(), st.text(max_size=20), st.from_regex(r"(\d+:\d+:\d+ ?)*")),
    lambda inner: st.one_of(st.lists(inner, max_size=8), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["areas", "totals"]), anything, min_size=1))
@settings(max_examples=150)
def test_descriptions_of_areas_and_totals_that_lie(lies: dict[str, object]) -> None:
    read_all(with_fields(sample().encode(), lies))


@given(st.lists(numbers, min_size=6, max_size=6), st.integers(0, 63), st.integers(1, 2))
@settings(max_examples=200)
def test_numbers_of_areas_that_lie(lies: list[int], which: int, count: int) -> None:
    """Each number is a lie or the truth, of one area or two; items never lie outside the data."""
    name, *truth = sample().areas[0].fields()
    one = [name, *(lie if which >> n & 1 else true for n, (lie, true) in enumerate(zip(lies, truth, strict=True)))]
    encoded = with_fields(sample().encode(), {"areas": [one] * count})
    read_all(encoded)
    try:
        snapshot = Snapshot.decode(encoded)
    except DecodeError:
        return
    found = places_in(snapshot)
    spans = [*zip(found.begins, found.ends, strict=True)]
    assert spans == sorted(spans)
    assert all(0 <= begin <= end <= len(snapshot.data) for begin, end in spans)
    assert all(0 <= begin < end <= len(snapshot.data) for begin, end in found.runs)


@pytest.mark.parametrize("cut", [1, 4, 8, 50])
def test_areas_after_a_ring_that_is_cut_off_have_no_places_elsewhere(cut: int) -> None:
    """The bytes of the areas are found from the end, and then no multiple of eight bytes from the begin."""
    snapshot = sample()
    at = snapshot.ring_length
    short = replace(snapshot, data=snapshot.data[: at - cut] + snapshot.data[at:])
    (area,) = snapshot.areas
    assert len([*found_in(area, short.data, at - cut, RingReader(snapshot).headers.cookie)]) > 20
    found = places_in(short)
    assert all(begin <= end <= len(short.data) for begin, end in zip(found.begins, found.ends, strict=True))


@given(st.lists(st.tuples(fractions, st.binary(min_size=1, max_size=8)), min_size=1, max_size=9))
@example([(0.30007198158734205, b"\0\0\0\0\0\0\n")])  # a length that covers the next record
@settings(max_examples=100)
def test_bytes_of_an_area_that_lie_leave_its_other_records(blows: list[tuple[float, bytes]]) -> None:
    snapshot = sample()
    (area,), begin = snapshot.areas, snapshot.ring_length
    data = bytearray(snapshot.data)
    hit = []
    for where, what in blows:
        at = begin + int(where * (area.length - len(what)))
        data[at : at + len(what)] = what
        hit.append((at, at + len(what)))
    cookie = RingReader(snapshot).headers.cookie
    whole = [*found_in(area, snapshot.data, begin, cookie)]
    left = [*found_in(area, bytes(data), begin, cookie)]
    unhurt = [
        found
        for found in whole
        if not any(first < found.end and last > found.at - layout.BASE.size for first, last in hit)
    ]
    assert len(whole) > 20
    assert {found.at for found in unhurt} <= {found.at for found in left}
    read_all(replace(snapshot, data=bytes(data)).encode())


@given(st.lists(st.tuples(fractions, st.integers(0, (1 << 64) - 1)), min_size=1, max_size=5), st.integers(0, 7))
@settings(max_examples=100)
def test_headers_that_lie(words: list[tuple[float, int]], copies: int) -> None:
    snapshot = sample()
    lying = bytearray(snapshot.headers[0])
    for where, value in words:
        at = int(where * len(lying)) & ~7
        lying[at : at + 8] = value.to_bytes(8, "little")
    headers = tuple(bytes(lying) if copies >> n & 1 else copy for n, copy in enumerate(snapshot.headers))
    read_all(replace(snapshot, headers=headers).encode())


@given(st.lists(st.tuples(fractions, st.binary(min_size=1, max_size=8)), min_size=1, max_size=5))
@settings(max_examples=150)
def test_stamps_that_lie_leave_the_rest_and_a_counted_gap(places: list[tuple[float, bytes]]) -> None:
    """Records with intact stamps read exactly as before, and each record with a destroyed stamp is counted as lost."""
    snapshot = sample()
    whole = [found for found in RingReader(snapshot).records() if isinstance(found, Record)]
    data = bytearray(snapshot.data)
    positions = stamps(snapshot)
    for where, what in places:
        at = positions[int(where * len(positions))]
        data[at : at + 4] = bytes(a ^ b for a, b in zip(data[at : at + 4], what.ljust(4, b"\1"), strict=False))
    found = list(RingReader(replace(snapshot, data=bytes(data))).records())
    left = [one for one in found if isinstance(one, Record)]
    assert set(left) <= set(whole)
    total = sum(cpu.records for cpu in RingReader(snapshot).headers.cpus)
    assert sum(one.records for one in found if isinstance(one, Lost)) + len(left) == total


def stamps(snapshot: Snapshot) -> list[int]:
    """Returns the places in the data of the last lap's headers."""
    ring = RingReader(snapshot)
    head, cookie = ring.headers.head, ring.headers.cookie
    first = head - snapshot.ring_size
    right = {pos % snapshot.ring_size: (pos >> 3 ^ cookie).to_bytes(4, "little") for pos in range(first, head, 8)}
    return [at for at, stamp in right.items() if snapshot.data[at : at + 4] == stamp]


@pytest.mark.kernel
def test_a_real_snapshot_damaged(tracer: Tracer, containers: Callable[[], Container]) -> None:
    container = containers()
    container.run("sh", "-c", "ls / | head -n 3; cat /nonexistent; sh -c 'kill -9 $$'", status=137)
    encoded = container.snapshot().encode()
    assert len(read_all(encoded)) > 100
    chance = random.Random(2)
    for _ in range(40):
        blows = [
            (chance.random() * chance.choice([1, 0.05]), chance.randbytes(chance.randrange(1, 64))) for _ in range(9)
        ]
        read_all(damage(encoded, blows))
        read_all(encoded[: chance.randrange(len(encoded))])


@pytest.mark.parametrize("name", ["taken_ns", "started_ns", "boot_offset_ns"])
def test_a_time_that_no_clock_tells_is_damage(name: str) -> None:
    with pytest.raises(DecodeError, match=rf"^damaged snapshot: {name} is 1000"):
        Snapshot.decode(replace(sample(), **{name: 10**30}).encode())


def test_an_execveat_without_registers_that_succeeds() -> None:
    ring = RingWriter()
    ring.enter(0, 7, 322)
    ring.exit(0, 7, 322, 0, items=item(1, layout.KIND_STRING, b"/bin/true", flags=layout.ITEM_OUT))
    assert [event.name for event in read_all(ring.snapshot().encode()) if isinstance(event, Call)] == ["execveat"]


@pytest.mark.parametrize("began", [322, 39, 117 | layout.NR_COMPAT])
def test_a_socketcall_that_returns_where_another_call_began(began: int) -> None:
    ring = RingWriter()
    word, memory = (3).to_bytes(8, "little"), item(1, layout.KIND_BUFFER, bytes(12), flags=layout.ITEM_OUT)
    short = 1 << layout.NR_ARGS_SHIFT
    ring.record(0, 7, layout.TYPE_ENTER, began | short, bytes(layout.ROOM.size) + word)
    ring.record(0, 7, layout.TYPE_EXIT, 102 | layout.NR_COMPAT | short, bytes(8) + word + memory)
    assert len(read_all(ring.snapshot().encode())) == 1


def test_an_ioctl_with_one_register() -> None:
    ring = RingWriter()
    ring.enter(0, 7, 16, 3)
    ring.exit(0, 7, 16, 5)
    snapshot = ring.snapshot()
    (line,) = jsonl.lines(events(snapshot), snapshot)
    assert json.loads(line)["ret_text"] == "5"
