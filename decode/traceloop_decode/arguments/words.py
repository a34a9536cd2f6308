# SPDX-License-Identifier: Apache-2.0
"""Parser of the words of `arguments.table`: the kind of each argument of a call, and of its result.

`capture` derives the kernel side's rules from them, `printers` the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from traceloop_decode.arguments import compat as compat_calls
from traceloop_decode.arguments.table import TABLE
from traceloop_decode.requests import LINES as REQUEST_LINES
from traceloop_decode.syscalls import X86_64, Syscall, table

_WORD: Final = re.compile(r"(?:(in|out|inout|end|inend):)?(\w+)(?:\[(\*?[\w/@]+)(?:\+(\d+))?\])?((?:>.*)?)")
_NESTED: Final = re.compile(r">(in|out|inout):(\w+)@(\d+)(?:/(\d))?(?:\[(\*?[\w/@]+)(?:\+(\d+))?\])?")
_POINTER_BYTES: Final = 8
UNKNOWN: Final = "-"


@dataclass(frozen=True, slots=True)
class Nested:
    """Memory that a pointer in an argument's struct points at. at, pointer: the pointer's offset and size, in bytes."""

    what: str
    direction: str
    at: int
    pointer: int
    count: str
    more: int = 0


@dataclass(frozen=True, slots=True)
class Word:
    """Kind of one argument, or of a result. what: its name.

    direction: ``""`` for a number, else ``in``, ``out``, ``inout``, ``end`` or ``inend``.

    count: ``""``, a number, an argument's name, ``result``, ``*name``, ``name/page``, or ``u32@4``. more: bytes added.
    narrow: the memory has the layout of 32-bit programs.
    """

    what: str
    direction: str = ""
    count: str = ""
    more: int = 0
    nested: tuple[Nested, ...] = ()
    narrow: bool = False

    @property
    def is_out(self) -> bool:
        """Tells whether the argument is known only when the call has returned."""
        return self.direction in ("out", "end")


@dataclass(frozen=True, slots=True)
class Line:
    """A call of the table. Arguments after the last word are numbers about which nothing more is known.

    selector: for a variant of a call, the value (by name) of its selecting argument; else ``""``.
    """

    name: str
    selector: str
    words: tuple[Word, ...]
    result: Word | None


_WIDE: Final = "wide_"
_ADDRESS: Final = Word("addr")
_HALVED: Final = frozenset(("preadv", "preadv2", "pwritev", "pwritev2"))
_HALVES: Final = {"loff": "split_number", "left_out": "split_rest"}
"""The offset of a 32-bit program is in two registers; of a 64-bit one in the first."""
_PORTABLE: Final = frozenset(("path", "string", "bytes", "int", "sockaddr", "pollfd"))


def narrow(line: Line, *, wide: bool = False) -> Line:
    """Returns the line for 32-bit programs: memory with another layout and no size in `compat` becomes an address.

    wide: the call's structs have the 64-bit layout.
    """
    return replace(line, words=tuple(_narrow(word, wide=wide) for word in line.words))


def _narrow(word: Word, *, wide: bool) -> Word:
    what = word.what.removeprefix(_WIDE)
    if not word.direction or what in compat_calls.SAME or what != word.what:
        return replace(word, what=what)
    return replace(word, narrow=not wide) if what in compat_calls.SIZES else _ADDRESS


@cache
def lines() -> tuple[Line, ...]:
    """Returns the whole table."""
    return tuple(map(_parse, _texts(TABLE).values()))


@cache
def compat_lines() -> tuple[Line, ...]:
    """Returns the lines of 32-bit calls that have one of their own, as written."""
    return tuple(map(_parse, _texts(compat_calls.TABLE).values()))


def variants_of(name: str) -> list[str]:
    """Returns the selectors of a call's variants, those of 32-bit programs last."""
    keys = (*_texts(TABLE), *_texts(compat_calls.TABLE))
    return [selector for call, selector in keys if call == name and selector]


