# SPDX-License-Identifier: Apache-2.0
"""Findings as people read them: what is so, and below it why it matters and what mends it; folded on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from traceloop_cli.colour import painted
from traceloop_cli.terminal import columns, folded
from traceloop_decode.text.values import printable

_INDENT: Final = 9  # behind the longest level
_COLOURS: Final = {"ok": "green", "by flag": "green", "unknown": "cyan", "warning": "yellow", "error": "red"}


def finding_lines(level: str, what: str, why: str, remedy: str, *, color: bool) -> Iterator[str]:
    """The lines of one finding. level: its word. why, remedy: may be empty."""
    width, below = columns(), " " * _INDENT
    folds = f"{below}  "
    first, *others = folded(printable(what), width, level.ljust(_INDENT), folds)
    yield (painted(level, _COLOURS[level]) if color else level) + first[len(level) :]
    yield from others
    if why:
        yield from folded(printable(why), width, below, folds)
    if remedy:
        yield from folded(f"to mend it: {printable(remedy)}", width, below, folds)
