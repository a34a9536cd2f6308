# SPDX-License-Identifier: Apache-2.0
"""Tells calls that make a thread from those that make a process."""

from __future__ import annotations

from typing import Final

from traceloop_decode.model import Call

_CLONE_THREAD: Final = 0x10000


def makes_thread(call: Call) -> bool:
    """Tells whether a clone or fork makes a thread of the calling process."""
    if call.name == "clone" and call.registers:
        return call.registers[0] & _CLONE_THREAD != 0
    if call.name == "clone3":
        data = next((item.data for item in call.items.get(0, ())), b"")
        return int.from_bytes(data[:8], "little") & _CLONE_THREAD != 0
    return False
