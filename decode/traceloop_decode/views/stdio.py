# SPDX-License-Identifier: Apache-2.0
"""Text that a container printed, in order, on both streams (``traceloopctl stdio``).

A container's streams are what its program's descriptors 1 and 2 stood for when it began. A process that redirects one
of them, such as ``bc >file``, no longer prints there; one that duplicates it to another number still does. Where it is
not known what a descriptor stands for, its number decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from traceloop_decode import layout
from traceloop_decode.model import Call, Event, Item
from traceloop_decode.selection.fields import file_text
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.views.moved import known_file, moved
from traceloop_decode.views.table import Column, Table, Unit, whole

_COLUMNS: Final = (
    Column("since_start_ns", "TIME", Unit.SINCE_START),
    Column("pid", "PID", Unit.NUMBER),
    Column("stream", "STREAM"),
    Column("text", "TEXT"),
)
_STREAMS: Final = {1: "out", 2: "err"}
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
    return Table(_COLUMNS, tuple(_rows(events, snapshot.started_ns)))


def _rows(events: Iterable[Event], started_ns: int) -> Iterator[tuple[int | str | None, ...]]:
    streams = _Streams()
    open_lines: dict[tuple[int, int], _Line] = {}  # process and stream
    for event in whole(events):
        if not isinstance(event, Call):
            continue
        streams.see(event)
        number = streams.number(event)
        if number is None:
            continue
        key = event.pid, number
        *complete, rest = _printed(event).split("\n")
        for text in complete:
            line = open_lines.pop(key, None) or _Line(event.ts_ns, event.pid)
            yield line.at_ns - started_ns, line.pid, _STREAMS[number], line.text + text
        if rest:
            open_lines.setdefault(key, _Line(event.ts_ns, event.pid)).text += rest
    for (_, number), line in open_lines.items():
        yield line.at_ns - started_ns, line.pid, _STREAMS[number], line.text


class _Streams:
    """Files of the program's descriptors 1 and 2 at first, as far as they are known."""

    def __init__(self) -> None:
        self._files: dict[int, str] | None = None

    def see(self, call: Call) -> None:
        """Learns the streams from the first call whose files are known."""
        if self._files is None and call.files is not None:
            found = {number: known_file(call, number) for number in _STREAMS}
            self._files = {number: file_text(known) for number, known in found.items() if known is not None}

    def number(self, call: Call) -> int | None:
        """Returns which stream a call printed to; None: to none."""
        written = [one for one in moved(call) if one.written]
        if not written:
            return None
        (fd,) = [one.fd for one in written]
        known = known_file(call, fd)
        text = file_text(known) if known is not None else ""
        files = self._files or {}
        if fd in _STREAMS and (not text or files.get(fd) == text):
            return fd  # a file that was not known at first came there later
        return next((number for number, name in files.items() if name and name == text), None)


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
    data, tail = item.data[:size], item.tail
    missing = size - len(data) - len(tail)
    gap = f"[{missing:,} bytes were not recorded]" if missing > 0 else ""
    return data.decode("utf-8", "backslashreplace") + gap + tail.decode("utf-8", "backslashreplace")
