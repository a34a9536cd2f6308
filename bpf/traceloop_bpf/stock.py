# SPDX-License-Identifier: Apache-2.0
"""The kernel's queue of slots whose rings are empty and ready, from which programs and this process take."""

from __future__ import annotations

from collections.abc import Container
from struct import Struct
from typing import Final

from traceloop_bpf import bpfcalls

_SLOT: Final = Struct("<I")


class Stock:
    """The queue, given its map's descriptor. Programs take slots at any time."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def push(self, slot: int) -> None:
        """Appends a slot. Raises OSError."""
        bpfcalls.push(self._fd, _SLOT.pack(slot))

    def pop(self) -> int | None:
        """Takes the next slot out; returns None if there is none. Raises OSError."""
        value = bpfcalls.pop(self._fd, _SLOT.size)
        return None if value is None else int(_SLOT.unpack(value)[0])

    def sift(self, keep: Container[int]) -> set[int]:
        """Takes out the slots that are not in `keep`, and returns those that stay. Raises OSError.

        A queue cannot be read. So each slot is taken out and appended again, until one comes a second time; the
        programs always find the others.
        """
        seen: set[int] = set()
        while (slot := self.pop()) is not None:
            if slot in keep:
                self.push(slot)
                if slot in seen:
                    break
                seen.add(slot)
        return seen


class NoStock:
    """The stock of programs of an older version, which take no slots."""

    def push(self, slot: int) -> None:
        """Ignores the slot."""

    def pop(self) -> int | None:
        """Returns None."""
        return None

    def sift(self, _keep: Container[int]) -> set[int]:
        """Returns that no slot stays."""
        return set()
