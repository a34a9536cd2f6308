# SPDX-License-Identifier: Apache-2.0
"""Memory that pointers point at: strings, buffers, structs and arrays of them, iovecs, argv."""

from __future__ import annotations

from typing import Final

from traceloop_decode import layout
from traceloop_decode.arguments.words import Word
from traceloop_decode.executed import pointer_count
from traceloop_decode.model import Item
from traceloop_decode.printers.network_dns import shown as shown_dns
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.safe_text import quote
from traceloop_decode.values.options import Options

_PATH_MAX: Final = 4096
_NEEDED: Final = {"sigevent": 32, "cap_data": 12}  # bytes of a struct that is printed without its end


def is_readable(item: Item, wanted: int) -> bool:
    """Returns whether the first `wanted` bytes of an item's memory could be read, or are cut for another reason."""
    return not item.fault or len(item.data) >= wanted


def terminated(item: Item, at: int, options: Options, *, whole: bool = False) -> str:
    """Prints a string up to its NUL, or its address if memory ends before the bytes that strace reads of it.

    whole: the string is a path, which is not cut at -s.
    """
    if not is_readable(item, _PATH_MAX if whole else options.string_max + 1):
        return address(at)
    if item.tail:
        return text_of(item, len(item.data) + item.more, options, whole=whole)
    data = item.data[: _PATH_MAX - 1] if whole else item.data
    return text(data, len(item.data) + (item.more or item.fault), options, whole=whole)


def counted(item: Item, at: int, size: int, options: Options) -> str:
    """Prints the first of `size` bytes, or their address if memory ends before the bytes that strace reads of them."""
    return text_of(item, size, options) if is_readable(item, min(size, options.string_max + 1)) else address(at)


def bracketed(shown: list[str], item: Item, width: int, at: int, view: View) -> str:
    """Returns an array of elements of `width` bytes each, of which `shown` could be read, no more than -s says.

    Ends with the address of an element that could not be read, and with ``...`` where elements were not recorded.
    at: the array's address, 0 if it is not known.
    """
    count, readable = item.size // width, len(item.data) // width
    most = count if view.options.verbose else min(count, view.options.string_max)
    shown = shown[:most]
    if at and item.fault and readable < count and readable <= most:
        if not shown:
            return address(at)
        shown.append(_unread(at + len(shown) * width))
    elif len(shown) < count:
        shown.append("...")
    return f"[{', '.join(shown)}]"


def text(data: bytes, size: int, options: Options, *, whole: bool = False) -> str:
    """Quotes the recorded part of `size` bytes, cut at -s unless `whole`; ``...`` follows if bytes are missing."""
    limit = len(data) if whole else options.string_max
    shown = data[:limit]
    return quote(shown, more=len(shown) < size, escape=options.escape)


