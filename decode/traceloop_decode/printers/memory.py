# SPDX-License-Identifier: Apache-2.0
"""Memory behind pointers: strings, buffers, structs and arrays of them, iovecs, argv."""

from __future__ import annotations

from typing import Final

from traceloop_decode import layout
from traceloop_decode.arguments.words import Word
from traceloop_decode.model import Item
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.safe_text import quote
from traceloop_decode.values.options import Options

_NULL: Final = bytes(8)


def text(data: bytes, size: int, options: Options, *, whole: bool = False) -> str:
    """Bytes of which a call meant `size`: quoted, cut at -s unless `whole`, with ``...`` if that is not all."""
    limit = len(data) if whole else options.string_max
    shown = data[:limit]
    return quote(shown, more=len(shown) < size, escape=options.escape)


def is_shown(view: View, word: Word) -> bool:
    """Are the contents known at this point: input always, output once the call has returned without an error?"""
    return not word.is_out or (view.returned and not view.failed)


def string(word: Word) -> Printer:
    """A path, which strace never cuts, or another string."""
    whole = word.what == "path"

    def print_string(view: View, index: int) -> str:
        item = view.item(index, out=word.is_out) if is_shown(view, word) else None
        if item is None:
            return address(view.registers[index])
        return text(item.data, len(item.data) + item.more, view.options, whole=whole)

    return print_string


def buffer(word: Word) -> Printer:
    """Bytes with a length."""

    def print_buffer(view: View, index: int) -> str:
        item = view.item(index, out=word.is_out) if is_shown(view, word) else None
        if item is None:
            return address(view.registers[index])
        return text(item.data, item.size, view.options)

    return print_buffer


def struct(word: Word, size: int, print_one: StructPrinter) -> Printer:
    """One struct, or an array of them where the word has a count (but not for those that count in bytes)."""
    out = word.direction != "in"
    array = bool(word.count) and size > 1

    def print_struct(view: View, index: int) -> str:
        item = view.item(index, out=out) if is_shown(view, word) and (not out or not view.failed) else None
        if item is None and word.direction in ("inout", "inend"):
            item = view.item(index)
        if item is None or (not item.data and not array):
            return address(view.registers[index])
        if not array:
            return print_one(item.data, view)
        return elements(item, size, print_one, view)

    return print_struct


def elements(item: Item, size: int, print_one: StructPrinter, view: View) -> str:
    """An array: ``[{...}, {...}]``, with ``...`` for those that were not recorded."""
    whole = len(item.data) // size
    shown = [print_one(item.data[n * size : (n + 1) * size], view) for n in range(whole)]
    if whole * size < item.size:
        shown.append("...")
    return f"[{', '.join(shown)}]"


def argv(_word: Word) -> Printer:
    """Pointers to strings, up to a null pointer."""

    def print_argv(view: View, index: int) -> str:
        items = view.call.items.get(index, ())
        if not items or (items[0].kind == layout.KIND_ARGV and items[0].fault):
            return address(view.registers[index])
        shown = [
            "..." if item.fault else text(item.data, len(item.data) + item.more, view.options)
            for item in items
            if item.kind == layout.KIND_STRING
        ]
        end = items[-1]
        if end.kind != layout.KIND_ARGV or end.more or end.fault:
            shown.append("...")
        return f"[{', '.join(shown)}]"

    return print_argv


def variables(_word: Word) -> Printer:
    """An environment: its address, and how many pointers there are up to the null pointer."""

    def print_variables(view: View, index: int) -> str:
        item = view.item(index)
        shown = address(view.registers[index])
        if item is None:
            return shown
        pointers = [item.data[at : at + 8] for at in range(0, len(item.data), 8)]
        count = pointers.index(_NULL) if _NULL in pointers else len(pointers)
        more = "" if _NULL in pointers else " or more"
        return f"{shown} /* {count}{more} var{'' if count == 1 else 's'} */"

    return print_variables


def pieces(items: list[Item], count: int, view: View) -> str:
    """An iovec array of `count` elements, of which `items` were read."""
    shown = [
        f"{{iov_base={text(item.data, item.size if not item.out else len(item.data) + item.more, view.options)}, "
        f"iov_len={item.size}}}"
        for item in items
        if item.kind == layout.KIND_BUFFER
    ]
    if len(shown) < count:
        shown.append("...")
    return f"[{', '.join(shown)}]"
