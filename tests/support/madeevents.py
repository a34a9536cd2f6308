# SPDX-License-Identifier: Apache-2.0
"""Events made by hand, for the tests of the output formats, and the formats' lines for them."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any, Protocol

from traceloop_decode import layout
from traceloop_decode.model import Arg, Call, Event, Item, Signal
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import I386, X86_64, table
from traceloop_decode.text import jsonl

STARTED_NS = 5_000_000_000_000
BOOT_OFFSET_NS = 1_700_000_000_000_000_000
SNAPSHOT = Snapshot("x86_64", 1, 1 << 20, 1 << 14, 2, BOOT_OFFSET_NS, STARTED_NS + 10**9, STARTED_NS, (), b"")

FILENAME = ("filename", "const char *")
WRITE = (("fd", "unsigned int"), ("buf", "const char *"), ("count", "size_t"))
READ = (("fd", "unsigned int"), ("buf", "char *"), ("count", "size_t"))
OPEN = (FILENAME, ("flags", "int"), ("mode", "umode_t"))
NEWFSTATAT = (("dfd", "int"), FILENAME, ("statbuf", "struct stat *"), ("flag", "int"))
EXECVE = (FILENAME, ("argv", "const char *const *"), ("envp", "const char *const *"))
WRITEV = (("fd", "unsigned long"), ("vec", "const struct iovec *"), ("vlen", "unsigned long"))
MSG = (("fd", "int"), ("msg", "struct user_msghdr *"), ("flags", "unsigned int"))
POINTER = 0x7FFC00001000


class Format(Protocol):
    """A module of an output format."""

    @property
    def lines(self) -> Any: ...


def item(
    data: bytes = b"",
    kind: int = layout.KIND_BUFFER,
    *,
    sub: int = 0,
    size: int | None = None,
    more: bool = False,
    fault: bool = False,
    out: bool = False,
) -> Item:
    return Item(sub, kind, data, len(data) if size is None else size, more, fault, out)


def string(data: bytes, **how: Any) -> Item:
    return item(data, layout.KIND_STRING, **how)


NUMBERS = {syscall.name: number for number, syscall in table(compat=False).items()}


def args(params: Sequence[tuple[str, str]], *values: Any) -> tuple[Arg, ...]:
    """Makes arguments. A value is a register, or a register with items."""
    made = []
    for (name, ctype), value in zip(params, values, strict=True):
        raw, *items = value if isinstance(value, tuple) else (value,)
        made.append(Arg(name, ctype, raw, tuple(items)))
    return tuple(made)


def call(
    name: str,
    arguments: Sequence[Arg] = (),
    result: int | None = None,
    *,
    at_ns: int = 0,
    end_ns: int | None = None,
    cpu: int = 0,
    tid: int = 10,
    comm: str = "sh",
    **more: Any,
) -> Call:
    return Call(
        ts_ns=STARTED_NS + at_ns,
        cpu=cpu,
        pid=more.pop("pid", tid),
        tid=tid,
        comm=comm,
        abi=I386 if more.pop("compat", False) else X86_64,
        number=more.pop("number", NUMBERS.get(name, 0)),
        name=name,
        registers=tuple(argument.raw for argument in arguments),
        items={n: argument.items for n, argument in enumerate(arguments) if argument.items},
        result=result,
        end_ns=None if result is None else STARTED_NS + (at_ns + 1 if end_ns is None else end_ns),
        end_cpu=None if result is None else more.pop("end_cpu", cpu),
        end_comm=None if result is None else more.pop("end_comm", comm),
        **more,
    )


def shown(module: Format, *events: Event) -> list[str]:
    lines = list(module.lines(iter(events), SNAPSHOT))
    assert all(line.isprintable() and line.isascii() for line in lines)
    return lines


def bare(module: Format, *events: Event) -> list[str]:
    """Returns the lines without the part before a call."""
    return [line.split("] ", 1)[1] for line in shown(module, *events)]


def objects(*events: Event) -> list[Any]:
    return [json.loads(line) for line in shown(jsonl, *events)]


# --- the original demos ---------------------------------------------------------------------------------------------


def signal(number: int, siginfo: bytes) -> Signal:
    return Signal(STARTED_NS, 1, 10, 11, "sh", number, siginfo, 0, 0)


def siginfo(layout: str, *values: int) -> bytes:
    return struct.pack("<iii4x" + layout, *values).ljust(48, b"\0")


CHILD = siginfo("iIi4xqq", 17, 0, 2, 14, 0, 9, 3, 4)
