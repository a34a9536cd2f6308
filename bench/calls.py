# SPDX-License-Identifier: Apache-2.0
"""Measures how much each state of the recorder adds to the cost of a system call without any tracing.

Each round puts the kernel through all states in turn and times the same calls of the same process in each. An added
cost is a difference within one round, so a machine that slows down between rounds slows all states alike.
"""

from __future__ import annotations

import statistics
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from programs import attached
from report import Figure, drift, spread
from rounds import foreign, repeat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from rounds import Costs
    from workload import Workload

    from traceloop_bpf.tracer import Tracer

CALLS: Final = ("getppid", "write")
_BATCHES, _BATCH_CALLS = 60, 1000
_OTHERS: Final = 100
# Cgroup ids that no cgroup has. Ids that differ by a multiple of 4096 (TL_FRONT_BITS) collide in the recorder's table.
_FAR: Final = 1 << 40

NOTHING, FLOOR, LOADED, OTHERS, COLLIDING, REGISTERED = (
    "no tracing",
    "two empty programs",
    "recorder, not registered",
    "recorder, not registered, 100 others are",
    "recorder, not registered, one that is collides",
    "recorder, registered",
)
# Maximum added cost, relative to the floor's. REGISTERED has a target for each call, because write's 64 bytes are
# copied.
TARGETS: Final = {
    (LOADED, "getppid"): 1.4,
    (LOADED, "write"): 1.4,
    (OTHERS, "getppid"): 1.4,
    (OTHERS, "write"): 1.4,
    (REGISTERED, "getppid"): 3.0,
    (REGISTERED, "write"): 4.0,
}


class States:
    """The states the kernel can be put in, by name."""

    def __init__(self, tracer: Tracer, recorder: dict[str, int], empty: dict[str, int], cgroup_id: int) -> None:
        others = range(cgroup_id + _FAR + 1, cgroup_id + _FAR + 1 + _OTHERS)
        self.by_name: dict[str, Callable[[], AbstractContextManager[None]]] = {
            NOTHING: lambda: attached({}),
            FLOOR: lambda: attached(empty),
            LOADED: lambda: attached(recorder),
            OTHERS: lambda: self._recording(list(others)),
            COLLIDING: lambda: self._recording([cgroup_id + _FAR]),
            REGISTERED: lambda: self._recording([cgroup_id]),
        }
        self._tracer, self._recorder, self._cgroup_id = tracer, recorder, cgroup_id

    @contextmanager
    def _recording(self, cgroup_ids: list[int]) -> Iterator[None]:
        recording = self._tracer.record(cgroup_ids)
        try:
            with attached(self._recorder):
                yield
            if bool(recording.ring.count().records) != (self._cgroup_id in cgroup_ids):
                raise SystemExit(f"not measured what was meant: the ring has {recording.ring.count()}")
        finally:
            self._tracer.stop(recording)
            self._tracer.give_back(recording)
            self._tracer.pool.wait_idle()


def measure(workload: Workload, states: States, rounds: int) -> Iterator[Figure | str]:
    """Yields the added cost of each call in each state, in nanoseconds and relative to the floor's."""
    costs = repeat(rounds, lambda: _round(workload, states))
    yield from foreign()
    for call in CALLS:
        yield from _figures(call, costs)


def _round(workload: Workload, states: States) -> Costs:
    costs: Costs = {}
    for state, enter in states.by_name.items():
        with enter():
            for call in CALLS:
                (sample,) = workload.sample(call, _BATCHES, _BATCH_CALLS)
                costs[state, call] = sample.median_ns
    return costs


def _figures(call: str, costs: dict[tuple[str, ...], list[float]]) -> Iterator[Figure | str]:
    baseline = costs[NOTHING, call]
    yield Figure(f"{call}: {NOTHING}", statistics.median(baseline), "ns", detail=spread(baseline))
    warning = drift(baseline, f"baseline of {call}")
    if warning:
        yield warning
    added = {
        state: [cost - base for cost, base in zip(costs[state, call], baseline, strict=True)]
        for state in (FLOOR, LOADED, OTHERS, COLLIDING, REGISTERED)
    }
    floor = statistics.median(added[FLOOR])
    for state, values in added.items():
        cost = statistics.median(values)
        yield Figure(f"{call}: {state}", cost, "ns", detail="added; " + spread(values))
        if state != FLOOR:
            yield Figure("  over the floor", cost / floor, "times", TARGETS.get((state, call)))