def text_of(item: Item, size: int, options: Options, *, whole: bool = False) -> str:
    """Quotes what was read of an item of `size` bytes, its end too if that was read: ``"head"..."tail"``."""
    head, tail = item.data, item.tail
    if not tail:
        return text(head, size, options, whole=whole)
    limit = len(head) + len(tail) if whole else min(options.string_max, len(head) + len(tail))
    kept = min(len(tail), limit // 2 if options.ends else max(limit - len(head), 0))
    begun = quote(head[: limit - kept], more=True, escape=options.escape)
    return begun + quote(tail[-kept:], escape=options.escape) if kept else begun


def is_shown(view: View, word: Word) -> bool:
    """Tells whether the contents are known: input always, output once the call has returned without an error."""
    return not word.is_out or (view.returned and not view.failed)


def string(word: Word) -> Printer:
    """Makes a printer of a string; strace never cuts a path."""
    whole = word.what == "path"

    def print_string(view: View, index: int) -> str:
        item = view.item(index, out=word.is_out) if is_shown(view, word) else None
        if item is None:
            return address(view.registers[index])
        return terminated(item, view.registers[index], view.options, whole=whole)

    return print_string


def limited(most: int) -> Printer:
    """Returns the printer of a string of which the kernel takes at most `most` bytes, including its NUL."""

    def print_limited(view: View, index: int) -> str:
        item = view.item(index)
        at, size = view.registers[index], view.options.string_max
        if item is None or not is_readable(item, min(most, size + 1)):
            return address(at)
        shown, length = item.data[: min(most, size)], len(item.data) + (item.more or item.fault)
        return quote(shown, more=len(shown) < length or length >= most, escape=view.options.escape)

    return print_limited


def buffer(word: Word) -> Printer:
    """Makes a printer of bytes with a length."""

    def print_buffer(view: View, index: int) -> str:
        item = view.item(index, out=word.is_out) if is_shown(view, word) else None
        if item is None:
            return address(view.registers[index])
        return shown_dns(view, item.data) or counted(item, view.registers[index], item.size, view.options)

    return print_buffer


def struct(word: Word, size: int, print_one: StructPrinter) -> Printer:
    """Makes a printer of one struct, or of an array if the word has a count (unless the count is one of bytes)."""
    out = word.direction != "in"
    is_array = bool(word.count) and size > 1
    fixed_count = int(word.count) if word.count.isdecimal() else 0
    needed = _NEEDED.get(word.what, size)

    def print_struct(view: View, index: int) -> str:
        item = view.item(index, out=out) if is_shown(view, word) and (not out or not view.failed) else None
        if item is None and word.direction in ("inout", "inend"):
            item = view.item(index)
        if item is None or (not item.data and not is_array):
            return address(view.registers[index])
        if not is_array:
            return print_one(item.data, view) if is_readable(item, needed) else address(view.registers[index])
        if fixed_count and not is_readable(item, size * fixed_count):  # all of them or none, for the kernel too
            return address(view.registers[index])
        return elements(item, size, print_one, view, view.registers[index])

    return print_struct


def elements(item: Item, size: int, print_one: StructPrinter, view: View, at: int = 0) -> str:
    """Returns the `bracketed` structs of `size` bytes at an address, 0 if it is not known: ``[{...}, {...}]``."""
    whole = len(item.data) // size
    if at and item.fault and not whole:
        return address(at)
    shown = [print_one(item.data[n * size : (n + 1) * size], view) for n in range(whole)]
    return bracketed(shown, item, size, at, view)


def _unread(at: int) -> str:
    # strace's end of an array whose next element cannot be read.
    return f"... /* {at:#x} */"


def argv(_word: Word) -> Printer:
    """Makes a printer of pointers to strings, up to a null pointer."""

    def print_argv(view: View, index: int) -> str:
        items = view.call.items.get(index, ())
        if not items or (items[0].kind == layout.KIND_ARGV and items[0].fault):
            return address(view.registers[index])
        return _listed(items, view, index)

    return print_argv


def _listed(items: tuple[Item, ...], view: View, index: int) -> str:
    # The strings of a list, whose end is an item too.
    shown = [
        "..." if item.fault else text(item.data, len(item.data) + item.more, view.options)
        for item in items
        if item.kind == layout.KIND_STRING
    ]
    end = items[-1]
    if end.kind == layout.KIND_ARGV and end.fault:
        shown.append(_unread(view.registers[index] + end.sub * (4 if view.call.compat else 8)))
    elif end.kind != layout.KIND_ARGV or end.more:
        shown.append("...")
    return f"[{', '.join(shown)}]"


def variables(_word: Word) -> Printer:
    """Makes a printer of an environment: its address, and the number of pointers up to the null pointer.

    With -v its strings, if they were recorded; they come after the number.
    """

    def print_variables(view: View, index: int) -> str:
        items = view.call.items.get(index, ())
        item = next(iter(items), None)
        shown = address(view.registers[index])
        if item is None or (item.fault and not item.size):
            return shown
        if view.options.verbose and len(items) > 1:
            return _listed(items[1:], view, index)
        count, is_whole = pointer_count(item)
        more = "" if is_whole or item.fault else " or more"
        end = ", unterminated" if item.fault and not is_whole else ""
        return f"{shown} /* {count}{more} var{'' if count == 1 else 's'}{end} */"

    return print_variables


def pieces(items: list[Item], count: int, view: View) -> str:
    """Prints an iovec array of `count` elements; `items`: those that were read."""
    shown = [
        f"{{iov_base={text_of(item, item.size if not item.out else len(item.data) + item.more, view.options)}, "
        f"iov_len={item.size}}}"
        for item in items
        if item.kind == layout.KIND_BUFFER
    ]
    if len(shown) < count:
        shown.append("...")
    return f"[{', '.join(shown)}]"
