# SPDX-License-Identifier: Apache-2.0
"""Slots and rings: many at once, used again, and none left behind."""

from __future__ import annotations

import errno
import resource
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from recorded_cgroups import TIMEOUT_S, Cgroup, Container

from traceloop_bpf import pool
from traceloop_bpf.programs import Plan
from traceloop_bpf.ring import Ring
from traceloop_bpf.tracer import Tracer
from traceloop_decode import layout
from traceloop_decode.ring_headers import Count

pytestmark = pytest.mark.kernel


def test_more_containers_than_are_in_stock(tracer: Tracer, containers: Callable[[], Container]) -> None:
    many = [containers() for _ in range(20)]
    assert len({one.recording.slot.number for one in many}) == 20
    for n, one in enumerate(many):
        one.run("sh", "-c", f"exit {n}", status=n)
    for n, one in enumerate(many):
        last = one.events()[-1]
        assert (type(last).__name__, getattr(last, "code", None)) == ("TaskExit", n << 8)


def test_a_slot_used_again_has_an_empty_ring(tracer: Tracer) -> None:
    """A reused ring is empty, and gets no calls of a living cgroup below the one recorded before."""
    with ExitStack() as stack:
        first = stack.enter_context(Container(tracer))
        (first.path / "below").mkdir()
        process = stack.enter_context(
            first.start(
                "sh",
                "-c",
                'echo $$ > "$0/cgroup.procs"; while read line; do cat /no/old; done',
                str(first.path / "below"),
            )
        )
        first.give_back()
        tracer.pool.wait_idle()
        seen = set()
        while first.recording.slot.number not in seen:  # the pool gives out its stock in turn
            other = stack.enter_context(Container(tracer))
            seen.add(other.recording.slot.number)
        process.communicate(b"go\n", timeout=TIMEOUT_S)
        assert other.recording.ring.count() == Count(0, 0, 0, 0)
        assert other.events() == []


def test_a_ring_that_cannot_be_taken_out_costs_no_other(
    tracer: Tracer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    delete, failed = pool.bpfcalls.delete, []

    def faulty(fd: int, key: bytes) -> None:
        if fd == tracer.pool._fd and not failed:
            failed.append(key)
            raise OSError(errno.ENOMEM, "as the kernel may say")
        delete(fd, key)

    with Container(tracer) as one, Container(tracer) as other:
        left = one.recording.slot
        tracer.pool.wait_idle()
        monkeypatch.setattr(pool.bpfcalls, "delete", faulty)
        one.give_back()
        tracer.pool.wait_idle()
        other.give_back()
        tracer.pool.wait_idle()
        monkeypatch.undo()
    assert failed == [left.number.to_bytes(4, "little")]
    assert f"slot {left.number} stays" in caplog.text
    assert tracer.pool.usage().in_use == 0
    tracer.pool._used.append(left)  # the tracer closes it
    with Container(tracer) as again:
        again.run("true")


def test_a_ring_that_cannot_be_told_its_policy_is_not_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    withheld = layout.CLASS_PAYLOAD
    with closing(Tracer.load(Plan(pool_size=1, withheld_at_birth=withheld))) as tracer:
        tracer.pool.wait_idle()

        def faulty(ring: Ring, classes: int) -> None:
            raise OSError(errno.ENOMEM, "as mmap may say")

        monkeypatch.setattr(Ring, "set_withheld", faulty)
        slots = [tracer.pool.take(TIMEOUT_S)]
        with pytest.raises(pool.PoolError, match="as mmap may say"):
            tracer.pool.take(TIMEOUT_S)
        monkeypatch.undo()
        slots += [tracer.pool.take(TIMEOUT_S) for _ in range(2)]
        assert [slot.ring.is_unused(withheld) for slot in slots] == [True] * 3
        for slot in slots:
            tracer.pool.give_back(slot)


def test_a_ring_that_cannot_be_marked_is_given_back(caplog: pytest.LogCaptureFixture) -> None:
    with closing(Tracer.load(Plan(pool_size=1))) as tracer:
        tracer.pool.wait_idle()
        before, limits = tracer.pool.usage(), resource.getrlimit(resource.RLIMIT_AS)
        slot = tracer.pool.take(TIMEOUT_S)
        resource.setrlimit(resource.RLIMIT_AS, (1 << 20, limits[1]))
        try:
            tracer.pool.give_back(slot)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, limits)
        assert f"the container of slot {slot.number} twice" in caplog.text
        tracer.pool.give_back(tracer.pool.take(TIMEOUT_S))  # a stock that could not be filled is filled now
        tracer.pool.wait_idle()
        assert tracer.pool.usage() == before


def test_nothing_grows(tracer: Tracer) -> None:
    def descriptors() -> int:
        tracer.pool.wait_idle()
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = descriptors()
    with Cgroup() as cgroup:
        for _ in range(60):
            recording = tracer.record([cgroup.id])
            tracer.stop(recording)
            tracer.give_back(recording)
        assert descriptors() == before
        assert not tracer.is_recorded(cgroup.id)
