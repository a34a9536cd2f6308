# SPDX-License-Identifier: Apache-2.0
"""Larger rings: several joined, taken and given back together, and found again by the next daemon."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from recorded_cgroups import Cgroup, Container, Workloads
from test_adoption_kernel import PLAN, Pocket, adopted, die, lseeks

from traceloop_bpf import kept_fds
from traceloop_bpf.pool import PoolError
from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer
from traceloop_decode import layout

pytestmark = pytest.mark.kernel

UNIT = 32 << 10
MOST = UNIT * layout.PARTS_MAX
CALLS = 3_001
"""The number of calls, a prime; they take 190 KiB: more than a ring of one unit holds, less than the largest."""


@pytest.fixture(scope="module")
def units() -> Iterator[Tracer]:
    with closing(Tracer.load(Plan(ring_size=UNIT, pool_size=3))) as tracer:
        assert tracer.geometry.ring_size == UNIT
        yield tracer


@pytest.fixture
def pocket() -> Iterator[Pocket]:
    pocket = Pocket()
    yield pocket
    pocket.drop(list(pocket.fds))


def run_calls(workload: Workloads, cgroup: Cgroup, calls: int = CALLS) -> None:
    with Cgroup() as outside:  # it enters the recorded one by itself
        outside.run(workload("count_calls", "-nostdlib", "-static"), str(calls), str(cgroup.path / "cgroup.procs"))


@pytest.mark.parametrize(
    ("asked", "size"),
    [(0, UNIT), (1, UNIT), (UNIT, UNIT), (UNIT + 1, 2 * UNIT), (3 * UNIT, 4 * UNIT), (MOST, MOST), (1 << 40, MOST)],
)
def test_it_has_what_was_asked_for_or_the_next_power_of_two(units: Tracer, asked: int, size: int) -> None:
    units.pool.wait_idle()
    before = units.pool.usage().in_use
    with Container(units, ring_size=asked) as container:
        assert container.recording.ring.data_size == container.snapshot().ring_size == size
        assert units.pool.usage().in_use - before == size // UNIT
    units.pool.wait_idle()
    assert units.pool.usage().in_use == before


def test_it_holds_as_much_more(units: Tracer, workload: Workloads) -> None:
    with Container(units) as one, Container(units, ring_size=MOST) as large:
        for container in (one, large):
            run_calls(workload, container)
        assert one.recording.ring.count().lost_events > CALLS // 2
        records, *rest = large.recording.ring.count()
        assert rest == [CALLS + 2, 0, 0]
        assert 0 <= records - (CALLS + 3) < CALLS / 10  # a few calls have two
        assert lseeks(large.recording) == [*range(CALLS)]


def test_nothing_of_it_stays(units: Tracer, workload: Workloads) -> None:
    """The memory is free again, and the next ring has none of the last one's contents."""
    units.pool.wait_idle()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with Container(units, ring_size=MOST) as container:
            run_calls(workload, container)
        with Container(units, ring_size=4 * UNIT) as next_one:
            assert next_one.events() == []
            assert not any(next_one.recording.ring.snapshot(0).data)
    units.pool.wait_idle()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_rings_that_cannot_be_joined_are_given_back(units: Tracer, workload: Workloads) -> None:
    """A ring that cannot be mapped gives its units back: the process is limited to the memory that it has."""
    units.pool.wait_idle()
    before, limits = units.pool.usage(), resource.getrlimit(resource.RLIMIT_AS)
    with Cgroup() as cgroup:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 20, limits[1]))
        try:
            with pytest.raises(PoolError, match=r"2 rings could not be joined: .*Cannot allocate memory"):
                units.record([cgroup.id], ring_size=2 * UNIT)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, limits)
        assert not units.is_recorded(cgroup.id)
    with Container(units):  # a stock that could not be filled is filled at the next request
        pass
    units.pool.wait_idle()
    assert units.pool.usage() == before
    with Container(units, ring_size=2 * UNIT) as container:
        assert container.events() == []
        run_calls(workload, container)
        assert container.recording.ring.count().events == CALLS + 2


def test_the_next_daemon_goes_on_with_it(pocket: Pocket, workload: Workloads) -> None:
    size = 8 * PLAN.ring_size
    with Cgroup() as cgroup:
        tracer = Tracer.load(PLAN, pocket)
        recording = tracer.record([cgroup.id], ring_size=size)
        run_calls(workload, cgroup)
        tracer.pool.wait_idle()
        held = len(pocket.fds)
        die(tracer, recording)
        run_calls(workload, cgroup)
        with adopted(pocket, recording) as (next_tracer, (same,)):
            run_calls(workload, cgroup)
            assert same.ring.data_size == size
            assert lseeks(same) == 3 * [*range(CALLS)]
            next_tracer.pool.wait_idle()
            assert len(pocket.fds) == held
    assert not pocket.fds


def test_what_nobody_asks_for_is_given_back_whole(pocket: Pocket, workload: Workloads) -> None:
    with Cgroup() as cgroup:
        tracer = Tracer.load(PLAN, pocket)
        recording = tracer.record([cgroup.id], ring_size=4 * PLAN.ring_size)
        run_calls(workload, cgroup)
        die(tracer, recording)
        with adopted(pocket) as (next_tracer, _):
            next_tracer.pool.wait_idle()
            assert not next_tracer.is_recorded(cgroup.id)
            assert len([name for name in pocket.fds if ".ring." in name]) == PLAN.pool_size
            with Container(next_tracer, ring_size=2 * PLAN.ring_size) as container:
                assert not any(container.snapshot().data)
    assert not pocket.fds


@pytest.mark.parametrize("which", [0, 1, 3])
def test_one_that_is_not_whole_is_lost_and_let_go(pocket: Pocket, workload: Workloads, which: int) -> None:
    """A ring with a missing part is lost, although the old programs still write to its other parts meanwhile."""
    with Cgroup() as cgroup:
        tracer = Tracer.load(PLAN, pocket)
        recording = tracer.record([cgroup.id], ring_size=4 * PLAN.ring_size)
        key = (recording.slot.number, recording.ring.cookie)
        lost = [slot.number for slot in recording.slot][which]
        die(tracer, recording)
        pocket.drop([kept_fds.ring_name(0, lost)])
        (its,), _ = kept_fds.sort(pocket.hand_over())
        next_tracer, claimed = Tracer.adopt(its, [key], PLAN, pocket)
        try:
            assert not claimed
            next_tracer.pool.wait_idle()
            assert not next_tracer.is_recorded(cgroup.id)
            assert len([name for name in pocket.fds if ".ring." in name]) == PLAN.pool_size
        finally:
            next_tracer.remove()
    assert not pocket.fds


def test_the_largest_ring_is_loaded_and_records(workload: Workloads) -> None:
    """The largest ring.size that traceloopd takes: the kernel refuses the programs for the next one."""
    with closing(Tracer.load(Plan(ring_size=256 << 20, pool_size=1))) as tracer:
        tracer.pool.wait_idle()  # the kernel takes a second to clear so much memory where others are at work
        with Container(tracer) as container:
            run_calls(workload, container)
            assert container.snapshot().ring_size == 256 << 20
            assert lseeks(container.recording) == [*range(CALLS)]
