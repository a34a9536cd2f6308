# SPDX-License-Identifier: Apache-2.0
"""The soak's verdict as text: for each number a line with its course, its slope and its limit."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from soak.limits import Rule
from soak.slopes import Fit, Point, fit

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 40
_HEADINGS = f"{'':26} {'first third':>12} {'last third':>12} {'a day':>12} {'at least':>12} {'allowed':>12}"


@dataclass(frozen=True)
class Line:
    """A line of the report. points: binned. judged: the spans of time in which it must not grow, each binned."""

    name: str
    rule: Rule
    points: Sequence[Point]
    judged: Sequence[Sequence[Point]]

    @property
    def exceeds(self) -> bool:
        """Returns whether the number breaks its promise."""
        found = self._worst()
        return bool(self.rule.limit and found and found.exceeds(self.rule.limit))

    @property
    def is_judged(self) -> bool:
        """Returns whether there are enough points to judge."""
        return self._worst() is not None

    def __str__(self) -> str:
        name = f"{self.name} ({self.rule.unit})" if self.rule.unit else self.name
        course = sparkline([value for _, value in self.points])
        found, limit, sign = self._worst(), self.rule.limit, self._sign
        if found is None:
            middle = statistics.median(value for _, value in self.points)
            return f"{name:26} {middle:>12,.1f} {'too few samples to judge':>51} {'':13}{course}"
        numbers = [sign * number for number in (found.first, found.last, found.slope, found.least)]
        allowed = "-" if limit is None else f"{sign * limit.a_day * (abs(found.first) if limit.relative else 1):,.1f}"
        verdict = ("FALLS" if sign < 0 else "GROWS") if self.exceeds else "ok"
        return f"{name:26} {' '.join(f'{one:>12,.1f}' for one in numbers)} {allowed:>12} {verdict:6} {course}"

    @property
    def _sign(self) -> int:
        return -1 if self.rule.limit and self.rule.limit.falls else 1

    def _worst(self) -> Fit | None:
        # Returns the fit of a span that breaks the promise, else of the last span that can be judged.
        fits = [fit([(time_s, self._sign * value) for time_s, value in part]) for part in self.judged]
        found = [one for one in fits if one is not None]
        broken = [one for one in found if self.rule.limit and one.exceeds(self.rule.limit)]
        return next(iter(broken), found[-1] if found else None)


def sparkline(values: Sequence[float], width: int = _WIDTH) -> str:
    """Draws a bar for each of `width` parts of the values, by its median, scaled from the smallest to the largest."""
    parts = [values[n * len(values) // width : (n + 1) * len(values) // width] for n in range(width)]
    medians = [statistics.median(part) for part in parts if part]
    least, most = min(medians), max(medians)
    scale = (len(_BARS) - 1) / (most - least) if most > least else 0.0
    return "".join(_BARS[round((value - least) * scale)] for value in medians)


def text(heading: str, lines: Sequence[Line], facts: Mapping[str, object], faults: Sequence[str]) -> str:
    """Returns the whole report."""
    broken = [line.name for line in lines if line.exceeds]
    rows = [heading, "", _HEADINGS, *map(str, lines), ""]
    rows += [f"{name}: {value}" for name, value in facts.items()]
    rows += [f"FAULT: {fault}" for fault in faults]
    rows.append("")
    if broken or faults:
        rows.append(f"BROKEN: {', '.join(broken) or 'see the faults'}")
    else:
        short = sum(not line.is_judged for line in lines)
        rows.append("all within their limits" + (f", but for {short} of too few samples" if short else ""))
    return "\n".join(rows) + "\n"
