# SPDX-License-Identifier: Apache-2.0
"""Building blocks of printers: structs of one shape, boxed values, words for registers."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from traceloop_decode.model import Item
from traceloop_decode.printers.memory import bracketed
from traceloop_decode.printers.numbers import address, signed32
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.values.xlat import XLATS, Xlat

MASK32 = 0xFFFFFFFF


def fixed(shape: str) -> Callable[[Callable[..., str]], StructPrinter]:
    """Makes a `StructPrinter` from a function of the view and the struct's fields; ``{...}`` if bytes are missing."""
    layout = Struct(f"<{shape}")

    def decorate(show: Callable[..., str]) -> StructPrinter:
        def print_struct(data: bytes, view: View) -> str:
            return show(view, *layout.unpack_from(data)) if len(data) >= layout.size else "{...}"

        return print_struct

    return decorate


def boxed(shape: str, show: Callable[[int, View], str]) -> StructPrinter:
    """Makes a printer of a number behind a pointer: ``[5]``."""
    layout = Struct(f"<{shape}")

    def print_boxed(data: bytes, view: View) -> str:
        return f"[{show(layout.unpack_from(data)[0], view)}]" if len(data) >= layout.size else "[...]"

    return print_boxed


def of(show: Callable[[int], str]) -> Printer:
    """Makes a printer of a whole register."""

    def print_register(view: View, index: int) -> str:
        return show(view.registers[index])

    return print_register


def one(name: str, *, mask: int = MASK32) -> Printer:
    """Makes a printer of a single value of a table; unlike the words of `core`, it takes a mask and any label."""
    table = XLATS[name]

    def print_one(view: View, index: int) -> str:
        return table.one(view.registers[index] & mask, view.options)

    return print_one


def decimal_one(table: Xlat, value: int) -> str:
    """Returns ``3 /* NAME */``: strace names some numbers only in a comment."""
    return f"{value} /* {table.names.get(value, table.unknown)} */"


def recorded(view: View, index: int) -> Item | None:
    """Returns what an argument's memory held at entry or, after success, at exit."""
    item = view.item(index)
    if item is None and view.returned and not view.failed:
        item = view.item(index, out=True)
    return item


def number(raw: int) -> str:
    """Returns an int in decimal."""
    return str(signed32(raw))


def hexadecimal(raw: int) -> str:
    """Returns a number as C's %#lx prints it: 0 is ``0``."""
    return f"{raw:#x}" if raw else "0"


def pointer(raw: int) -> str:
    """Returns an address."""
    return address(raw)


def listed(item: Item, width: int, show: Callable[[int], str], view: View, at: int, *, signed: bool = False) -> str:
    """Returns the `bracketed` numbers of `width` bytes each at an address: ``[1, 2, ...]``."""
    count = len(item.data) // width
    shown = min(count, view.options.string_max) if not view.options.verbose else count
    order = [int.from_bytes(item.data[n * width : (n + 1) * width], "little", signed=signed) for n in range(shown)]
    return bracketed([show(value) for value in order], item, width, at, view)


def register(view: View, index: int) -> int:
    """Returns another argument's register, or 0 if it was not recorded."""
    return view.registers[index] if index < len(view.registers) else 0


def none(_view: View, _index: int) -> str | None:
    """Prints nothing: the call ignores the argument."""
    return None
