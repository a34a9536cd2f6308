# SPDX-License-Identifier: Apache-2.0
"""The output of the benchmarks: figures with their targets, and warnings about doubtful measurements."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of output. value: as printed. target: None if none was promised. at_least: the target is a minimum."""

    name: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = False
    detail: str = ""

    @property
    def missed(self) -> bool:
        """Returns whether the value misses its target; False without a target."""
        if self.target is None:
            return False
        return self.value < self.target if self.at_least else self.value > self.target

    def __str__(self) -> str:
        goal = ""
        if self.target is not None:
            goal = f"{'>=' if self.at_least else '<='} {self.target:g}  {'MISSED' if self.missed else 'ok'}"
        return f"  {self.name:<52} {self.value:>9,.2f} {self.unit:<6} {goal:<18} {self.detail}".rstrip()


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Formats the quartiles, as a remark on a median."""
    low, _, high = statistics.quantiles(values, n=4)
    return f"quartiles {low:,.{digits}f} to {high:,.{digits}f}"


def drift(baseline: Sequence[float], name: str = "baseline", unit: str = "ns", digits: int = 0) -> str | None:
    """Returns a warning if the run's halves differ by more than 5 %, or the quartiles by more than 10 %; else None."""
    half = len(baseline) // 2
    first, second = statistics.median(baseline[:half]), statistics.median(baseline[half:])
    low, middle, high = statistics.quantiles(baseline, n=4)
    if abs(second / first - 1) > 0.05 or (high - low) / middle > 0.10:
        halves = f"{first:,.{digits}f} {unit} in the first half, {second:,.{digits}f} in the second"
        return f"  ! the {name} drifted: {halves}, {spread(baseline, digits)}"
    return None
