# SPDX-License-Identifier: Apache-2.0
"""The view of a printer: one call, and the reader's options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from traceloop_decode.errnos import is_error
from traceloop_decode.model import Call, Item
from traceloop_decode.requests import ANY_SLOT
from traceloop_decode.values.options import Options

_INT: Final = 0xFFFFFFFF
_NETLINK: Final = "NETLINK"


class View:
    """A call that is being printed. failed: it returned an error. returned: it has returned."""

    __slots__ = ("call", "failed", "options", "registers", "returned")

    def __init__(self, call: Call, options: Options) -> None:
        self.call = call
        self.options = options
        self.registers = call.registers
        result = call.result
        self.returned = result is not None
        self.failed = result is not None and is_error(result)

    def fd(self, number: int) -> str:
        """Returns a descriptor and, if known, the file that it stood for when the call began: ``3</etc/hosts>``."""
        files, request = self.call.files, self.call.request
        if request is not None and request.direct:
            return f"direct {number}"
        known = files.before.get(number) if files is not None else None
        return f"{number}{known.shown}" if known is not None else str(number)

    def cwd(self) -> str:
        """Returns the directory that AT_FDCWD stood for when the call began: ``</etc>``; "" if it is not known."""
        files = self.call.files
        return files.cwd.text if files is not None and files.cwd is not None else ""

    def netlink(self) -> int | None:
        """Returns the protocol of the netlink socket in the first argument; None if it is none, or not known."""
        files = self.call.files
        known = files.before.get(self.registers[0] & _INT) if files is not None and self.registers else None
        socket = known.socket if known is not None else None
        return socket.protocol if socket is not None and socket.kind == _NETLINK else None

    def remote_port(self) -> int | None:
        """The port at the other end of the socket that the first argument is; None where that is not known."""
        files = self.call.files
        known = files.before.get(self.registers[0] & _INT) if files is not None and self.registers else None
        remote = known.socket.remote if known is not None and known.socket is not None else ""
        port = remote.rpartition(":")[2]
        return int(port) if remote[:1] not in ("", '"', "@") and port.isdecimal() else None

    def made(self) -> str:
        """Returns the file that the returned descriptor stands for: ``</etc/hosts>``; "" if not known.

        For a request that made a direct descriptor, returns which: `` (direct 3)``.
        """
        files, request = self.call.files, self.call.request
        if request is not None and request.slot and not request.direct:
            return f" (direct {self.call.result if request.slot == ANY_SLOT else request.slot - 1})"
        return files.result.shown if files is not None and files.result is not None else ""

    def item(self, index: int, *, out: bool = False) -> Item | None:
        """Returns what was read, in whole or in part, through an argument: at entry or, with `out`, at exit.

        None: nothing was read, or the memory could not be read.
        """
        for item in self.call.items.get(index, ()):
            if item.out is out and (item.data or not item.fault):
                return item
        return None

    def nested(self, index: int, number: int, *, out: bool = False) -> Item | None:
        """Returns what the number-th nested pointer of the argument's word in `arguments.table` pointed at."""
        for item in self.call.items.get(index, ()):
            if item.out is out and item.sub == number and (item.data or not item.fault):
                return item
        return None

    def data(self, index: int, *, out: bool = False, size: int = 0) -> bytes:
        """Returns the bytes of `item`, or b"" if there is none, or if memory ends before `size` bytes."""
        item = self.item(index, out=out)
        return item.data if item is not None and not (item.fault and len(item.data) < size) else b""


Printer = Callable[[View, int], str | None]
"""Prints the argument of that index, or returns None if the argument has no meaning in this call and is left out."""

StructPrinter = Callable[[bytes, View], str]
"""Prints one struct. If there are fewer bytes than the struct has, prints those, and ``...``."""
