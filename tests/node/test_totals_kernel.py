# SPDX-License-Identifier: Apache-2.0
"""Life totals equal known numbers of calls, to the call, over an exchange of programs and the death of a daemon."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from recorded_cgroups import Cgroup, Workloads, returned
from test_adoption_kernel import OTHER, PLAN, Pocket, adopted, die

from traceloop_bpf.tracer import Tracer
from traceloop_decode.events import events
from traceloop_decode.selection.skipped import places
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.totals import Total, Totals

pytestmark = pytest.mark.kernel

CALLS, MANY = 10_007, 200_003
"""Numbers of calls of each of the two threads, primes."""
GETPPID, LSEEK, PREAD, PWRITE, READ, WRITE = 110, 8, 17, 18, 0, 1
GETPPID_32, LSEEK_32 = 64, 19


@pytest.fixture
def pocket() -> Iterator[Pocket]:
    pocket = Pocket()
    yield pocket
    pocket.drop(list(pocket.fds))


def check(totals: Totals | None, *calls: int) -> None:
    """Checks the totals of several runs of the workload. calls: the N of each."""
    assert totals is not None
    all_calls, some = 2 * sum(calls), 2 * sum(n // 10 for n in calls)
    native = {number: totals.native[number] for number in (GETPPID, LSEEK, PREAD, PWRITE)}
    assert native == {
        GETPPID: Total(all_calls, 0),
        LSEEK: Total(all_calls, all_calls),
        PREAD: Total(some, 0),
        PWRITE: Total(some, 0),
    }
    assert totals.compat == {GETPPID_32: Total(some, 0), LSEEK_32: Total(some, some)}
    # Each run entered the cgroup within a write of one byte, which is counted as it returns.
    assert (totals.read_bytes, totals.written_bytes) == (5 * some, 7 * some + len(calls))
    assert totals.native[WRITE] == Total(len(calls), 0)


def test_calls_of_two_cpus_and_both_tables_are_counted(pocket: Pocket, workload: Workloads) -> None:
    program = workload("totals", "-static")
    with Cgroup() as cgroup, Cgroup() as outside:
        tracer = Tracer.load(PLAN, pocket)
        recording = tracer.record([cgroup.id])
        outside.run(program, str(CALLS), str(cgroup.path / "cgroup.procs"))
        check(recording.ring.totals(), CALLS)
        snapshot = recording.ring.snapshot(recording.started_ns)
        assert snapshot.totals == recording.ring.totals()
        assert Snapshot.decode(snapshot.encode()).totals == snapshot.totals
        die(tracer, recording)
        outside.run(program, "101", str(cgroup.path / "cgroup.procs"))
        with adopted(pocket, recording) as (_, (same,)):
            outside.run(program, "103", str(cgroup.path / "cgroup.procs"))
            check(same.ring.totals(), CALLS, 101, 103)


def test_no_call_is_missed_or_counted_twice_while_programs_are_exchanged(pocket: Pocket, workload: Workloads) -> None:
    program = workload("totals", "-static")
    with Cgroup() as cgroup, Cgroup() as outside, ThreadPoolExecutor(1) as beside:
        tracer = Tracer.load(PLAN, pocket)
        recording = tracer.record([cgroup.id])
        done = Event()

        def call() -> int:
            runs = 0
            while not done.is_set():
                outside.run(program, str(MANY), str(cgroup.path / "cgroup.procs"))
                runs += 1
            return runs

        runs = beside.submit(call)
        try:
            for plan in (OTHER, PLAN, OTHER):
                tracer.exchange(plan)
        finally:
            done.set()
        known = [MANY] * runs.result()
        check(recording.ring.totals(), *known)
        tracer.give_back(recording)
        tracer.remove()


def test_a_call_that_waits_while_programs_are_exchanged_is_counted_once(pocket: Pocket) -> None:
    with Cgroup() as cgroup:
        tracer = Tracer.load(PLAN, pocket)
        recording = tracer.record([cgroup.id])
        with cgroup.start("sh", "-c", "read first && echo $first && read second") as shell:
            assert shell.stdin is not None
            assert shell.stdout is not None
            shell.stdin.write(b"1\n")
            shell.stdin.flush()
            assert shell.stdout.readline() == b"1\n"
            wait_until_it_reads(shell.pid)
            before = recording.ring.totals()
            tracer.exchange(OTHER)
            shell.communicate(b"2")
        after = recording.ring.totals()
        found = list(events(recording.ring.snapshot(recording.started_ns)))
        tracer.give_back(recording)
        tracer.remove()
    assert before is not None
    assert after is not None
    # It was counted as it began; what follows reads the end of the file.
    assert after.native[READ].calls == before.native[READ].calls + 1
    reads = [call for call in returned(found) if call.name == "read"]
    assert [call.result for call in reads[-2:]] == [1, 0]
    assert len(reads) == after.native[READ].calls


def wait_until_it_reads(pid: int) -> None:
    while not Path(f"/proc/{pid}/syscall").read_text().startswith(f"{READ} 0x0 "):
        os.sched_yield()


def test_calls_that_are_skipped_are_counted_and_leave_no_record(tracer: Tracer, workload: Workloads) -> None:
    with Cgroup() as cgroup, Cgroup() as outside:
        recording = tracer.record([cgroup.id], skipped=places(frozenset(["getppid", "lseek@32"]), "x86_64"))
        try:
            outside.run(workload("totals", "-static"), "499", str(cgroup.path / "cgroup.procs"))
            check(recording.ring.totals(), 499)
            count = recording.ring.count()
            assert count.lost_events == 0
            # lseek, pwrite64, pread64 and, by the 32-bit entry, getppid, which has no bit: it has another number there.
            assert 2 * (499 + 2 * 49) < count.events < 2 * (499 + 3 * 49)
        finally:
            tracer.stop(recording)
            tracer.give_back(recording)
    with Cgroup() as cgroup, Cgroup() as outside:  # nothing of it is left in the next container's ring
        recording = tracer.record([cgroup.id])
        try:
            outside.run(workload("totals", "-static"), "499", str(cgroup.path / "cgroup.procs"))
            assert recording.ring.count().events > 2 * (2 * 499 + 4 * 49)
        finally:
            tracer.stop(recording)
            tracer.give_back(recording)
