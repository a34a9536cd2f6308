# SPDX-License-Identifier: Apache-2.0
"""Decides whether a number that was sampled for hours grows: a robust slope, and its last third against its first.

The samples are put into bins of equal time, one value per bin, so that noise and bursts of samples have little weight.
The slope is the median of all slopes between two bins (Theil, Sen), and `least` is the lower end of its confidence
interval of 95 % (Sen 1968, by the variance of Kendall's statistic). A number grows when `least`, per day, exceeds the
allowed slope, and the last third's median exceeds the first's by more than the allowed step: a slope alone means
nothing in a short run, where minutes are extrapolated to a day, and a step alone may be chance. Memory, which settles
in steps, must rise by a third of its step from the first third to the second, and again to the last.

Numbers that depend on the machine's load can be `scaled` by a reference that is measured beside them.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

BINS = 120
LEAST_BINS = 9
_DAY_S = 86_400
_CONFIDENCE = 1.96

Point = tuple[float, float]
"""Seconds since the start, and a value."""


@dataclass(frozen=True)
class Limit:
    """The limit of a number. a_day, step: in the number's unit, or relative to the first third's median if `relative`.

    in_steps: a single rise is not growth. falls: the number must not fall, but may grow.
    """

    a_day: float
    step: float
    relative: bool = False
    in_steps: bool = False
    falls: bool = False


@dataclass(frozen=True)
class Fit:
    """A fitted course. slope, least: per day. first, middle, last: the medians of the thirds."""

    slope: float
    least: float
    first: float
    middle: float
    last: float

    def exceeds(self, limit: Limit) -> bool:
        """Returns whether the course exceeds the limit. For a number that must not fall, fit its negative."""
        scale = abs(self.first) if limit.relative else 1.0
        step = limit.step * scale
        if limit.in_steps and min(self.middle - self.first, self.last - self.middle) <= step / 3:
            return False
        return self.least > limit.a_day * scale and self.last - self.first > step


def p99(values: Sequence[float]) -> float:
    """Returns the value that 99 of 100 values do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * 0.99) - 1)]


def binned(
    points: Iterable[Point], of: Callable[[Sequence[float]], float] = statistics.median, bins: int = BINS
) -> list[Point]:
    """Returns at most `bins` points: each non-empty bin's middle, and the median (or `of`) of its values."""
    points = list(points)
    if not points:
        return []
    begin, end = min(points)[0], max(points)[0]
    width = (end - begin) / bins or 1.0
    values: dict[int, list[float]] = {}
    for time_s, value in points:
        values.setdefault(min(bins - 1, int((time_s - begin) / width)), []).append(value)
    return [(begin + (number + 0.5) * width, of(values[number])) for number in sorted(values)]


def scaled(points: Iterable[Point], reference: Sequence[Point]) -> list[Point]:
    """Scales the points to what they would be if the reference, sorted by time, always had its median value."""
    level, times = statistics.median(value for _, value in reference), [time_s for time_s, _ in reference]
    beside = (reference[min(bisect_left(times, time_s), len(times) - 1)][1] for time_s, _ in points)
    return [(time_s, value * level / other) for (time_s, value), other in zip(points, beside, strict=True)]


def fit(points: Sequence[Point]) -> Fit | None:
    """Fits binned points; returns None if there are too few."""
    if len(points) < LEAST_BINS:
        return None
    slopes = sorted((y2 - y1) / (x2 - x1) * _DAY_S for (x1, y1), (x2, y2) in combinations(points, 2))
    n = len(points)
    width = _CONFIDENCE * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    least = slopes[max(0, int((len(slopes) - width) / 2))]
    third = n // 3
    thirds = (points[:third], points[third:-third], points[-third:])
    return Fit(statistics.median(slopes), least, *(statistics.median(y for _, y in part) for part in thirds))
