# SPDX-License-Identifier: Apache-2.0
"""The table of traces: a line each, in columns that are aligned, and cut to the terminal that they are read on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from traceloop_cli.display.colour import painted
from traceloop_cli.display.traces import age, ending, size, state
from traceloop_decode.safe_text import printable
from traceloop_proto import recorder_pb2 as pb

HEADINGS: Final = ("NODE", "TRACE", "STATE", "EXIT", "AGE", "EVENTS", "LOST", "SIZE")
NONE: Final = "-"
_NODE, _TRACE, STATE, _EXIT = range(4)
_GAP: Final = "  "
_CUT: Final = "..."
# Where a terminal is too narrow: which column is cut down to what, one after the other. An id begins with its node.
_CUTS: Final = ((_TRACE, 24), (_NODE, 4), (_TRACE, 8))
_STATE_COLOURS: Final = {"recording": "green", **dict.fromkeys(("missing", "truncated", "error", "lost"), "red")}
_ENDED_WELL: Final = ("0", NONE)


def cells(trace: pb.Trace, now_ns: int) -> tuple[str, ...]:
    """A trace's below HEADINGS. now_ns: CLOCK_REALTIME."""
    return (
        printable(trace.node),
        printable(trace.id),
        state(trace),
        ending(trace) or NONE,
        age(now_ns - trace.started_ns) if trace.started_ns else NONE,
        str(trace.events),
        str(trace.lost),
        size(trace.size_bytes),
    )


def aligned(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Lines of columns that are as wide as the widest of their cells."""
    return Table(None, color=False).lines(rows)


class Table:
    """Columns that grow with what comes into them. width: of the terminal; None: nothing is cut."""

    def __init__(self, width: int | None, *, color: bool) -> None:
        self._width, self._color = width, color
        self._widths: list[int] = []

    def lines(self, rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
        """Rows of cells as lines."""
        rows = list(rows)
        self._widths += [0] * (max(map(len, rows), default=0) - len(self._widths))
        for row in rows:
            self._widths[: len(row)] = map(max, self._widths, map(len, row))
        widths = self._fitting()
        for row in rows:
            yield _GAP.join(self._cell(row, column, widths[column]) for column in range(len(row))).rstrip()

    def _fitting(self) -> list[int]:
        widths = list(self._widths)
        if self._width is None or len(widths) < len(HEADINGS):
            return widths
        for column, least in _CUTS:
            over = sum(widths) + len(_GAP) * (len(widths) - 1) - self._width
            widths[column] -= max(0, min(over, widths[column] - least))
        return widths

    def _cell(self, row: tuple[str, ...], column: int, width: int) -> str:
        text = row[column]
        if len(text) > width:
            # The end of an id tells more than its beginning, which is the node's name.
            kept = width - len(_CUT)
            text = _CUT + text[-kept:] if column == _TRACE else text[:kept] + _CUT
        padding = " " * (width - len(text))
        return (painted(text, _colour_of(column, text)) if self._color and row != HEADINGS else text) + padding


def _colour_of(column: int, text: str) -> str | None:
    if column == STATE:
        return _STATE_COLOURS.get(text)
    return "red" if column == _EXIT and text not in _ENDED_WELL else None
