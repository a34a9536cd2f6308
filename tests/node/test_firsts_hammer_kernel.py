# SPDX-License-Identifier: Apache-2.0
"""Calls that are kept because they are new are told as they were made, although writers stall before the copy."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import count as count_from

import pytest
from recorded_cgroups import TIMEOUT_S, Container, Workloads, raw

from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer
from traceloop_decode.areas import FIRSTS
from traceloop_decode.events import events
from traceloop_decode.forgotten import FIRSTS as FIRSTS_OVERWRITTEN
from traceloop_decode.forgotten import FIRSTS_DROPPED
from traceloop_decode.model import Call, Lost
from traceloop_decode.snapshot import Snapshot

pytestmark = pytest.mark.kernel

PROGRAM = "hammer_firsts"
OF_THREADS = {
    "exit",
    "madvise",
    "mprotect",
    "pwrite64",
    "rseq",
    "rt_sigprocmask",
    "sched_setaffinity",
    "set_robust_list",
}
CYCLES = 4_000  # of a stall, some 1.5 ms: the other CPU laps the ring, and what is not kept for ever of the area
SNAPSHOTS, PROVED, DROPPED = 100, 2_000, 5
PATH = re.compile(r"/none/([01])-(\d+)/(\d+)")
ENOENT = 2


@pytest.fixture(scope="module")
def stalling() -> Iterator[Tracer]:
    plan = Plan(ring_size=64 << 10, pool_size=1, firsts_size=24 << 10, defines={"TL_TEST_STALL": CYCLES})
    with closing(Tracer.load(plan)) as tracer:
        yield tracer


def test_two_threads_make_new_calls_and_stall(stalling: Tracer, workload: Workloads) -> None:
    proved = dropped = 0
    threads: dict[str, int] = {}
    with Container(stalling) as container, container.start(workload("hammer_firsts")) as process:
        for taken in count_from(1):
            snapshot = container.snapshot()
            proved += judge(snapshot, process.pid, threads)
            (area,) = [area for area in snapshot.areas if area.name == FIRSTS]
            dropped = area.dropped
            if taken >= SNAPSHOTS and proved >= PROVED and dropped >= DROPPED:
                break
            assert taken < 20 * SNAPSHOTS, (proved, dropped)
        process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0
        judge(container.snapshot(), process.pid, threads)
    assert len(set(threads.values())) == 2
    print(taken, "snapshots:", proved, "proved,", dropped, "dropped")


def judge(snapshot: Snapshot, pid: int, threads: dict[str, int]) -> int:
    """Asserts that each kept call was made so, once and in this order. threads: tids by the numbers in paths."""
    last: dict[str, int] = {}
    found = list(events(snapshot, (FIRSTS,)))
    calls = [event for event in found if isinstance(event, Call) and event.comm == PROGRAM]
    hammered = [call for call in calls if call.name == "openat" and raw(call)[0] < 1 << 31]
    for call in hammered:
        told = PATH.fullmatch(call.args[1].items[0].data.rstrip(b"\0").decode())
        assert told, call
        thread, *sequence = told[1], int(told[2]), int(told[3])
        assert sequence == [raw(call)[0]] * 2, call
        assert call.result == -ENOENT, call
        assert threads.setdefault(thread, call.tid) == call.tid
        assert last.get(thread, 0) < sequence[0], "in the order in which they were made, each once"
        last[thread] = sequence[0]
    others = Counter((call.name, call.tid) for call in calls if call.name != "openat")
    tids = {tid for _, tid in others} - {pid}
    assert len(tids | set(threads.values())) <= 2, others
    assert {name for name, tid in others if tid in tids} <= OF_THREADS, others
    assert all(others["pwrite64", tid] <= 2 for tid in tids), "twice, if both are the first at the same time"
    assert {event.reason for event in found if isinstance(event, Lost)} <= {FIRSTS_OVERWRITTEN, FIRSTS_DROPPED}
    return len(hammered)
