# SPDX-License-Identifier: Apache-2.0
"""Meaning of a status, where a convention gives it one.

Sources: sh(1), "Exit status", and timeout(1) for 124 to 127; bash(1) for 128 and more; wait(2).
"""

from __future__ import annotations

from typing import Final

from traceloop_decode.values.siginfo import signal_name
from traceloop_decode.wait_status import WaitStatus

_CODES: Final = {
    0: "success",
    124: "by convention of timeout(1): it took too long",
    125: "the engine, or a wrapper such as `timeout`, failed itself",
    126: "by convention: a program was found but could not be executed",
    127: "by convention: a program, or a library of it, was not found",
}
_BY_SIGNAL: Final = 128
_SIGNALS_MAX: Final = 64


def meaning(status: WaitStatus, *, running: bool) -> str:
    """Returns what a status means in words; "" for one whose meaning is the program's own."""
    if status.signal is not None:
        return f"ended by {signal_name(status.signal)}{', with a core dump' if status.core_dumped else ''}"
    if status.exit_code is None:
        return "it is still running" if running else ""
    signal = status.exit_code - _BY_SIGNAL
    if 0 < signal <= _SIGNALS_MAX:
        return f"by convention: a program that it ran was ended by {signal_name(signal)}"
    return _CODES.get(status.exit_code, "")
