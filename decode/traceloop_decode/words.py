# SPDX-License-Identifier: Apache-2.0
"""The words of `arguments.TABLE`, parsed: what each argument of a call is, and its result.

Both follow from them: `capture` makes the kernel side's rules, `printers` the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from traceloop_decode.arguments import TABLE
from traceloop_decode.syscalls import Syscall, table

_WORD: Final = re.compile(r"(?:(in|out|inout|end|inend):)?(\w+)(?:\[(\*?[\w/@]+)(?:\+(\d+))?\])?((?:>.*)?)")
_NESTED: Final = re.compile(r">(in|out):(\w+)@(\d+)(?:/(\d))?(?:\[([\w/@]+)\])?")
_POINTER_BYTES: Final = 8
UNKNOWN: Final = "-"


@dataclass(frozen=True, slots=True)
class Nested:
    """What a pointer within an argument's struct points at. at: its offset there; pointer: its size, both in bytes."""

    what: str
    direction: str
    at: int
    pointer: int
    count: str


@dataclass(frozen=True, slots=True)
class Word:
    """One argument, or a result. what: its kind.

    direction: ``""`` for a number, else ``in``, ``out``, ``inout``, ``end`` or ``inend``.

    count: ``""``, a number, an argument's name, ``result``, ``*name``, ``name/page``, or ``u32@4``. more: bytes on top.
    """

    what: str
    direction: str = ""
    count: str = ""
    more: int = 0
    nested: tuple[Nested, ...] = ()

    @property
    def is_out(self) -> bool:
        """Is it known only when the call has returned?"""
        return self.direction in ("out", "end")


@dataclass(frozen=True, slots=True)
class Line:
    """One call of the table. Arguments behind the last word are numbers of which nothing more is known.

    selector: for a variant of a call, the value (by name) of its selecting argument; else ``""``.
    """

    name: str
    selector: str
    words: tuple[Word, ...]
    result: Word | None


_PORTABLE: Final = frozenset(("path", "string", "bytes", "int", "sockaddr", "pollfd", "epoll_event"))


def portable(line: Line) -> Line:
    """The line for 32-bit programs: memory whose layout depends on the word size is an address there, and no more."""
    words = tuple(word if not word.direction or word.what in _PORTABLE else Word(UNKNOWN) for word in line.words)
    return replace(line, words=words)


@cache
def lines() -> tuple[Line, ...]:
    """The whole table."""
    return tuple(_parse(line) for line in TABLE.splitlines() if line and not line.startswith("#"))


def _parse(line: str) -> Line:
    left, _, right = line.partition(" = ")
    head, *words = left.split()
    name, _, selector = head.partition(":")
    return Line(name, selector, tuple(_word(word, line) for word in words), _word(right, line) if right else None)


def _word(text: str, line: str) -> Word:
    text = text.strip()
    if text == UNKNOWN:
        return Word(UNKNOWN)
    match = _WORD.fullmatch(text)
    if match is None:
        raise ValueError(f"cannot read {text!r} in the line: {line}")
    nested = tuple(
        Nested(what, direction, int(at), int(pointer or _POINTER_BYTES), count)
        for direction, what, at, pointer, count in _NESTED.findall(match[5])
    )
    if len(nested) != match[5].count(">"):
        raise ValueError(f"cannot read {text!r} in the line: {line}")
    return Word(match[2], match[1] or "", match[3] or "", int(match[4] or 0), nested)


@cache
def line_of(call: Syscall, selector: str, *, compat: bool) -> Line | None:
    """A call's line, or its variant's. For a 32-bit program: the line of the 64-bit call of that name and arguments."""
    line = _table().get((call.name, selector))
    if line is None or not compat:
        return line
    same = _calls().get(call.name)
    names = [param.name for param in call.params]
    return portable(line) if same is not None and [param.name for param in same.params] == names else None


@cache
def _table() -> dict[tuple[str, str], Line]:
    return {(line.name, line.selector): line for line in lines()}


@cache
def _calls() -> dict[str, Syscall]:
    return {call.name: call for call in table(compat=False).values()}
