# SPDX-License-Identifier: Apache-2.0
"""What a printer sees: one call, and how its reader wants it shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from traceloop_decode.model import Call, Item
from traceloop_decode.values.options import Options

_INT: Final = 0xFFFFFFFF
_NETLINK: Final = "NETLINK"
ERROR_MAX: Final = 4095
"""Results from -4095 on are errors (include/linux/err.h)."""


class View:
    """A call that is being printed. failed: it returned an error. returned: it returned at all."""

    __slots__ = ("call", "failed", "options", "registers", "returned")

    def __init__(self, call: Call, options: Options) -> None:
        self.call = call
        self.options = options
        self.registers = call.registers
        result = call.result
        self.returned = result is not None
        self.failed = result is not None and -ERROR_MAX <= result < 0

    def fd(self, number: int) -> str:
        """A descriptor; with what it stood for when the call began, as far as that is known: ``3</etc/hosts>``."""
        files = self.call.files
        known = files.before.get(number) if files is not None else None
        return f"{number}{known.text}" if known is not None else str(number)

    def cwd(self) -> str:
        """What AT_FDCWD stood for when the call began: ``</etc>``; "" where it is not known."""
        files = self.call.files
        return files.cwd.text if files is not None and files.cwd is not None else ""

    def netlink(self) -> int | None:
        """The protocol of the netlink socket that the first argument is; None: it is none, or that is not known."""
        files = self.call.files
        known = files.before.get(self.registers[0] & _INT) if files is not None and self.registers else None
        socket = known.socket if known is not None else None
        return socket.protocol if socket is not None and socket.kind == _NETLINK else None

    def made(self) -> str:
        """What the descriptor that is the result stands for: ``</etc/hosts>``; "" where it is none, or not known."""
        files = self.call.files
        return files.result.text if files is not None and files.result is not None else ""

    def item(self, index: int, *, out: bool = False) -> Item | None:
        """What was read whole or in part through an argument: at entry, or (`out`) when the call had returned.

        None: nothing was, or nothing could be.
        """
        for item in self.call.items.get(index, ()):
            if item.out is out and (item.data or not item.fault):
                return item
        return None

    def nested(self, index: int, number: int, *, out: bool = False) -> Item | None:
        """What a pointer within an argument's memory pointed at, the number-th of its line in `arguments.table`."""
        for item in self.call.items.get(index, ()):
            if item.out is out and item.sub == number and (item.data or not item.fault):
                return item
        return None

    def data(self, index: int, *, out: bool = False) -> bytes:
        """The bytes of `item`; none where there is none."""
        item = self.item(index, out=out)
        return item.data if item is not None else b""


Printer = Callable[[View, int], str | None]
"""Prints the argument of that index. None: it means nothing in this call, and is left out."""

StructPrinter = Callable[[bytes, View], str]
"""Prints one struct. There may be fewer bytes than the struct has: then what is there, and ``...``."""
