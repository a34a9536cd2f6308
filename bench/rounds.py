# SPDX-License-Identifier: Apache-2.0
"""Repeats a measurement until enough rounds were undisturbed by other tracers.

Programs that other tracers attach to every system call slow down each call, untraced ones too. A round counts if no
more of them were attached at its beginning and end than in the best round so far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from programs import count_attached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Costs = dict[tuple[str, ...], float]
"""The result of one round: nanoseconds, under names that the measurement chooses."""

_PATIENCE: Final = 10  # discarded rounds per round that counts


def repeat(rounds: int, measure: Callable[[], Costs]) -> dict[tuple[str, ...], list[float]]:
    """Runs `rounds` undisturbed rounds; returns each name's values, one a round."""
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
    """Yields a warning if others have programs on every system call. ours: the number of our own attached programs."""
    count = count_attached() - ours
    if count:
        yield f"  ! {count} raw tracepoint programs of others are attached to every system call"
