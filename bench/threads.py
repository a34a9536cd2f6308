# SPDX-License-Identifier: Apache-2.0
"""What two threads of one container cost each other: they share a ring, on two CPUs.

A thread alone and both together take turns, recorded and not recorded; what two threads cost each other without any
tracing is the machine's own.
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
    """The cost of a call in the first thread, with the second at work over alone."""
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
