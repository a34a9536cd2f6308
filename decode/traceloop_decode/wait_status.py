# SPDX-License-Identifier: Apache-2.0
"""Status of an ended process, as wait(2) reports it."""

from __future__ import annotations

from typing import Final, NamedTuple

_SIGNAL_MASK: Final = 0x7F
_CORE_DUMPED: Final = 0x80


class WaitStatus(NamedTuple):
    """End of a process: with an exit code or by a signal; the other is None, and both are None if unknown."""

    exit_code: int | None
    signal: int | None
    core_dumped: bool


def wait_status(status: int | None) -> WaitStatus:
    """Splits a wait status (WIFEXITED and the other macros in wait(2)); None if unknown."""
    if status is None:
        return WaitStatus(None, None, core_dumped=False)
    if signal := status & _SIGNAL_MASK:
        return WaitStatus(None, signal, bool(status & _CORE_DUMPED))
    return WaitStatus(status >> 8 & 0xFF, None, core_dumped=False)
