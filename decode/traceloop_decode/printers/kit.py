# SPDX-License-Identifier: Apache-2.0
"""What printers are put together from: structs of one shape, boxed values, words for registers."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from traceloop_decode.model import Item
from traceloop_decode.printers.numbers import address, signed32
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.values.xlat import XLATS, Xlat

MASK32 = 0xFFFFFFFF


def fixed(shape: str) -> Callable[[Callable[..., str]], StructPrinter]:
    """Makes a `StructPrinter` of a function of the view and the struct's fields; ``{...}`` where bytes are missing."""
    layout = Struct(f"<{shape}")

    def decorate(show: Callable[..., str]) -> StructPrinter:
        def print_struct(data: bytes, view: View) -> str:
            return show(view, *layout.unpack_from(data)) if len(data) >= layout.size else "{...}"

        return print_struct

    return decorate


def boxed(shape: str, show: Callable[[int, View], str]) -> StructPrinter:
    """A number behind a pointer: ``[5]``."""
    layout = Struct(f"<{shape}")

    def print_boxed(data: bytes, view: View) -> str:
        return f"[{show(layout.unpack_from(data)[0], view)}]" if len(data) >= layout.size else "[...]"

    return print_boxed


def of(show: Callable[[int], str]) -> Printer:
    """A register, whole."""

    def print_register(view: View, index: int) -> str:
        return show(view.registers[index])

    return print_register


def one(name: str, *, mask: int = MASK32) -> Printer:
    """A single value of a table, of more bits than the words of `core` have, or another label."""
    table = XLATS[name]

    def print_one(view: View, index: int) -> str:
        return table.one(view.registers[index] & mask, view.options)

    return print_one


def decimal_one(table: Xlat, value: int) -> str:
    """``3 /* NAME */``: strace names some numbers in a comment only."""
    return f"{value} /* {table.names.get(value, table.unknown)} */"


def recorded(view: View, index: int) -> Item | None:
    """What an argument's memory held, at entry or, after success, at exit."""
    item = view.item(index)
    if item is None and view.returned and not view.failed:
        item = view.item(index, out=True)
    return item


def number(raw: int) -> str:
    """An int."""
    return str(signed32(raw))


def styled(name: str, number: str, view: View) -> str:
    """A name, or by -X the number that it is for, or both."""
    if view.options.constants == "abbrev" or name == number:
        return name
    return number if view.options.constants == "raw" else f"{number} /* {name} */"


def hexadecimal(raw: int) -> str:
    """As C's %#lx has it: 0 is ``0``."""
    return f"{raw:#x}" if raw else "0"


def pointer(raw: int) -> str:
    """An address."""
    return address(raw)


def listed(item: Item, width: int, show: Callable[[int], str], view: View, *, signed: bool = False) -> str:
    """Numbers of `width` bytes each: ``[1, 2, ...]``, no more than -s says."""
    count = len(item.data) // width
    shown = min(count, view.options.string_max) if not view.options.verbose else count
    order = [int.from_bytes(item.data[n * width : (n + 1) * width], "little", signed=signed) for n in range(shown)]
    texts = [show(value) for value in order]
    if shown * width < item.size:
        texts.append("...")
    return f"[{', '.join(texts)}]"


def register(view: View, index: int) -> int:
    """Another argument than the one that is printed; 0 where it was not recorded."""
    return view.registers[index] if index < len(view.registers) else 0


def none(_view: View, _index: int) -> str | None:
    """An argument that this call does not look at."""
    return None
