# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl list --follow``: prints the traces, then each change."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

from traceloop_cli.display.table import STATE, Table, cells
from traceloop_cli.display.traces import trace_object
from traceloop_cli.errors import Unreachable
from traceloop_cli.sources.client import DEADLINE_S, connected
from traceloop_cli.sources.watching import begun
from traceloop_decode.json_text import dumps
from traceloop_proto import traceloop_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_PREFIX: Final = "CHANGE_KIND_"
_LISTED: Final = "listed"


def follow(
    address: str,
    table: Table | None,
    picked: Callable[[Iterable[pb.Trace]], list[pb.Trace]],
    takes: Callable[[pb.Trace], bool],
    *,
    legend: Sequence[tuple[str, ...]],
    quiet: bool,
) -> None:
    """Prints a table, or one JSON object a line with the key `change`, until the daemon stops, which is an error.

    picked: selects which of the traces that exist at first are listed; takes: which traces' changes are printed.
    legend: the rows above them. quiet: does not report missed changes.
    """
    with connected(address) as daemon:
        changes = begun(daemon)  # so no change between the list and the rest is missed
        listed = picked(daemon.List(pb.ListRequest(), timeout=DEADLINE_S).traces)
        first = [*legend, *(cells(trace, time.time_ns()) for trace in listed)]
        printed = _rows(table, first, changes, takes, quiet=quiet) if table else _objects(listed, changes, takes)
        for line in printed:
            print(line, flush=True)
    raise Unreachable("the daemon stopped: see `systemctl status traceloopd`")


def _objects(listed: list[pb.Trace], changes: Iterator[pb.Change], takes: Callable[[pb.Trace], bool]) -> Iterator[str]:
    for trace in listed:
        yield dumps({"change": _LISTED, **trace_object(trace)})
    for change in changes:
        if change.missed:
            yield dumps({"change": "missed", "count": change.missed})
        if change.HasField("trace") and takes(change.trace):
            yield dumps({"change": _word(change), **trace_object(change.trace)})


def _rows(
    table: Table,
    first: Sequence[tuple[str, ...]],
    changes: Iterator[pb.Change],
    takes: Callable[[pb.Trace], bool],
    *,
    quiet: bool,
) -> Iterator[str]:
    yield from table.lines(first)
    for change in changes:
        if change.missed and not quiet:
            print(f"{change.missed} changes were missed: `traceloopctl list` shows the present state", file=sys.stderr)
        if change.HasField("trace") and takes(change.trace):
            row = list(cells(change.trace, time.time_ns()))
            if change.kind == pb.CHANGE_KIND_DROPPED:
                row[STATE] = _word(change)
            yield from table.lines([tuple(row)])


def _word(change: pb.Change) -> str:
    if change.kind in pb.ChangeKind.values():
        return pb.ChangeKind.Name(change.kind).removeprefix(_PREFIX).lower()
    return str(change.kind)
