# SPDX-License-Identifier: Apache-2.0
"""Events of a program made by hand, and the table of its descriptors after each."""

from __future__ import annotations

from typing import Any

from ringwriter import RingWriter

from traceloop_decode import layout
from traceloop_decode.descriptors.follow import FdTable
from traceloop_decode.descriptors.paths import Place
from traceloop_decode.model import Call, Event, Item, Returned
from traceloop_decode.open_files import OpenFiles
from traceloop_decode.syscalls import X86_64, table
from traceloop_decode.text import strace

NUMBERS = {syscall.name: (number, len(syscall.params)) for number, syscall in table(compat=False).items()}
AT_FDCWD = (1 << 64) - 100
O_CLOEXEC, O_TMPFILE = 0o2000000, 0o20200000
CLONE_FILES, CLONE_FS, CLONE_THREAD, CLONE_VM = 0x400, 0x200, 0x10000, 0x100
ROOT = Place.of(b"/", real=True)
EBADF, EIO, EINPROGRESS = -9, -5, -115
_OUT = {
    **dict.fromkeys(("accept", "getsockname", "getpeername", "fstat", "stat", "lstat"), (1,)),
    **dict.fromkeys(("getcwd", "pipe2"), (0,)),
    "newfstatat": (2,),
    "socketpair": (3,),
    "statx": (4,),
}


class Trace:
    """A program's events with a clock, and the descriptor table that follows from them."""

    def __init__(self, start: OpenFiles | None = None, *, sockets: bool = False) -> None:
        self.table, self.now_ns, self.snapshot = FdTable(start, sockets=sockets), 1000, RingWriter().snapshot()

    def call(self, name: str, *given: int | bytes, result: int = 0, tid: int = 7, pid: int = 7, comm: str = "a") -> str:
        """Observes a complete call; returns its line. Bytes are what a pointer points at; paths are read at entry."""
        return self.line(self.made(name, *given, result=result, tid=tid, pid=pid, comm=comm))

    def made(
        self, name: str, *given: int | bytes, result: int | None = 0, tid: int = 7, pid: int = 7, comm: str = "a"
    ) -> Call:
        self.now_ns += 10
        number, count = NUMBERS[name]
        outs = _OUT.get(name, ())
        registers = [0x1000 if isinstance(value, bytes) else value & (1 << 64) - 1 for value in given]
        items = {n: (_item(value, out=n in outs),) for n, value in enumerate(given) if isinstance(value, bytes)}
        registers += [0] * (count - len(registers))
        return Call(
            *(
                self.now_ns,
                0,
                pid,
                tid,
                comm,
                X86_64,
                number,
                name,
                tuple(registers),
                items,
                result,
                self.now_ns + 5,
                0,
            ),
            end_comm=comm,
        )

    def line(self, event: Event) -> str:
        """Observes an event; returns its line."""
        (line,) = strace.lines([self.table.observe(event)], self.snapshot)
        return " ".join(line.split())

    def child(self, tid: int, comm: str = "a", name: str = "fork", *, pid: int = 0) -> None:
        """Observes the first event of a new process, or of a new thread of the process `pid`."""
        self.now_ns += 10
        at_ns, number = self.now_ns, NUMBERS[name][0]
        begun = Call(at_ns, 0, pid or tid, tid, comm, X86_64, number, name, (), {}, 0, at_ns, 0, comm, entry_lost=True)
        self.table.observe(Returned(begun))

    def open(self, path: bytes, fd: int, flags: int = 0, **thread: Any) -> str:
        return self.call("openat", AT_FDCWD, path, flags, 0, result=fd, **thread)

    def fd(self, fd: int, tid: int = 7) -> str:
        return self.table.text(tid, fd)


def _item(data: bytes, *, out: bool) -> Item:
    kind = layout.KIND_BUFFER if out else layout.KIND_STRING
    return Item(0, kind, data, len(data), more=False, fault=False, out=out)
