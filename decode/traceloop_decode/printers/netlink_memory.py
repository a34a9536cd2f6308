# SPDX-License-Identifier: Apache-2.0
"""Memory that holds netlink messages, as far as it was recorded, and its bytes as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from traceloop_decode.model import Item
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import View
from traceloop_decode.safe_text import quote

NESTED_MAX: Final = 32
"""Levels of attributes and of messages in answers that are decoded; the bytes of deeper ones are printed."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The recorded leading bytes of a message's memory. base: its address. unreadable: the next byte has a fault.

    Otherwise, bytes are missing because the recorder limits what it keeps.
    """

    data: bytes
    base: int
    unreadable: bool
    view: View

    def read(self, at: int, size: int) -> bytes | None:
        """Returns `size` bytes at an offset, or None if some were not recorded; `missing` is then their text."""
        found = self.data[at : at + size]
        return found if len(found) == size else None

    def missing(self, at: int) -> str:
        """Returns the text for bytes that were not recorded: their address if they could not be read, as strace."""
        return address(self.base + at) if self.unreadable else "..."

    def rest(self, at: int) -> str:
        """Returns the text for further elements of an array that were not recorded."""
        return f"... /* {address(self.base + at)} */" if self.unreadable else "..."

    def hex(self, at: int, size: int) -> str:
        """Returns `size` bytes as a string in hexadecimal, cut at -s."""
        return self._quoted(at, size, 2)

    def string(self, at: int, size: int) -> str:
        """Returns `size` bytes as a string, cut at -s."""
        return self._quoted(at, size, self.view.options.escape)

    def _quoted(self, at: int, size: int, escape: int) -> str:
        shown = self.data[at : at + min(size, self.view.options.string_max)]
        # strace reads a byte more than it prints
        if self.unreadable and len(self.data) < at + min(size, self.view.options.string_max + 1):
            return self.missing(at)
        return quote(shown, more=len(shown) < size, escape=escape)

    def terminated(self, at: int, size: int) -> str:
        """Returns a string of `size` bytes whose last one should be NUL; ``...`` follows if it is not."""
        shown = self.data[at : at + min(size, self.view.options.string_max)]
        if self.unreadable and len(self.data) < at + min(size, self.view.options.string_max + 1):
            return self.missing(at)
        whole = shown.endswith(b"\0")
        return quote(shown[:-1] if whole else shown, more=not whole and size > 0, escape=self.view.options.escape)

    def up_to_nul(self, at: int, size: int) -> str:
        """Returns a string that ends at the first NUL; ``...`` follows if `size` bytes, or -s, have none."""
        shown = self.data[at : at + min(size, self.view.options.string_max)]
        text, end, _ = shown.partition(b"\0")
        if self.unreadable and not end and len(self.data) < at + min(size, self.view.options.string_max + 1):
            return self.missing(at)
        return quote(text, more=not end and size > 0, escape=self.view.options.escape)


def memory_of(item: Item, base: int, view: View, size: int | None = None) -> Memory:
    """Returns the memory of an item, or of its first `size` bytes."""
    data = item.data if size is None else item.data[:size]
    return Memory(data, base, item.fault and len(data) == len(item.data), view)
