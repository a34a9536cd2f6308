# SPDX-License-Identifier: Apache-2.0
"""Sums of calls, errors, bytes and time: for each call, process, file or peer (``traceloopctl summary``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from traceloop_decode.model import Call, Event
from traceloop_decode.printers.core import never_returns
from traceloop_decode.selection.fields import file_text
from traceloop_decode.selection.paths import descriptors_of
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.views.moved import error_name, known_file, lasted_ns, moved, totals
from traceloop_decode.views.table import Column, Table, Unit, Value, whole

_SUMS: Final = (
    Column("calls", "CALLS", Unit.COUNT),
    Column("errors", "ERRORS", Unit.COUNT),
    Column("read_bytes", "READ", Unit.BYTES),
    Column("written_bytes", "WRITTEN", Unit.BYTES),
    Column("time_ns", "TIME", Unit.SPAN),
)
_Key = tuple[Value, ...]
_Part = tuple[_Key, int, int]
"""A row, and the bytes that the call read and wrote there."""


@dataclass(slots=True)
class _Sum:
    calls: int = 0
    errors: int = 0
    read: int = 0
    written: int = 0
    time_ns: int = 0


def _by_call(call: Call) -> Iterator[_Part]:
    yield (call.title,), *totals(call)


def _by_process(call: Call) -> Iterator[_Part]:
    yield (call.pid,), *totals(call)


def _by_descriptor(call: Call, *, sockets: bool) -> Iterator[_Part]:
    # Each file counts once per call, though several descriptors may stand for it.
    through = {one.fd: one for one in moved(call)}
    found: dict[_Key, tuple[int, int]] = {}
    for fd in dict.fromkeys((*descriptors_of(call), *through)):
        known = known_file(call, fd)
        if known is None or (known.socket is not None) is not sockets:
            continue
        name = known.socket.remote if sockets and known.socket is not None else file_text(known)
        if name:
            key: _Key = (known.socket.kind, name) if sockets and known.socket is not None else (name,)
            one = through.get(fd)
            read, written = found.get(key, (0, 0))
            found[key] = (read + one.read, written + one.written) if one is not None else (read, written)
    yield from ((key, *amounts) for key, amounts in found.items())


def _by_file(call: Call) -> Iterator[_Part]:
    return _by_descriptor(call, sockets=False)


def _by_peer(call: Call) -> Iterator[_Part]:
    return _by_descriptor(call, sockets=True)


_PARTS: Final[dict[str, tuple[Callable[[Call], Iterator[_Part]], tuple[Column, ...]]]] = {
    "call": (_by_call, (Column("call", "CALL"),)),
    "process": (_by_process, (Column("pid", "PID", Unit.NUMBER), Column("comm", "NAME"))),
    "file": (_by_file, (Column("file", "FILE"),)),
    "peer": (_by_peer, (Column("kind", "KIND"), Column("peer", "PEER"))),
}
BY: Final = tuple(_PARTS)
"""Groups that sums can be made for."""


def summary(events: Iterable[Event], _snapshot: Snapshot, by: str = "call") -> Table:
    """Returns the sums for each of `by`, the longest time first. events: whole calls, with files of descriptors."""
    parts, columns = _PARTS[by]
    sums: dict[_Key, _Sum] = {}
    names: dict[int, str] = {}  # process -> the last name of a thread of it
    for event in whole(events):
        if not isinstance(event, Call):
            continue
        names[event.pid] = event.end_comm or event.comm
        for key, read, written in parts(event):
            one = sums.setdefault(key, _Sum())
            one.calls += 1
            one.errors += error_name(event) != ""
            one.read, one.written = one.read + read, one.written + written
            one.time_ns += 0 if never_returns(event) else lasted_ns(event) or 0
    rows = sorted(sums.items(), key=lambda row: -row[1].time_ns)
    return Table(
        (*_SUMS, *columns),
        tuple(
            (one.calls, one.errors, one.read, one.written, one.time_ns, *key, *_name(by, key, names))
            for key, one in rows
        ),
    )


def _name(by: str, key: _Key, names: dict[int, str]) -> tuple[Value, ...]:
    return (names[int(key[0] or 0)],) if by == "process" else ()
