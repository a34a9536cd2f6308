# SPDX-License-Identifier: Apache-2.0
"""Repeats a measurement until enough rounds of it were not disturbed by anyone else's tracing.

Programs that others attach to every system call make each call slower, the untraced ones too. A round counts if at its
begin and its end there were no more of them than in the best round so far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from programs import count_attached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Costs = dict[tuple[str, ...], float]
"""What one round found: nanoseconds, under names of the measurement's own."""

_PATIENCE: Final = 10  # rounds thrown away for each that is kept


def repeat(rounds: int, measure: Callable[[], Costs]) -> dict[tuple[str, ...], list[float]]:
    """`rounds` undisturbed rounds: the same names, each with its value in every round."""
    kept: list[Costs] = []
    thrown = 0
    least = before = count_attached()
    while len(kept) < rounds:
        costs = measure()
        after = count_attached()
        if after < least:
            thrown += len(kept)
            kept.clear()
            least = after
        if before == after == least:
            kept.append(costs)
        else:
            thrown += 1
        before = after
        if thrown > _PATIENCE * rounds:
            raise SystemExit("others begin and end to trace system calls all the time: nothing can be measured")
    return {name: [costs[name] for costs in kept] for name in kept[0]}


def foreign(ours: int = 0) -> Iterator[str]:
    """A warning where programs of others are attached to every system call. ours: how many are meant to be."""
    count = count_attached() - ours
    if count:
        yield f"  ! {count} raw tracepoint programs of others are attached to every system call"
