# SPDX-License-Identifier: Apache-2.0
"""Numbers that calls on files take: open flags, modes, devices, and flags that are more than a set of bits."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from traceloop_decode.model import Item
from traceloop_decode.printers.numbers import mode, signed32, signed64
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.safe_text import quote
from traceloop_decode.values.options import Options, styled
from traceloop_decode.values.xlat import XLATS, xlat

_O_ACCMODE: Final = 3
_S_IFMT: Final = 0o170000
_S_IFCHR: Final = 0o020000
_S_IFBLK: Final = 0o060000
_SPECIAL_BITS: Final = ((0o4000, "S_ISUID"), (0o2000, "S_ISGID"), (0o1000, "S_ISVTX"))
_SPECIAL: Final = 0o7000
_HUGE_SHIFT: Final = 26
_HUGE_MASK: Final = 0x3F << _HUGE_SHIFT
_AT_STATX_SYNC_TYPE: Final = 0x6000
_SWAP_PRIORITY: Final = 0x7FFF
_PAGE: Final = 4096

ABBREVIATED: Final = Options()
"""Options for text in which strace ignores -X."""
O_MAKES_FILE: Final = 0o100 | 0o20000000
"""Flags with which an open has a mode: O_CREAT, and O_TMPFILE without the O_DIRECTORY that it contains."""


def bits(name: str) -> Printer:
    """Makes a printer of a set of bits as wide as the register."""
    return lambda view, index: xlat(name, view.call.abi).flags(view.registers[index], view.options)


def register(view: View, index: int) -> int:
    """Returns another argument's register, or 0 if it was not recorded."""
    return view.registers[index] if index < len(view.registers) else 0


def left_out(_view: View, _index: int) -> None:
    """Prints nothing: strace leaves the argument out."""


def open_flags(value: int, view: View, options: Options) -> str:
    """Returns ``O_RDWR|O_CREAT``: the access mode, then the other flags."""
    rest = value & ~_O_ACCMODE
    text = XLATS["access_mode"].names[value & _O_ACCMODE]
    if rest:
        text += f"|{_without_comment(xlat('open_flags', view.call.abi).flags(rest, ABBREVIATED))}"
    return styled(text, _hex(value), options.constants)


def more_flags(name: str, value: int, options: Options) -> str:
    """Returns flags that follow other text; strace adds no comment to unknown bits there."""
    return _without_comment(XLATS[name].flags(value, options))


def _without_comment(text: str) -> str:
    return text.partition(" /*")[0] if "???" in text else text


def symbolic_mode(value: int, options: Options) -> str:
    """Returns ``S_IFREG|S_ISUID|0755``, ``S_ISUID|0755`` without a file type, or only octal if that is not known."""
    kind = XLATS["file_type"].names.get(value & _S_IFMT)
    if kind is None and value & _S_IFMT:
        return mode(value)
    names = [kind] if kind is not None else []
    names += [name for bit, name in _SPECIAL_BITS if value & bit]
    if not names and options.constants == "verbose":  # there a bare mode is its own comment
        return f"{mode(value)} /* {mode(value)} */"
    return styled("|".join([*names, mode(value & ~_S_IFMT & ~_SPECIAL)]), mode(value), options.constants)


def device(number: int, options: Options) -> str:
    """Returns ``makedev(0x8, 0x1)`` for a dev_t of the kernel or of makedev(3): their low 32 bits are the same."""
    major = number >> 8 & 0xFFF | number >> 32 & 0xFFFFF000
    minor = number & 0xFF | number >> 12 & 0xFFFFFF00
    return styled(f"makedev({_hex(major)}, {_hex(minor)})", _hex(number), options.constants)


