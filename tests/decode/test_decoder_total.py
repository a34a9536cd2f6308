# SPDX-License-Identifier: Apache-2.0
"""Whatever bytes it is given, the decoder answers with valid records and counted gaps, or with a DecodeError."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from hypothesis import given, settings
from hypothesis import strategies as st
from recorder import Container
from ringwriter import RingWriter, item

from traceloop_bpf.tracer import Tracer
from traceloop_decode import layout
from traceloop_decode.events import events
from traceloop_decode.model import DecodeError, Event, Lost
from traceloop_decode.ring import Record, Ring
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text import records


@cache
def sample() -> Snapshot:
    """A small ring that has wrapped, with every type of record and of item."""
    ring, chance = RingWriter(ring_size=1 << 14, chunk_size=1 << 11), random.Random(1)
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
    return ring.snapshot()


def read_all(encoded: bytes) -> list[Event]:
    """Decodes to the end; any error but DecodeError comes through."""
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
# Where bytes mean most: the first kilobytes, which are description and headers, get half of the blows.
places = st.lists(st.tuples(st.one_of(fractions, fractions.map(lambda f: f / 8)), st.binary(min_size=1, max_size=40)))


@given(places)
@settings(max_examples=150, deadline=None)
def test_overwritten_anywhere(places: list[tuple[float, bytes]]) -> None:
    read_all(damage(sample().encode(), places))


@given(fractions)
@settings(max_examples=60, deadline=None)
def test_cut_off_anywhere(fraction: float) -> None:
    encoded = sample().encode()
    read_all(encoded[: int(fraction * len(encoded))])


@given(st.binary(max_size=400), st.sampled_from([b"", b"TLSNAP1\n"]))
@settings(max_examples=100, deadline=None)
def test_rubbish(rubbish: bytes, magic: bytes) -> None:
    with pytest.raises(DecodeError):
        Snapshot.decode(magic + rubbish)


numbers = st.one_of(st.integers(), st.integers(0, 1 << 20), st.sampled_from([1 << 12, 1 << 32, -1, 0, 1, 64]))


@given(st.dictionaries(st.sampled_from(["ring_size", "chunk_size", "cpus", "headers", "record_version"]), numbers))
@settings(max_examples=100, deadline=None)
def test_a_description_that_lies(lies: dict[str, int]) -> None:
    encoded = sample().encode()
    length = int.from_bytes(encoded[8:12], "little")
    fields = json.dumps(json.loads(encoded[12 : 12 + length]) | lies).encode()
    read_all(encoded[:8] + len(fields).to_bytes(4, "little") + fields + encoded[12 + length :])


@given(st.lists(st.tuples(fractions, st.integers(0, (1 << 64) - 1)), min_size=1, max_size=5), st.integers(0, 7))
@settings(max_examples=100, deadline=None)
def test_headers_that_lie(words: list[tuple[float, int]], copies: int) -> None:
    snapshot = sample()
    lying = bytearray(snapshot.headers[0])
    for where, value in words:
        at = int(where * len(lying)) & ~7
        lying[at : at + 8] = value.to_bytes(8, "little")
    headers = tuple(bytes(lying) if copies >> n & 1 else copy for n, copy in enumerate(snapshot.headers))
    read_all(replace(snapshot, headers=headers).encode())


@given(st.lists(st.tuples(fractions, st.binary(min_size=1, max_size=8)), min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_stamps_that_lie_leave_the_rest_and_a_counted_gap(places: list[tuple[float, bytes]]) -> None:
    """Where stamps are destroyed, what remains is exactly as it was, and what does not is counted to the record."""
    snapshot = sample()
    whole = [found for found in Ring(snapshot).records() if isinstance(found, Record)]
    data = bytearray(snapshot.data)
    positions = stamps(snapshot)
    for where, what in places:
        at = positions[int(where * len(positions))]
        data[at : at + 4] = bytes(a ^ b for a, b in zip(data[at : at + 4], what.ljust(4, b"\1"), strict=False))
    found = list(Ring(replace(snapshot, data=bytes(data))).records())
    left = [one for one in found if isinstance(one, Record)]
    assert set(left) <= set(whole)
    total = sum(cpu.records for cpu in Ring(snapshot).headers.cpus)
    assert sum(one.records for one in found if isinstance(one, Lost)) + len(left) == total


def stamps(snapshot: Snapshot) -> list[int]:
    """Where in the data a header of the last lap lies."""
    ring = Ring(snapshot)
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
