# SPDX-License-Identifier: Apache-2.0
"""Calls that are new are kept beside the ring, whatever the ring forgets, and random names do not flush them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from recorded_cgroups import Cgroup, Container, Workloads, returned, text
from test_adoption_kernel import PLAN, Pocket, adopted, die

from traceloop_bpf.tracer import Tracer
from traceloop_decode.areas import FIRSTS
from traceloop_decode.events import events
from traceloop_decode.model import Call
from traceloop_decode.snapshot import Snapshot

pytestmark = pytest.mark.kernel

BEGINNING = "/first/of/all"
Containers = Callable[..., Container]


@pytest.fixture
def pocket() -> Iterator[Pocket]:
    pocket = Pocket()
    yield pocket
    pocket.drop(list(pocket.fds))


def firsts(snapshot: Snapshot) -> list[Call]:
    """Returns the calls of the firsts alone."""
    return returned(events(snapshot, [FIRSTS]))


def paths(snapshot: Snapshot) -> Counter[str]:
    """Counts the paths of the calls access among the firsts."""
    return Counter(text(call, 0).decode() for call in firsts(snapshot) if call.name == "access")


def test_two_threads_that_race_keep_a_call_once_or_twice(containers: Containers, workload: Workloads) -> None:
    container = containers()
    container.run(workload("new_calls"), "race", "199")
    found = paths(container.snapshot())
    assert {path: count for path, count in found.items() if path.startswith("/r") and count not in (1, 2)} == {}
    assert {f"/r{n}/x" for n in range(199)} <= set(found)


def test_random_names_of_a_directory_are_thinned(containers: Containers, workload: Workloads) -> None:
    container = containers()
    container.run(workload("new_calls"), "names", "40000")
    found = paths(container.snapshot())
    kept = sorted(int(path.removeprefix("/names/")) for path in found if path.startswith("/names/"))
    assert kept[:16] == [*range(16)]
    assert len(kept) <= 64 + 10
    doublings = [n for n in kept if n >= 64]
    assert doublings == [2**power - 1 for power in range(7, 16)]  # the 128th, 256th, ...
    assert BEGINNING in found


def test_the_beginning_stays_when_all_is_new(containers: Containers, workload: Workloads) -> None:
    container = containers()
    container.run(workload("new_calls"), "fill", "5003")
    snapshot = container.snapshot()
    area = snapshot.areas[0]
    assert area.limit > 4 * area.size
    found = paths(snapshot)
    assert {BEGINNING, "/d0/x", "/d5002/x"} <= set(found)
    assert "/d2500/x" not in found
    assert "execve" in {call.name for call in firsts(snapshot)}


def test_a_call_that_returns_on_another_cpu_has_its_arguments(
    containers: Containers, workload: Workloads, tmp_path: Path
) -> None:
    container = containers()
    container.run(workload("new_calls"), "move", str(tmp_path / "fifo"))
    opened = [call for call in firsts(container.snapshot()) if call.name == "openat" and len(call.args) > 1]
    (call,) = (call for call in opened if text(call, 1).endswith(b"/fifo"))
    assert call.result is not None
    assert call.result > 2
    assert call.registers[2] == 0  # O_RDONLY


def test_a_path_at_the_end_of_its_page(containers: Containers, workload: Workloads) -> None:
    container = containers()
    container.run(workload("new_calls"), "page")
    assert paths(container.snapshot())["/page/end"] == 1


def test_an_execve_of_a_thread(containers: Containers, workload: Workloads) -> None:
    container = containers()
    container.run(workload("exec_thread"))
    executed = [call for call in firsts(container.snapshot()) if call.name == "execve" and call.result == 0]
    words = [b"".join(item.data for its in call.items.values() for item in its) for call in executed]
    assert any(b"true" in its and b"thread" in its for its in words)


def test_the_next_daemon_has_them(pocket: Pocket, workload: Workloads) -> None:
    program = workload("new_calls")
    with Cgroup() as cgroup:
        tracer = Tracer.load(PLAN, pocket)
        recording = tracer.record([cgroup.id])
        cgroup.run(program, "race", "31")
        before = paths(recording.ring.snapshot(recording.started_ns))
        die(tracer, recording)
        cgroup.run(program, "fill", "37")
        with adopted(pocket, recording) as (_, (same,)):
            cgroup.run(program, "fill", "41")
            found = paths(same.ring.snapshot(same.started_ns))
    assert before.items() <= found.items()
    assert all(found[f"/d{n}/x"] == 1 for n in range(41))


@pytest.mark.parametrize("size", [0, 16 << 10])
def test_a_container_may_have_fewer_or_none(tracer: Tracer, workload: Workloads, size: int) -> None:
    with Cgroup() as cgroup:
        recording = tracer.record([cgroup.id], firsts_size=size)
        try:
            cgroup.run(workload("new_calls"), "fill", "1009")
            snapshot = recording.ring.snapshot(recording.started_ns)
            assert recording.ring.firsts_limit() == size
            assert [area.size for area in snapshot.areas if area.name == FIRSTS] == ([size] if size else [])
            assert bool(firsts(snapshot)) == bool(size)

        finally:
            tracer.stop(recording)
            tracer.give_back(recording)
    with Container(tracer) as container:
        assert container.recording.ring.firsts_limit() is None
