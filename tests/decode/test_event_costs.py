# SPDX-License-Identifier: Apache-2.0
"""The cost of events and their lines at a container's worst: blocked threads, numbers that are no calls, long lists."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from costs import GROWTH_MAX, TIMES, exhaust, growth, peak_bytes
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.descriptors.follow import protocols
from traceloop_decode.events import events
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text import classic, jsonl, short, strace, summary

READ, WRITE, FORK, EXECVE = 0, 1, 57, 59
MIB = 1 << 20


def ring() -> RingWriter:
    return RingWriter(32 * MIB, 1 << 17, 1)


def blocked_threads(count: int) -> Snapshot:
    """Returns many threads that are in a call, while processes begin and end."""
    writer = ring()
    for n in range(count):
        writer.enter(0, 10_000 + n, READ, 3, 0x1000, 1)
    for n in range(count):
        writer.exit(0, 1_000_000 + n, FORK, 0)
        writer.task_exit(0, 1_000_000 + n, 0)
    return writer.snapshot()


def numbers_of_no_call(count: int) -> Snapshot:
    writer = ring()
    for n in range(count):
        writer.enter(0, 7, 100_000 + n, 1, 2, 3)
        writer.exit(0, 7, 100_000 + n, -38)
    return writer.snapshot()


def items_of_one_argument(count: int) -> Snapshot:
    """Returns entries with more items than any kernel side writes."""
    writer = ring()
    for _ in range(20):
        writer.enter(0, 7, WRITE, 1, 2, 3, items=item(1, layout.KIND_BUFFER, b"") * count)
    return writer.snapshot()


def execs_that_end_none(count: int) -> Snapshot:
    """Returns processes in which a second thread is in an execve when the leader ends."""
    writer = ring()
    for n in range(count):
        writer.name(2 * n + 10_000, 2 * n + 10_000, "a")
        writer.name(2 * n + 10_001, 2 * n + 10_000, "a")
        writer.enter(0, 2 * n + 10_001, EXECVE, 1, 2, 3)
        writer.signal(0, 7, 17)
    for n in range(count):
        writer.task_exit(0, 2 * n + 10_000, 0, 0)
        writer.exit(0, 2 * n + 10_000, EXECVE, 0)
    return writer.snapshot()


READERS: dict[str, Callable[[Snapshot], int]] = {
    module.__name__.rpartition(".")[2]: lambda made, lines=module.lines: exhaust(lines(protocols(events(made)), made))  # type: ignore[misc]
    for module in (short, strace, classic, jsonl)
} | {"summary": lambda made: exhaust(summary.lines(events(made)))}


@pytest.mark.parametrize("how", READERS)
@pytest.mark.parametrize(
    ("make", "count"),
    [(blocked_threads, 1000), (numbers_of_no_call, 1000), (items_of_one_argument, 1000), (execs_that_end_none, 500)],
)
def test_the_time_grows_with_the_trace(make: Callable[[int], Snapshot], count: int, how: str) -> None:
    assert growth(make, READERS[how], count) < GROWTH_MAX


@pytest.mark.parametrize("how", READERS)
def test_numbers_of_no_call_are_not_remembered(how: str) -> None:
    read = READERS[how]
    small, large = (peak_bytes(read, numbers_of_no_call(count)) for count in (5000, TIMES * 5000))
    assert large - small < 4 * MIB if how != "summary" else large < 8 * MIB


def test_every_process_is_superseded_by_its_own_thread() -> None:
    made = execs_that_end_none(3)
    shown = [line for line in strace.lines(events(made), made) if "superseded" in line]
    assert shown == [f"{10_000 + 2 * n} +++ superseded by execve in pid {10_001 + 2 * n} +++" for n in range(3)]
