# SPDX-License-Identifier: Apache-2.0
"""Numbers in registers: descriptors, sizes, modes, ids, addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from traceloop_decode.printers.view import Printer, View
from traceloop_decode.signals import SIGNAL
from traceloop_decode.values.options import styled

_AT_FDCWD: Final = -100


def signed32(raw: int) -> int:
    """Returns a register's lower half as an int."""
    return (raw & 0x7FFFFFFF) - (raw & 0x80000000)


def signed64(raw: int) -> int:
    """Returns a register as a long."""
    return raw - (1 << 64) if raw >> 63 else raw


def address(raw: int) -> str:
    """Returns a pointer as text."""
    return f"{raw:#x}" if raw else "NULL"


def user(number: int) -> str:
    """Returns a uid or a gid, -1 for none."""
    return "-1" if number == 0xFFFFFFFF else str(number)


def mode(value: int) -> str:
    """Returns permission bits as strace prints them: octal, with at least three digits."""
    return f"0{value:02o}" if value else "000"


def _of(text: Callable[[int], str]) -> Printer:
    return lambda view, index: text(view.registers[index])


_CWD: Final = {"abbrev": "AT_FDCWD", "raw": str(_AT_FDCWD), "verbose": f"{_AT_FDCWD} /* AT_FDCWD */"}


def _int(view: View, index: int) -> str:
    raw = view.registers[index]
    return str((raw & 0x7FFFFFFF) - (raw & 0x80000000))


def _fd(view: View, index: int) -> str:
    raw = view.registers[index]
    return view.fd((raw & 0x7FFFFFFF) - (raw & 0x80000000))


def _uint(view: View, index: int) -> str:
    return str(view.registers[index] & 0xFFFFFFFF)


def _whole(view: View, index: int) -> str:
    return str(view.registers[index])


def _signal(view: View, index: int) -> str:
    number = signed32(view.registers[index])
    return styled(SIGNAL.get(number, ""), str(number), view.options.constants)


def _dirfd(view: View, index: int) -> str:
    fd = signed32(view.registers[index])
    if fd != _AT_FDCWD:
        return view.fd(fd)
    return _CWD[view.options.constants] + view.cwd()


_PAGE_SHIFT: Final = 12


_OLD_IDS: Final = frozenset(
    (
        *("chown", "fchown", "lchown", "setuid", "setgid", "setreuid", "setregid"),
        *("setresuid", "setresgid", "setfsuid", "setfsgid"),
    )
)
"""Calls of 32-bit programs whose ids have 16 bits; ``setuid32`` and the like take whole ones."""
_OLD_NONE: Final = 0xFFFF


def _id(view: View, index: int) -> str:
    raw = view.registers[index] & 0xFFFFFFFF
    if view.call.compat:
        syscall = view.call.abi.lookup(view.call.number)  # the call has the name of the 64-bit one
        if syscall is not None and syscall.name in _OLD_IDS:
            raw &= _OLD_NONE
            return "-1" if raw == _OLD_NONE else str(raw)
    return user(raw)


def _split(view: View, index: int) -> str:
    # A 32-bit program passes a 64-bit number in two registers, the lower half first.
    high = view.registers[index + 1] if index + 1 < len(view.registers) else 0
    return str(signed64((high & 0xFFFFFFFF) << 32 | view.registers[index] & 0xFFFFFFFF))


def _split_high(view: View, index: int) -> str:
    low = view.registers[index + 1] if index + 1 < len(view.registers) else 0
    return str(signed64((view.registers[index] & 0xFFFFFFFF) << 32 | low & 0xFFFFFFFF))


def _pages(view: View, index: int) -> str:
    offset = view.registers[index] << _PAGE_SHIFT
    return f"{offset:#x}" if offset else "0"


def _long(view: View, index: int) -> str:
    raw = view.registers[index]
    return str(signed32(raw) if view.call.compat else signed64(raw))


VALUES: Final[dict[str, Printer]] = {
    "fd": _fd,
    "dirfd": _dirfd,
    "int": _int,
    "uint": _uint,
    "long": _long,
    "split_number": _uint,
    "split_rest": _uint,
    "high_number": _uint,
    "page_offset": _uint,
    "ulong": _whole,
    "size": _whole,
    "hex": _of(lambda raw: f"{raw:#x}" if raw else "0"),
    "hex32": _of(lambda raw: f"{raw & 0xFFFFFFFF:#x}" if raw & 0xFFFFFFFF else "0"),
    "addr": _of(address),
    "mode": _of(lambda raw: mode(raw & 0xFFFF)),
    "id": _id,
    "signal": _signal,
}
# strace prints a number of two registers once, and an offset in bytes.
TRACED: Final[dict[str, Printer]] = {
    "split_number": _split,
    "split_rest": lambda _view, _index: None,
    "high_number": _split_high,
    "page_offset": _pages,
}
