# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl list --follow``: the traces, then what becomes of them."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

from traceloop_cli.display.table import STATE, Table, cells
from traceloop_cli.display.traces import trace_object
from traceloop_cli.errors import Unreachable
from traceloop_cli.sources.client import DEADLINE_S, recorder
from traceloop_decode.text.jsonl import dumps
from traceloop_proto import recorder_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_PREFIX: Final = "CHANGE_KIND_"
_LISTED: Final = "listed"


def follow(
    address: str,
    table: Table | None,
    picked: Callable[[Iterable[pb.Trace]], list[pb.Trace]],
    *,
    legend: Sequence[tuple[str, ...]],
    quiet: bool,
) -> None:
    """Prints until the daemon stops, which is an error: a table, or an object a line with the key `change`.

    picked: of the traces that there are at first, those to be listed. legend: rows above. quiet: no word of changes
    that were missed.
    """
    with recorder(address) as daemon:
        changes = iter(daemon.Watch(pb.WatchRequest()))
        next(changes, None)  # from now on all is told: nothing comes between the list and the rest
        listed = picked(daemon.List(pb.ListRequest(), timeout=DEADLINE_S).traces)
        first = [*legend, *(cells(trace, time.time_ns()) for trace in listed)]
        printed = _rows(table, first, changes, quiet=quiet) if table else _objects(listed, changes)
        for line in printed:
            print(line, flush=True)
    raise Unreachable("the daemon stopped: see `systemctl status traceloopd`")


def _objects(listed: list[pb.Trace], changes: Iterator[pb.Change]) -> Iterator[str]:
    for trace in listed:
        yield dumps({"change": _LISTED, **trace_object(trace)})
    for change in changes:
        if change.missed:
            yield dumps({"change": "missed", "count": change.missed})
        if change.HasField("trace"):
            yield dumps({"change": _word(change), **trace_object(change.trace)})


def _rows(
    table: Table, first: Sequence[tuple[str, ...]], changes: Iterator[pb.Change], *, quiet: bool
) -> Iterator[str]:
    yield from table.lines(first)
    for change in changes:
        if change.missed and not quiet:
            print(f"{change.missed} changes were missed: `traceloopctl list` shows what is there now", file=sys.stderr)
        if change.HasField("trace"):
            row = list(cells(change.trace, time.time_ns()))
            if change.kind == pb.CHANGE_KIND_DROPPED:
                row[STATE] = _word(change)
            yield from table.lines([tuple(row)])


def _word(change: pb.Change) -> str:
    if change.kind in pb.ChangeKind.values():
        return pb.ChangeKind.Name(change.kind).removeprefix(_PREFIX).lower()
    return str(change.kind)
