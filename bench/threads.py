# SPDX-License-Identifier: Apache-2.0
"""Measures how much two threads of one container slow each other down: they share a ring, on two CPUs.

One thread alone alternates with both together, recorded and not recorded; how much two threads slow each other without
tracing is the machine's own share.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

from calls import CALLS, NOTHING, REGISTERED
from report import Figure, drift
from rounds import foreign, repeat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from calls import States
    from rounds import Costs
    from workload import Workload

TARGET: Final = 1.2
ALONE, BOTH = "alone", "both"
_BATCHES, _BATCH_CALLS = 200, 1000


def measure(workload: Workload, states: States, rounds: int) -> Iterator[Figure | str]:
    """Yields the cost of a call in the first thread while the second one runs, relative to the first alone."""
    costs = repeat(rounds, lambda: _round(workload, states))
    yield from foreign()
    for call in CALLS:
        warning = drift(costs[NOTHING, call, ALONE], f"baseline of {call}")
        if warning:
            yield warning
        for state in (NOTHING, REGISTERED):
            alone, both = (statistics.median(costs[state, call, threads]) for threads in (ALONE, BOTH))
            yield Figure(
                f"{call}: {state}, two threads over one",
                both / alone,
                "times",
                TARGET if state == REGISTERED else None,
                detail=f"{both:,.0f} ns over {alone:,.0f}",
            )


def _round(workload: Workload, states: States) -> Costs:
    costs: Costs = {}
    for state in (NOTHING, REGISTERED):
        with states.by_name[state]():
            for call in CALLS:
                for name, threads in ((ALONE, 1), (BOTH, 2)):
                    first = workload.sample(call, _BATCHES, _BATCH_CALLS, threads)[0]
                    costs[state, call, name] = first.median_ns
    return costs
