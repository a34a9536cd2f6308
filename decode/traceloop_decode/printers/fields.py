# SPDX-License-Identifier: Apache-2.0
"""Structs described by a line of text: ``start:x64 len:u64 flags:u32|fiemap_flags``.

A word is a field, ``name:type``, in the order of memory:

``u32`` ``i16`` ``x64``   a number in decimal, signed decimal, or hexadecimal; its size in bits
``fd32``                  a descriptor
``p64``                   an address
``u32=table``             one value of a table of `constants`; ``i32=table`` shows numbers without a name in decimal
``u32|table``             a set of flags
``c16``                   a string in 16 bytes that ends at a NUL
``uuid``                  16 bytes as a UUID
``type*3``                an array of three; ``type*3<count`` shows no more elements than the field `count` says
``@struct``               another struct of the same dictionary
``_``                     a field without a name: its bytes are skipped
``@8``                    not a field: the next one is at this offset

Before the name: ``?`` leaves the field out if it is zero; ``>`` shows what the call stored, once it has succeeded, and
``=`` likewise, as a change: ``len=5 => len=3``. The word ``...`` ends what is shown without -v; as the last word it
stands for fields that are never shown. A reader of structs may know further types.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from traceloop_decode.printers.kit import hexadecimal
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import StructPrinter, View
from traceloop_decode.safe_text import quote
from traceloop_decode.values.xlat import XLATS

_WORD: Final = re.compile(r"([?>=]*)(\w*):(@?\w+?)(?:([=|])(\w+))?(?:\*(\d+)(?:<(\w+))?)?")
_NUMBER: Final = re.compile(r"(fd|[uixpc])(\d+)")
_UUID: Final = 16
_DASHES: Final = ((0, 4), (4, 6), (6, 8), (8, 10), (10, 16))

Show = Callable[[bytes, View], str]
"""Prints the bytes of one field."""
Types = Mapping[str, tuple[int, Show]]
"""Further types of fields: their size in bytes, and their printer."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    at: int
    size: int
    show: Show
    unless_zero: bool
    stored: bool
    change: bool
    counted: tuple[str, int] | None
    """Field that counts an array's elements, and the size of one."""


@dataclass(frozen=True, slots=True)
class Fields:
    """A parsed description. size: bytes of the struct. brief: the number of fields that are shown without -v.

    more: there are fields that are never shown.
    """

    fields: tuple[_Field, ...]
    size: int
    brief: int
    more: bool

    def text(self, data: bytes, view: View, before: bytes | None = None) -> str:
        """Returns ``{name=value, ...}``. data: the newest bytes; before: those at the call's entry, if others."""
        if len(data) < self.size:
            return "{...}"
        return f"{{{self.listed(data, view, before)}}}"

    def listed(self, data: bytes, view: View, before: bytes | None = None) -> str:
        """Returns the fields without the braces."""
        first = data if before is None or len(before) < self.size else before
        known = view.returned and not view.failed
        text = ""
        for number, field in enumerate(self.fields):
            if number >= self.brief and not view.options.verbose:
                return f"{text}, ..."
            if field.stored and not known:
                continue
            bytes_of = (data if field.stored else first)[field.at : field.at + field.size]
            if (field.unless_zero and not any(bytes_of)) or (
                field.change and bytes_of == first[field.at : field.at + field.size]
            ):
                continue
            if field.counted is not None:
                bytes_of = bytes_of[: self._number(field.counted[0], first) * field.counted[1]]
            if text:
                text += " => " if field.change else ", "
            text += f"{field.name}={field.show(bytes_of, view)}"
        return f"{text}, ..." if self.more else text

    def _number(self, name: str, data: bytes) -> int:
        (field,) = (field for field in self.fields if field.name == name)
        return int.from_bytes(data[field.at : field.at + field.size], "little")