def extra_bytes(item: Item, known: int, options: Options) -> str:
    """Returns ``, /* bytes 24..31 */ "\\x07..."``: the bytes of a newer program's struct after the known fields.

    Returns ``, ???`` if they could not be read, and nothing if they are zero.
    """
    size = min(item.size, _PAGE)
    more = item.data[known:size]
    if size <= known:
        return ""
    if item.fault and len(item.data) < size:
        return ", ???"
    if not any(more):
        return ""
    shown = quote(more[: options.string_max], more=size - known > options.string_max, escape=2)
    return f", /* bytes {known}..{size - 1} */ {shown}"


def is_device(value: int) -> bool:
    """Tells whether a mode is that of a device, so that a device number belongs to it."""
    return value & _S_IFMT in (_S_IFCHR, _S_IFBLK)


def whole_struct(layout: Struct, print_fields: Callable[[tuple[int, ...], View], str]) -> StructPrinter:
    """Makes a printer of a struct that is printed only if all of it was read, else as ``{...}``."""

    def print_struct(data: bytes, view: View) -> str:
        return print_fields(layout.unpack_from(data), view) if len(data) >= layout.size else "{...}"

    return print_struct


def _hex(number: int) -> str:
    return f"{number:#x}" if number else "0"


def _print_open_flags(view: View, index: int) -> str:
    return open_flags(view.registers[index] & 0xFFFFFFFF, view, view.options)


def _print_open_bits(view: View, index: int) -> str:
    return xlat("open_flags", view.call.abi).flags(view.registers[index] & 0xFFFFFFFF, view.options)


def _print_open_mode(view: View, index: int) -> str | None:
    # The flags are the argument before. A mode is given only if the call may create a file.
    return mode(view.registers[index] & 0xFFFF) if view.registers[index - 1] & O_MAKES_FILE else None


def _print_node_mode(view: View, index: int) -> str:
    return symbolic_mode(view.registers[index] & 0xFFFF, view.options)


def _print_node_device(view: View, index: int) -> str | None:
    return device(view.registers[index] & 0xFFFFFFFF, view.options) if is_device(view.registers[index - 1]) else None


def _print_device(view: View, index: int) -> str:
    return device(view.registers[index] & 0xFFFFFFFF, view.options)


def _print_memfd_flags(view: View, index: int) -> str:
    flags = view.registers[index] & 0xFFFFFFFF
    size, rest = (flags & _HUGE_MASK) >> _HUGE_SHIFT, flags & ~_HUGE_MASK
    shown = [XLATS["memfd_flags"].flags(rest, ABBREVIATED)] if rest else []
    shown += [f"{size}<<MFD_HUGE_SHIFT"] if size else []
    return styled("|".join(shown), _hex(flags), view.options.constants) if shown else "0"


def _print_swap_flags(view: View, index: int) -> str:
    flags = view.registers[index] & 0xFFFFFFFF
    rest, priority = flags & ~_SWAP_PRIORITY, flags & _SWAP_PRIORITY
    return f"{XLATS['swap_flags'].flags(rest, view.options)}|{priority}" if rest else str(priority)


def _print_statx_flags(view: View, index: int) -> str:
    flags = view.registers[index] & 0xFFFFFFFF
    sync, rest = flags & _AT_STATX_SYNC_TYPE, flags & ~_AT_STATX_SYNC_TYPE
    shown = XLATS["statx_sync"].flags(sync, view.options)
    return f"{shown}|{more_flags('at_flags', rest, view.options)}" if rest else shown


def _print_loff(view: View, index: int) -> str:
    value = view.registers[index]
    return str(signed32(value) if view.call.compat else signed64(value))


VALUES: Final[dict[str, Printer]] = {
    "open_flags": _print_open_flags,
    "open_bits": _print_open_bits,
    "open_mode": _print_open_mode,
    "node_mode": _print_node_mode,
    "node_device": _print_node_device,
    "device": _print_device,
    "memfd_create_flags": _print_memfd_flags,
    "swapon_flags": _print_swap_flags,
    "statx_flags": _print_statx_flags,
    "left_out": left_out,
    "loff": _print_loff,
}
