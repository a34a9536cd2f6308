# SPDX-License-Identifier: Apache-2.0
"""Findings as lines: the fact, below it why it matters and how to fix it; wrapped on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from traceloop_cli.display.colour import painted
from traceloop_cli.display.terminal import columns, folded
from traceloop_cli.findings import Finding, Level
from traceloop_decode.safe_text import printable

_INDENT: Final = 9  # the longest level's name and a blank
_COLOURS: Final = {
    Level.OK: "green",
    Level.BY_FLAG: "green",
    Level.UNKNOWN: "cyan",
    Level.WARNING: "yellow",
    Level.ERROR: "red",
}


def finding_lines(finding: Finding, *, color: bool) -> Iterator[str]:
    """Yields the lines of one finding."""
    width, below = columns(), " " * _INDENT
    folds, level = f"{below}  ", finding.level.value
    first, *others = folded(printable(f"{finding.area}: {finding.what}"), width, level.ljust(_INDENT), folds)
    yield (painted(level, _COLOURS[finding.level]) if color else level) + first[len(level) :]
    yield from others
    if finding.why:
        yield from folded(printable(finding.why), width, below, folds)
    if finding.remedy:
        yield from folded(f"fix: {printable(finding.remedy)}", width, below, folds)
