# SPDX-License-Identifier: Apache-2.0
"""Writes the areas of a ring as the programs do, and adds them to a snapshot."""

from __future__ import annotations

from dataclasses import replace
from struct import pack

from traceloop_decode import layout
from traceloop_decode.areas import FIRSTS, Area
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.totals import Total, Totals

_SLACK = 1 << 12


class AreaWriter:
    """An area of a ring in memory, which belongs to a RingWriter's ring of the same cookie."""

    def __init__(self, size: int = 1 << 14, kept: int = 1 << 12, cookie: int = 0x5EED, name: str = FIRSTS) -> None:
        self._area, self._cookie = Area(name, size, kept, 0, 0, 0, 0), cookie
        self._data, self.head, self.dropped = bytearray(size + _SLACK), 0, 0

    def call(
        self, ts_ns: int, tid: int, nr: int, *registers: int, result: int, items: bytes = b"", took_ns: int = 500
    ) -> None:
        """Writes a TL_CALL, whole."""
        room = layout.ROOM.pack(took_ns, result)
        self._put(ts_ns, tid, layout.TYPE_CALL, _nr(nr, registers), room + _words(registers) + items)

    def returned(self, ts_ns: int, tid: int, nr: int, *registers: int, result: int, items: bytes = b"") -> None:
        """Writes a TL_RETURN: the call's return, with its arguments, when its entry's record could not be completed."""
        body = pack("<q", result) + _words(registers) + items
        self._put(ts_ns, tid, layout.TYPE_RETURN, _nr(nr, registers), body)

    def exit(self, ts_ns: int, tid: int, nr: int, result: int, items: bytes = b"") -> None:
        """Writes a TL_EXIT without registers, as an execve's and a clone's in the child are."""
        self._put(ts_ns, tid, layout.TYPE_EXIT, nr, pack("<q", result) + items)

    def task_exit(self, ts_ns: int, tid: int, code: int) -> None:
        """Writes a TL_TASK_EXIT of a process's last thread."""
        self._put(ts_ns, tid, layout.TYPE_TASK_EXIT, 0, layout.TASK_EXIT.pack(code, 1))

    def beside(self, snapshot: Snapshot, totals: dict[int, tuple[int, int]] | None = None) -> Snapshot:
        """Returns the snapshot with this area. totals: calls and errors by number."""
        size, kept = self._area.size, self._area.kept
        length = min(self.head, size) if self.head <= size else size + _SLACK
        oldest = max(0, self.head - (size - kept))
        area = replace(self._area, limit=self.head, oldest=oldest, dropped=self.dropped, length=length)
        counts = {nr: Total(*counts) for nr, counts in (totals or {}).items()}
        return replace(
            snapshot,
            data=snapshot.data + bytes(self._data[:length]),
            areas=(area,),
            totals=None if totals is None else Totals(counts, {}, 0, 0),
        )

    def _put(self, ts_ns: int, tid: int, type_: int, nr: int, body: bytes) -> None:
        length = layout.HEADER.size + len(body)
        base_type = layout.TYPE_BASE << layout.LENGTH_BITS | layout.BASE.size >> 3
        at = self._area.place(self.head)
        name = f"t{tid}".encode().ljust(16, b"\0")
        base = layout.BASE.pack(self._stamp(self.head), tid, tid, 0, base_type, ts_ns, name)
        own = self._stamp(self.head + len(base))
        header = layout.HEADER.pack(own, tid, 0, nr, length >> 3 | type_ << layout.LENGTH_BITS)
        self._data[at : at + len(base) + length] = base + header + body
        self.head += len(base) + length

    def _stamp(self, pos: int) -> int:
        return (pos >> 3 ^ self._cookie) & 0xFFFF_FFFF


def _nr(nr: int, registers: tuple[int, ...]) -> int:
    return nr | len(registers) << layout.NR_ARGS_SHIFT


def _words(registers: tuple[int, ...]) -> bytes:
    return pack(f"<{len(registers)}Q", *registers)