def _number(kind: str, table: str, *, is_set: bool) -> Show:
    signed = kind in ("i", "fd")
    if table:
        xlat = XLATS[table]
        if is_set:
            return lambda data, view: xlat.flags(int.from_bytes(data, "little"), view.options)
        return lambda data, view: xlat.one(int.from_bytes(data, "little", signed=signed), view.options, signed=signed)
    if kind == "fd":
        return lambda data, view: view.fd(int.from_bytes(data, "little", signed=True))
    if kind == "x":
        return lambda data, _view: hexadecimal(int.from_bytes(data, "little"))
    if kind == "p":
        return lambda data, _view: address(int.from_bytes(data, "little"))
    return lambda data, _view: str(int.from_bytes(data, "little", signed=signed))


def _string(data: bytes, view: View) -> str:
    text, end, _ = data.partition(b"\0")
    shown = text if end else text[:-1]
    return quote(shown, more=not end, escape=view.options.escape)


def _uuid(data: bytes, _view: View) -> str:
    return "-".join(data[start:stop].hex() for start, stop in _DASHES)


def _typed(kind: str, sign: str, table: str, structs: Mapping[str, Fields], types: Types) -> tuple[int, Show]:
    # The size of a type in bytes, and its printer.
    if kind in types:
        return types[kind]
    if kind.startswith("@"):
        inner = structs[kind[1:]]
        return inner.size, inner.text
    if kind == "uuid":
        return _UUID, _uuid
    match = _NUMBER.fullmatch(kind)
    if match is None:
        raise ValueError(f"no type of a field: {kind}")
    if match[1] == "c":
        return int(match[2]), _string
    return int(match[2]) // 8, _number(match[1], table, is_set=sign == "|")


def _array(size: int, show: Show) -> Show:
    def show_all(data: bytes, view: View) -> str:
        count = len(data) // size
        shown = count if view.options.verbose else min(count, view.options.string_max)
        texts = [show(data[n * size : (n + 1) * size], view) for n in range(shown)]
        return f"[{', '.join(texts if shown == count else (*texts, '...'))}]"

    return show_all


def parse(line: str, structs: Mapping[str, Fields] | None = None, types: Types | None = None) -> Fields:
    """Parses a description; ``@name`` in it refers to `structs`. Raises ValueError if it is malformed."""
    fields, at, size, brief, words = list[_Field](), 0, 0, -1, line.split()
    for word in words:
        if word == "...":
            brief = len(fields)
        elif word.startswith("@"):
            at = int(word[1:])
        else:
            field = _field(word, at, structs or {}, types or {})
            fields += [field] if field.name != "_" else []
            at += field.size
            size = max(size, at)
    more = words[-1] == "..."
    return Fields(tuple(fields), size, len(fields) if brief < 0 else brief, more)


def _field(word: str, at: int, structs: Mapping[str, Fields], types: Types) -> _Field:
    match = _WORD.fullmatch(word)
    if match is None:
        raise ValueError(f"cannot read the field {word!r}")
    marks, name, kind, sign, table, count, counter = match.groups()
    one, show_one = _typed(kind, sign, table, structs, types)
    size, show = (one * int(count), _array(one, show_one)) if count else (one, show_one)
    stored = ">" in marks or "=" in marks
    return _Field(name, at, size, show, "?" in marks, stored, "=" in marks, (counter, one) if counter else None)


def parsed(lines: str, types: Types | None = None) -> dict[str, Fields]:
    """Parses descriptions, ``name  field field...`` a line; lines that begin with a space continue the one before."""
    structs: dict[str, Fields] = {}
    for line in re.sub(r"\n +", " ", lines).strip().splitlines():
        name, _, description = line.partition(" ")
        structs[name] = parse(description, structs, types)
    return structs


def printer(fields: Fields, argument: int) -> StructPrinter:
    """Makes the printer of a struct behind an argument of that index."""

    def print_struct(data: bytes, view: View) -> str:
        return fields.text(data, view, view.data(argument))

    return print_struct


def changed(before: Fields, after: Fields, argument: int) -> StructPrinter:
    """Makes a printer of what a call was given and, once it has succeeded, what it put there: ``{a=1} => {b=2}``."""

    def print_struct(data: bytes, view: View) -> str:
        given = before.text(view.data(argument) or data, view)
        return f"{given} => {after.text(data, view)}" if view.returned and not view.failed else given

    return print_struct
