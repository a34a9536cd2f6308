# SPDX-License-Identifier: Apache-2.0
"""A recorder that outlives its daemon is adopted with its recordings; its programs are exchanged during calls."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from recorded_cgroups import Cgroup, Container, Workloads, raw, returned

from traceloop_bpf import bpfcalls, kept_fds, losses
from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import AdoptionError, Recording, Tracer
from traceloop_decode.events import events
from traceloop_decode.model import Lost

pytestmark = pytest.mark.kernel

PLAN = Plan(ring_size=256 << 10, pool_size=2)
OTHER = replace(PLAN, defines={"TL_TEST_OTHER": 1})


class Pocket:
    """A keeper that duplicates the descriptors it is given, as systemd's store does."""

    def __init__(self) -> None:
        self.fds: dict[str, int] = {}

    def keep(self, fds: Mapping[str, int]) -> None:
        for name, fd in fds.items():
            assert name not in self.fds, f"{name} is kept already"
            self.fds[name] = os.dup(fd)

    def drop(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self.fds:
                os.close(self.fds.pop(name))

    def hand_over(self) -> dict[str, int]:
        """Returns duplicates of the kept descriptors, as a starting daemon gets them."""
        return {name: os.dup(fd) for name, fd in self.fds.items()}


@pytest.fixture
def pocket() -> Iterator[Pocket]:
    pocket = Pocket()
    yield pocket
    pocket.drop(list(pocket.fds))


@contextmanager
def adopted(pocket: Pocket, *recordings: Recording) -> Iterator[tuple[Tracer, list[Recording]]]:
    """Adopts the recorder and its recordings as the next daemon does."""
    (its,), unknown = kept_fds.sort(pocket.hand_over())
    assert not unknown
    keys = [(recording.slot.number, recording.ring.cookie) for recording in recordings]
    tracer, claimed = Tracer.adopt(its, keys, PLAN, pocket)
    try:
        yield (
            tracer,
            [Recording(claimed[key], one.started_ns, tracer) for key, one in zip(keys, recordings, strict=True)],
        )
    finally:
        for slot in claimed.values():
            tracer.pool.give_back(slot)
        tracer.remove()


def lseeks(recording: Recording) -> list[int]:
    found = list(events(recording.ring.snapshot(recording.started_ns)))
    assert not [event for event in found if isinstance(event, Lost)]
    return [raw(call)[1] for call in returned(found) if call.name == "lseek"]


def die(tracer: Tracer, *recordings: Recording) -> None:
    """Closes what the kernel closes when the daemon is killed."""
    tracer.close()
    for recording in recordings:
        for slot in recording.slot:
            os.close(slot.ring.fd)


def test_it_records_while_no_daemon_is_there(pocket: Pocket, workload: Workloads) -> None:
    program = workload("count_calls", "-nostdlib", "-static")
    with Cgroup() as cgroup, Cgroup() as outside:
        tracer = Tracer.load(PLAN, pocket)
        recording = tracer.record([cgroup.id])
        outside.run(program, "101", str(cgroup.path / "cgroup.procs"))
        die(tracer, recording)
        outside.run(program, "103", str(cgroup.path / "cgroup.procs"))
        (cgroup.path / "below").mkdir()
        with adopted(pocket, recording) as (next_tracer, (same,)):
            outside.run(program, "107", str(cgroup.path / "below" / "cgroup.procs"))
            assert lseeks(same) == [*range(101), *range(103), *range(107)]
            assert next_tracer.about == PLAN.about()
            next_tracer.pool.wait_idle()
            with Container(next_tracer) as container:  # it can record more containers
                container.run("true")
                assert container.calls("execve")
    assert not pocket.fds


def test_what_nobody_asks_for_is_given_back(pocket: Pocket) -> None:
    with Cgroup() as cgroup, Cgroup() as other:
        tracer = Tracer.load(PLAN, pocket)
        kept_on, forgotten = tracer.record([cgroup.id]), tracer.record([other.id])
        tracer.pool.wait_idle()
        die(tracer, kept_on, forgotten)
        with adopted(pocket, kept_on) as (next_tracer, (same,)):
            next_tracer.pool.wait_idle()
            assert next_tracer.is_recorded(cgroup.id)
            assert not next_tracer.is_recorded(other.id)
            assert (
                kept_fds.ring_name(0, forgotten.slot.number) not in pocket.fds
                or forgotten.slot.number != same.slot.number
            )
            rings = [name for name in pocket.fds if ".ring." in name]
            assert len(rings) == 1 + PLAN.pool_size


@pytest.mark.parametrize("lost", ["r0.map.cgroups", "r0.g1.link.on_sys_enter", "r0.g1.about"])
def test_what_is_not_whole_is_refused_and_let_go(pocket: Pocket, lost: str) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    tracer = Tracer.load(PLAN, pocket)
    tracer.pool.wait_idle()
    die(tracer)
    pocket.drop([lost])
    (its,), _ = kept_fds.sort(pocket.hand_over())
    with pytest.raises(AdoptionError, match="recorder 0"):
        Tracer.adopt(its, [], PLAN, pocket)
    assert not pocket.fds
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_programs_are_exchanged_and_no_call_is_lost_or_doubled(pocket: Pocket, workload: Workloads) -> None:
    program = workload("count_calls", "-nostdlib", "-static")
    calls, exchanges = 24_000_001, 0
    with Cgroup() as cgroup, Cgroup() as outside:
        tracer = Tracer.load(PLAN, pocket)
        recording = tracer.record([cgroup.id])
        with outside.start(program, str(calls), str(cgroup.path / "cgroup.procs")) as process:
            while process.poll() is None:
                exchanges += 1
                tracer.exchange(OTHER if exchanges % 2 else PLAN)
                assert tracer.about == (OTHER if exchanges % 2 else PLAN).about()
            assert process.returncode == 0
        count = recording.ring.count()
        tracer.give_back(recording)
        tracer.remove()
    assert not pocket.fds
    assert exchanges > 1
    # Each call, a few of them in two records; exit_group; the thread's end. And the exit of the write with which it entered.
    assert count.events == calls + 1 + 1
    assert 0 <= count.records - (1 + calls + 1 + 1) < calls / 100


@pytest.mark.parametrize("turn", [2, 3, 4])
def test_a_daemon_that_died_while_it_exchanged_programs(pocket: Pocket, workload: Workloads, turn: int) -> None:
    """The daemon adopts one of two attached generations, whichever `control` selects, and it continues."""
    program = workload("count_calls", "-nostdlib", "-static")
    with Cgroup() as cgroup, Cgroup() as outside:
        tracer = Tracer.load(PLAN, pocket)
        recording = tracer.record([cgroup.id])
        old = {name: os.dup(fd) for name, fd in pocket.fds.items() if ".g1." in name}
        tracer.exchange(OTHER)
        pocket.keep(old)
        tracer._programs._set_turn(turn)
        die(tracer, recording)
        for fd in old.values():
            os.close(fd)
        with adopted(pocket, recording) as (next_tracer, (same,)):
            assert next_tracer.about == (PLAN if turn == 2 else OTHER).about()
            outside.run(program, "101", str(cgroup.path / "cgroup.procs"))
            assert lseeks(same) == [*range(101)]
            next_tracer.exchange(PLAN)
            outside.run(program, "103", str(cgroup.path / "cgroup.procs"))
            assert lseeks(same) == [*range(101), *range(103)]
    assert not pocket.fds


def of_another_size(pocket: Pocket) -> tuple[kept_fds.KeptRecorder, kept_fds.About]:
    """Leaves a recorder whose rings are larger than it states; returns it, and its statement."""
    tracer = Tracer.load(replace(PLAN, ring_size=PLAN.ring_size * 2), pocket)
    tracer.pool.wait_idle()
    die(tracer)
    (its,), _ = kept_fds.sort(pocket.hand_over())
    about = replace(tracer.about, geometry=PLAN.about().geometry)
    (generation,) = its.generations.values()
    os.close(generation["about"])
    generation["about"] = about.memfd()
    return its, about


def test_a_map_that_a_recorder_of_an_older_version_lacks(pocket: Pocket) -> None:
    """The map comes with the next programs, and is kept from then on."""
    tracer = Tracer.load(PLAN, pocket)
    die(tracer)
    pocket.drop([kept_fds.map_name(0, losses.MAP)])
    with adopted(pocket) as (next_tracer, _):
        assert next_tracer.losses() == losses.Losses()
        next_tracer.exchange(OTHER)
        assert kept_fds.map_name(0, losses.MAP) in pocket.fds
        bpfcalls.update(pocket.fds[kept_fds.map_name(0, losses.MAP)], bytes(4), (7).to_bytes(8, "little"))
        assert next_tracer.losses() == losses.Losses(in_call=7)


def test_rings_of_another_size_are_refused(pocket: Pocket) -> None:
    its, _ = of_another_size(pocket)
    with pytest.raises(AdoptionError, match="bytes"):
        Tracer.adopt(its, [], PLAN, pocket)
    assert not pocket.fds


def test_what_is_refused_after_half_an_exchange_is_let_go_once(pocket: Pocket) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    its, about = of_another_size(pocket)
    its.generations[0] = {"about": about.memfd()}  # an earlier generation, which the dead daemon had not yet released
    with pytest.raises(AdoptionError, match="bytes"):
        Tracer.adopt(its, [], PLAN, pocket)
    assert not pocket.fds
    assert len(list(Path("/proc/self/fd").iterdir())) == before
