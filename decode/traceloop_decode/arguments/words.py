# SPDX-License-Identifier: Apache-2.0
"""The words of `arguments.table`, parsed: what each argument of a call is, and its result.

Both follow from them: `capture` makes the kernel side's rules, `printers` the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from traceloop_decode.arguments import compat as compat_calls
from traceloop_decode.arguments.table import TABLE
from traceloop_decode.syscalls import X86_64, Syscall, table

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
    narrow: the memory is laid out as a 32-bit program has it.
    """

    what: str
    direction: str = ""
    count: str = ""
    more: int = 0
    nested: tuple[Nested, ...] = ()
    narrow: bool = False

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


_WIDE: Final = "wide_"
_PORTABLE: Final = frozenset(("path", "string", "bytes", "int", "sockaddr", "pollfd"))


def narrow(line: Line, *, wide: bool = False) -> Line:
    """The line for 32-bit programs: of memory that differs there and has no size of its own, the address is known.

    wide: its structs do not differ.
    """
    return replace(line, words=tuple(_narrow(word, wide=wide) for word in line.words))


def _narrow(word: Word, *, wide: bool) -> Word:
    what = word.what.removeprefix(_WIDE)
    if not word.direction or what in compat_calls.SAME or what != word.what:
        return replace(word, what=what)
    return replace(word, narrow=not wide) if what in compat_calls.SIZES else Word(UNKNOWN)


@cache
def lines() -> tuple[Line, ...]:
    """The whole table."""
    return _parsed(TABLE)


@cache
def compat_lines() -> tuple[Line, ...]:
    """The 32-bit calls that have one of their own, as it is written."""
    return _parsed(compat_calls.TABLE)


def _parsed(text: str) -> tuple[Line, ...]:
    return tuple(_parse(line) for line in text.splitlines() if line and not line.startswith("#"))


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
def line_of(call: Syscall, selector: str, *, compat: bool, arch: str = X86_64.arch) -> Line | None:
    """A call's line, or its variant's. For a 32-bit program: its own, or that of the 64-bit call that is like it."""
    if not compat:
        return _table().get((call.name, selector))
    if arch != X86_64.arch:
        return _portable_line(call, selector)
    own = _compat_table().get(call.name)
    if own is not None:
        return narrow(own)
    name = compat_calls.name_of(call.name)
    same, line = _calls().get(name), _table().get((name, selector))
    if same is None or line is None:
        return None
    alike = call.name in compat_calls.LIKE or call.name in compat_calls.WIDE
    if not alike and [param.name for param in same.params] != [param.name for param in call.params]:
        return None
    return narrow(line, wide=call.name in compat_calls.WIDE)


def _portable_line(call: Syscall, selector: str) -> Line | None:
    # Of the 64-bit call of that name and arguments, where the layout of 32-bit structs is not known here.
    same, line = _calls().get(call.name), _table().get((call.name, selector))
    names = [param.name for param in call.params]
    if line is None or same is None or [param.name for param in same.params] != names:
        return None
    words = (word if not word.direction or word.what in _PORTABLE else Word(UNKNOWN) for word in line.words)
    return replace(line, words=tuple(words))


@cache
def _table() -> dict[tuple[str, str], Line]:
    return {(line.name, line.selector): line for line in lines()}


@cache
def _compat_table() -> dict[str, Line]:
    return {line.name: line for line in compat_lines()}


@cache
def _calls() -> dict[str, Syscall]:
    return {call.name: call for call in table(compat=False).values()}
