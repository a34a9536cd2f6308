# SPDX-License-Identifier: Apache-2.0
"""The soak's verdict as text: a line for each number, with its course, its slope and what is allowed."""

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
    """One number. points: binned, and of them those that are judged."""

    name: str
    rule: Rule
    points: Sequence[Point]
    judged: Sequence[Point]

    def _fit(self) -> Fit | None:
        sign = -1 if self.rule.limit and self.rule.limit.falls else 1
        return fit([(time_s, sign * value) for time_s, value in self.judged])

    @property
    def exceeds(self) -> bool:
        """Whether its promise is broken."""
        found = self._fit()
        return bool(self.rule.limit and found and found.exceeds(self.rule.limit))

    @property
    def is_judged(self) -> bool:
        """Whether there is enough of it."""
        return self._fit() is not None

    def __str__(self) -> str:
        name = f"{self.name} ({self.rule.unit})" if self.rule.unit else self.name
        course = sparkline([value for _, value in self.points])
        found, limit = self._fit(), self.rule.limit
        if found is None:
            middle = statistics.median(value for _, value in self.points)
            return f"{name:26} {middle:>12,.1f} {'too few samples to judge':>51}             {course}"
        sign = -1 if limit and limit.falls else 1
        numbers = [sign * found.first, sign * found.last, sign * found.slope, sign * found.least]
        allowed = "-" if limit is None else f"{sign * limit.a_day * (abs(found.first) if limit.relative else 1):,.1f}"
        columns = " ".join(f"{number:>12,.1f}" for number in numbers)
        return f"{name:26} {columns} {allowed:>12} {'GROWS' if self.exceeds else 'ok':6} {course}".replace(
            "GROWS", "FALLS" if sign < 0 else "GROWS"
        )


def sparkline(values: Sequence[float], width: int = _WIDTH) -> str:
    """A bar for each of `width` parts of them, by its median: the lowest for the least, the highest for the most."""
    parts = [values[n * len(values) // width : (n + 1) * len(values) // width] for n in range(width)]
    medians = [statistics.median(part) for part in parts if part]
    least, most = min(medians), max(medians)
    scale = (len(_BARS) - 1) / (most - least) if most > least else 0.0
    return "".join(_BARS[round((value - least) * scale)] for value in medians)


def text(heading: str, lines: Sequence[Line], facts: Mapping[str, object], faults: Sequence[str]) -> str:
    """All of it."""
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