@cache
def _texts(table: str) -> dict[tuple[str, str], str]:
    # The lines of a table by name and selector. Most programs make few calls: a line is parsed when it is asked for.
    texts = (line for line in table.splitlines() if line and not line.startswith("#"))
    return {_key(line.split(maxsplit=1)[0]): line for line in texts}


def _key(head: str) -> tuple[str, str]:
    name, _, selector = head.partition(":")
    return name, selector


@cache
def _line(table: str, name: str, selector: str = "") -> Line | None:
    text = _texts(table).get((name, selector))
    return _parse(text) if text is not None else None


def _parse(line: str) -> Line:
    left, _, right = line.partition(" = ")
    head, *words = left.split()
    name, selector = _key(head)
    return Line(name, selector, tuple(_word(word, line) for word in words), _word(right, line) if right else None)


def _word(text: str, line: str) -> Word:
    text = text.strip()
    if text == UNKNOWN:
        return Word(UNKNOWN)
    match = _WORD.fullmatch(text)
    if match is None:
        raise ValueError(f"cannot read {text!r} in the line: {line}")
    nested = tuple(
        Nested(what, direction, int(at), int(pointer or _POINTER_BYTES), count, int(more or 0))
        for direction, what, at, pointer, count, more in _NESTED.findall(match[5])
    )
    if len(nested) != match[5].count(">"):
        raise ValueError(f"cannot read {text!r} in the line: {line}")
    return Word(match[2], match[1] or "", match[3] or "", int(match[4] or 0), nested)


@cache
def request_line(call: Syscall) -> Line | None:
    """Returns the line of an io_uring request: its own, or that of the system call of its name, as far as it goes.

    call: the request with those of its arguments that a kernel tells. Memory whose length it does not tell is unknown.
    """
    line = _line(REQUEST_LINES, call.name) or _line(TABLE, call.name)
    if line is None:
        return None
    known = {param.name for param in call.params} | {"", "result"}
    words = (word if _length_of(word) in known else Word(UNKNOWN) for word in line.words[: len(call.params)])
    return replace(line, words=tuple(words))


def _length_of(word: Word) -> str:
    # The argument that has the length of a word's memory, or what else does not depend on the arguments.
    name = word.count.removeprefix("*").partition("/")[0]
    return "" if name.isdecimal() or "@" in name else name


@cache
def line_of(call: Syscall, selector: str, *, compat: bool, arch: str = X86_64.arch) -> Line | None:
    """Returns the line of a call or variant; for a 32-bit call, its own or that of the 64-bit call it is like."""
    if not compat:
        return _line(TABLE, call.name, selector)
    if arch != X86_64.arch:
        return _portable_line(call, selector)
    own = _line(compat_calls.TABLE, call.name, selector) or _line(compat_calls.TABLE, call.name)
    if own is not None:
        return narrow(own)
    name = compat_calls.name_of(call.name)
    same, line = _calls().get(name), _line(TABLE, name, selector)
    if same is None or line is None:
        return None
    alike = call.name in compat_calls.LIKE or call.name in compat_calls.WIDE
    if not alike and [param.name for param in same.params] != [param.name for param in call.params]:
        return None
    return narrow(line, wide=call.name in compat_calls.WIDE)


def _portable_line(call: Syscall, selector: str) -> Line | None:
    # The line of the 64-bit call with the same name and arguments. The layout of 32-bit structs is unknown here.
    same, line = _calls().get(call.name), _line(TABLE, call.name, selector)
    names = [param.name for param in call.params]
    if line is None or same is None or [param.name for param in same.params] != names:
        return None
    words = [word if not word.direction or word.what in _PORTABLE else _ADDRESS for word in line.words]
    if line.name in _HALVED:
        words = [Word(_HALVES.get(word.what, word.what)) for word in words]
    return replace(line, words=tuple(words))


@cache
def _calls() -> dict[str, Syscall]:
    return {call.name: call for call in table(compat=False).values()}
