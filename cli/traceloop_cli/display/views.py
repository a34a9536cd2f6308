# SPDX-License-Identifier: Apache-2.0
"""Tables of a view as text or JSON: of one trace, or of several with the trace's id before each row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from traceloop_cli.display.traces import size
from traceloop_decode.model import Lost
from traceloop_decode.ring_headers import Unrecorded
from traceloop_decode.safe_text import encodable, printable
from traceloop_decode.text.notes import losses_note, unrecorded_notes
from traceloop_decode.text.times import clock
from traceloop_decode.views.processes import DEPTH
from traceloop_decode.views.table import Column, Table, Unit, Value

_TRACE: Final = "TRACE"
_NONE: Final = "-"
_GAP: Final = "  "
_INDENT: Final = "  "
_RIGHT: Final = frozenset((Unit.COUNT, Unit.BYTES, Unit.NUMBER, Unit.SPAN))
_SECOND_NS: Final = 1_000_000_000


class Shown(NamedTuple):
    """A view of one trace, and what is missing from the trace. table: None if the trace cannot be read: see error."""

    trace: str
    table: Table | None
    lost: tuple[Lost, ...] = ()
    unrecorded: Unrecorded = Unrecorded(0, 0, 0)
    error: str = ""


def text(views: Iterable[Shown], *, several: bool) -> Iterator[str]:
    """Yields the lines of a table of all views' rows, then notes of what is missing."""
    shown = list(views)
    columns: Sequence[Column] = next((view.table.columns for view in shown if view.table is not None), ())
    visible = [column for column in columns if column.name != DEPTH]
    rows = [
        [*([printable(view.trace)] if several else []), *_cells(columns, row)]
        for view in shown
        if view.table is not None
        for row in view.table.rows
    ]
    headings = [*([_TRACE] if several else []), *(column.heading for column in visible)]
    units = [*([Unit.TEXT] if several else []), *(column.unit for column in visible)]
    yield from _aligned([headings, *rows], units) if visible else ()
    for view in shown:
        before = f"{printable(view.trace)}: " if several else ""
        yield from (f"{before}{note}" for note in _notes(view))


def objects(views: Iterable[Shown]) -> list[dict[str, Any]]:
    """Returns an object per trace: its rows, as objects, and what is missing."""
    return [
        {
            "trace": view.trace,
            "rows": [_object(view.table.columns, row) for row in view.table.rows] if view.table is not None else None,
            "lost": [{"reason": lost.reason, "events": lost.events, "records": lost.records} for lost in view.lost],
            "unrecorded": dict(view.unrecorded._asdict()),
            **({"error": view.error} if view.error else {}),
        }
        for view in views
    ]


def _object(columns: Sequence[Column], row: Sequence[Value]) -> dict[str, Any]:
    return {
        column.name: encodable(value) if isinstance(value, str) else value
        for column, value in zip(columns, row, strict=True)
    }


def _notes(view: Shown) -> Iterator[str]:
    if view.error:
        yield f"--- {printable(view.error)} ---"
    yield from unrecorded_notes(view.unrecorded)
    yield from map(losses_note, view.lost)


def _cells(columns: Sequence[Column], row: Sequence[Value]) -> Iterator[str]:
    indent = ""
    for column, value in zip(columns, row, strict=True):
        if column.name == DEPTH:
            indent = _INDENT * int(value or 0)
            continue
        yield indent + _cell(column.unit, value)
        indent = ""


def _cell(unit: Unit, value: Value) -> str:
    if value is None or value == "":
        return _NONE
    if isinstance(value, str):
        return printable(value)
    if unit is Unit.BYTES:
        return size(value) if value else _NONE
    if unit is Unit.SPAN:
        return f"{value // _SECOND_NS}.{value % _SECOND_NS // 1000:06}"
    if unit is Unit.SINCE_START:
        return clock(value)
    return str(value) if value or unit is Unit.NUMBER else _NONE


def _aligned(rows: Sequence[Sequence[str]], units: Sequence[Unit]) -> Iterator[str]:
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if unit in _RIGHT else cell.ljust(width)
            for cell, width, unit in zip(row, widths, units, strict=True)
        )
        yield _GAP.join(cells).rstrip()
