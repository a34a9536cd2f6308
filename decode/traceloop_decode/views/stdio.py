# SPDX-License-Identifier: Apache-2.0
"""Text that a container printed, in order, on both streams (``traceloopctl stdio``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from traceloop_decode import layout
from traceloop_decode.descriptors.streams import STDERR, STDOUT, Streams
from traceloop_decode.events import events as all_events
from traceloop_decode.model import Call, Event, Item
from traceloop_decode.program_start import program_start
from traceloop_decode.ring_headers import Headers
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.views.moved import moved
from traceloop_decode.views.table import Column, Table, Unit, whole

_COLUMNS: Final = (
    Column("since_start_ns", "TIME", Unit.SINCE_START),
    Column("pid", "PID", Unit.NUMBER),
    Column("stream", "STREAM"),
    Column("text", "TEXT"),
)
_NAMES: Final = {STDOUT: "out", STDERR: "err"}
_VECTORS: Final = frozenset(("writev", "pwritev", "pwritev2", "vmsplice", "sendmsg"))
_BUFFER_AT: Final = 1


class _Line:
    """A line that is not complete yet: its beginning, and where it began."""

    def __init__(self, at_ns: int, pid: int) -> None:
        self.at_ns, self.pid, self.text = at_ns, pid, ""


def stdio(events: Iterable[Event], snapshot: Snapshot) -> Table:
    """Returns a row per line that was printed, at the time of its first byte. events: whole calls, with files.

    A line that is never ended comes last. Bytes that were not recorded are counted in brackets.
    """
    return Table(_COLUMNS, tuple(_rows(events, snapshot.started_ns, _streams(snapshot))))


def _streams(snapshot: Snapshot) -> Streams:
    start = program_start(all_events(snapshot)).call
    pid = start.pid if start is not None else Headers.parse(snapshot.headers[-1], snapshot.cpus).init_pid
    return Streams.at_start(snapshot.open_files, pid, start.end_ns or 0 if start is not None else 0)


def _rows(events: Iterable[Event], started_ns: int, streams: Streams) -> Iterator[tuple[int | str | None, ...]]:
    open_lines: dict[tuple[int, int], _Line] = {}  # process and stream
    for event in whole(events):
        if not isinstance(event, Call):
            continue
        written = next((one.fd for one in moved(event) if one.written), None)
        number = streams.of(event, written) if written is not None else None
        if number is None:
            continue
        key = event.pid, number
        *complete, rest = _printed(event).split("\n")
        for text in complete:
            line = open_lines.pop(key, None) or _Line(event.ts_ns, event.pid)
            yield line.at_ns - started_ns, line.pid, _NAMES[number], line.text + text
        if rest:
            open_lines.setdefault(key, _Line(event.ts_ns, event.pid)).text += rest
    for (_, number), line in open_lines.items():
        yield line.at_ns - started_ns, line.pid, _NAMES[number], line.text


def _printed(call: Call) -> str:
    left, text = call.result or 0, ""
    for item in _pieces(call):
        size = min(item.size, left)
        left -= size
        text += _text(item, size)
    return text + (f"[{left:,} bytes were not recorded]" if left else "")


def _pieces(call: Call) -> Iterator[Item]:
    for item in call.items.get(_BUFFER_AT, ()):
        if item.kind == layout.KIND_BUFFER and item.sub < layout.SUB_NAME:
            yield item


def _text(item: Item, size: int) -> str:
    data, tail = item.of_first(size)
    missing = size - len(data) - len(tail)
    gap = f"[{missing:,} bytes were not recorded]" if missing > 0 else ""
    return data.decode("utf-8", "backslashreplace") + gap + tail.decode("utf-8", "backslashreplace")
