# SPDX-License-Identifier: Apache-2.0
"""The table of traces: one line each, in aligned columns, as wide as the terminal at most.

rich could truncate columns too, but takes 6 MiB and 0.1 s to import.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from traceloop_cli.display.colour import painted
from traceloop_cli.display.traces import age, ending, reason, size, state
from traceloop_decode.safe_text import printable
from traceloop_proto import traceloop_pb2 as pb

HEADINGS: Final = ("NODE", "TRACE", "STATE", "EXIT", "AGE", "EVENTS", "LOST", "SIZE", "ENDED", "REASON")
NONE: Final = "-"
_NODE, _TRACE, STATE, _EXIT, _AGE, _EVENTS, _LOST, _SIZE, _ENDED, _REASON = range(len(HEADINGS))
_GAP: Final = "  "
_CUT: Final = "..."
_OUT: Final = -1  # the width of a column that is left out
# What is done on a narrow terminal, in this order, until the table fits: ids are shown without the node's name, then
# columns are cut down to these widths, or left out. What that leaves over goes to ids, then to reasons.
_STEPS: Final = (
    *((_NODE, 8), (_REASON, 32), (_SIZE, _OUT), (_EVENTS, _OUT), (_TRACE, 32), (_LOST, _OUT), (_AGE, _OUT)),
    *((_REASON, 18), (_TRACE, 24), (_NODE, 4), (_TRACE, 8), (_REASON, _OUT)),
)
_STATE_COLOURS: Final = {"recording": "green", **dict.fromkeys(("missing", "truncated", "error", "lost"), "red")}
_ENDED_WELL: Final = ("0", NONE)


def cells(trace: pb.Trace, now_ns: int) -> tuple[str, ...]:
    """Returns a trace's cells, in the order of HEADINGS. now_ns: CLOCK_REALTIME."""
    return (
        printable(trace.node),
        printable(trace.id),
        state(trace),
        ending(trace) or NONE,
        age(now_ns - trace.started_ns) if trace.started_ns else NONE,
        str(trace.events),
        str(trace.lost),
        size(trace.size_bytes),
        age(now_ns - trace.ended_ns) if trace.ended_ns else NONE,
        printable(reason(trace)) or NONE,
    )


def aligned(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Returns rows as lines whose columns are as wide as their widest cell."""
    return Table(None, color=False).lines(rows)


class Table:
    """Columns that grow with their cells. width: the terminal's; None: nothing is truncated or left out."""

    def __init__(self, width: int | None, *, color: bool) -> None:
        self._width, self._color = width, color
        self._widths: list[int] = []
        self._short = False
        self._out: frozenset[int] | None = None

    def lines(self, rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
        """Yields rows of cells as lines. The first rows decide which columns there are."""
        rows, former = list(map(_without_node, rows) if self._short else rows), self._widths
        self._widths = _grown(former, rows)
        if self._width is not None and not self._short and _total(self._widths) > self._width:
            self._short, rows = True, list(map(_without_node, rows))
            self._widths = _grown(former, rows)
        widths = self._fitting()
        for row in rows:
            shown = [column for column in range(len(row)) if widths[column] != _OUT]
            yield _GAP.join(self._cell(row, column, widths[column]) for column in shown).rstrip()

    def _fitting(self) -> list[int]:
        if self._width is None or len(self._widths) < len(HEADINGS):
            return list(self._widths)
        if self._out is None:
            self._out = frozenset()
            tried = self._cut_down(self._width, deciding=True)
            self._out = frozenset(column for column, width in enumerate(tried) if width == _OUT)
        widths = self._cut_down(self._width, deciding=False)
        for column in (_TRACE, _REASON) if _REASON not in self._out else (_TRACE,):
            widths[column] += max(0, min(self._width - _total(widths), self._widths[column] - widths[column]))
        return widths

    def _cut_down(self, most: int, *, deciding: bool) -> list[int]:
        # The widths of all columns after as many steps as the terminal asks for.
        widths = [_OUT if column in (self._out or ()) else width for column, width in enumerate(self._widths)]
        for column, least in _STEPS:
            over = _total(widths) - most
            if over <= 0:
                break
            if least != _OUT:
                widths[column] -= max(0, min(over, widths[column] - least))
            elif deciding:
                widths[column] = _OUT
        return widths

    def _cell(self, row: tuple[str, ...], column: int, width: int) -> str:
        text = row[column]
        is_remark = 0 < column == len(row) - 1 < len(self._widths) - 1  # it goes over the further columns
        if len(text) > width and not is_remark:
            # The end of an id distinguishes it.
            kept = width - len(_CUT)
            text = _CUT + text[-kept:] if column == _TRACE else text[:kept] + _CUT
        padding = " " * (width - len(text))
        return (painted(text, _colour_of(column, text)) if self._color and row != HEADINGS else text) + padding


def _grown(widths: list[int], rows: list[tuple[str, ...]]) -> list[int]:
    grown = widths + [0] * (max(map(len, rows), default=0) - len(widths))
    for row in rows:
        sized = row[:-1] if 1 < len(row) < len(grown) else row  # a remark goes over the further columns
        grown[: len(sized)] = map(max, grown, map(len, sized))
    return grown


def _total(widths: list[int]) -> int:
    kept = [width for width in widths if width != _OUT]
    return sum(kept) + len(_GAP) * (len(kept) - 1)


def _without_node(row: tuple[str, ...]) -> tuple[str, ...]:
    if len(row) <= _TRACE:
        return row
    return (row[_NODE], row[_TRACE].removeprefix(f"{row[_NODE]}_"), *row[_TRACE + 1 :])


def _colour_of(column: int, text: str) -> str | None:
    if column == STATE:
        return _STATE_COLOURS.get(text)
    return "red" if column == _EXIT and text not in _ENDED_WELL else None
