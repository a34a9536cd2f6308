# SPDX-License-Identifier: Apache-2.0
"""The cost of reading hostile rings: thousands of CPUs, late ranges, records with contradictory times."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from costs import GROWTH_MAX, exhaust, growth
from ringwriter import RingWriter

from traceloop_decode import layout
from traceloop_decode.model import Lost
from traceloop_decode.ring_reader import Record, RingReader
from traceloop_decode.snapshot import Snapshot


def many_cpus(cpus: int) -> Snapshot:
    """Returns a ring with one chunk of each CPU, with two records each."""
    ring = RingWriter(cpus << 10, 1 << 8, cpus)
    for _ in range(2):
        for cpu in range(cpus):
            ring.enter(cpu, 7, 39)
    return ring.snapshot()


def late_everywhere(cpus: int) -> Snapshot:
    """Returns a ring with many CPUs, each with LATE ranges that do not touch the records of the first CPU."""
    ring = RingWriter(cpus << 8, 1 << 8, cpus)
    for _ in range(cpus):
        ring.enter(0, 7, 39)
    for number, cpu in enumerate(ring.cpus):
        cpu.late = [(8 * (number * layout.LATE + n), 8 * (number * layout.LATE + n) + 8, 1) for n in range(layout.LATE)]
    return ring.snapshot()


def gaps(chunks: int) -> Snapshot:
    """Returns a ring in which every chunk says that records are missing before it."""
    ring = RingWriter(chunks << 8, 1 << 8, 1)
    while ring.head < ring.ring_size:
        ring.cpus[0].records += 1
        ring.enter(0, 7, 39)
    return ring.snapshot()


def falling(cpus: int) -> Snapshot:
    """Returns a ring in which each record is older than the one before it."""
    ring = RingWriter(cpus << 10, 1 << 8, cpus)
    ring.now_ns = 1 << 40
    for number in range(4 * cpus):
        ring.now_ns -= 5000
        ring.renames += 1  # each with a base record
        ring.enter(number % cpus, 7, 39)
    return ring.snapshot()


@pytest.mark.parametrize(
    ("make", "size"),
    [(many_cpus, 256), (late_everywhere, 256), (gaps, 1024), (falling, 256)],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_the_time_grows_with_the_ring(make: Callable[[int], Snapshot], size: int) -> None:
    assert growth(make, lambda made: exhaust(RingReader(made).records()), size) < GROWTH_MAX


def test_all_records_of_many_cpus_come_in_the_order_of_time() -> None:
    found = list(RingReader(many_cpus(256)).records())
    assert len(found) == 512
    assert all(before.ts_ns < after.ts_ns for before, after in pairwise(found))


def test_of_a_ring_whose_times_fall_nothing_is_left_out() -> None:
    found = list(RingReader(falling(16)).records())
    assert sorted(one.ts_ns for one in found) == [(1 << 40) - 4000 * n for n in range(64, 0, -1)]


@pytest.mark.parametrize(
    ("start", "to", "head", "damaged"),
    [
        (0, 8, 1 << 62, True),
        (0, 8, 1, False),  # overwritten by what was reserved later
        (1 << 61, (1 << 61) + 8, 1 << 62, False),  # ahead of the ring
        (0, 1 << 61, 1 << 62, True),  # longer than the ring
        (8, 0, 1 << 62, False),
    ],
)
def test_a_late_range_damages_what_lies_in_its_place_a_lap_later(
    start: int, to: int, head: int, *, damaged: bool
) -> None:
    ring = RingWriter(1 << 12, 1 << 10, 1)
    while ring.head <= ring.ring_size:
        ring.enter(0, 7, 39)
    clean = [one for one in RingReader(ring.snapshot()).records() if isinstance(one, Record)]
    ring.cpus[0].late[0] = start, to, head
    found = list(RingReader(ring.snapshot()).records())
    assert (sum(isinstance(one, Record) for one in found) < len(clean)) is damaged
    assert any(isinstance(one, Lost) and one.reason == "rejected" for one in found) is damaged
