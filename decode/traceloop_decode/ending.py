# SPDX-License-Identifier: Apache-2.0
"""The end of a container, told by its first process's exit code or signal: a sentence, and whether it failed.

Theory of operation. Shells report a command that a signal killed as exit code 128 + signal, and 126 and 127 for a
command that they could not run (sh(1p), "Exit Status for Commands"). So 128 + signal is treated like the signal.
SIGHUP, SIGINT and SIGTERM end a process on request, as systemd.service(5) has it (SuccessExitStatus=).
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from traceloop_decode.signals import SIGNAL

_SHELL: Final = 128
_SIGNALS_END: Final = 32  # above are real-time signals, and codes such as 255 that programs choose
_CODES: Final = {
    126: "a command was found, but could not be run",
    127: "a command was not found",
}
_SIGNALS: Final = {
    "SIGQUIT": "a quit was requested",
    "SIGILL": "invalid instruction",
    "SIGTRAP": "breakpoint",
    "SIGABRT": "the program aborted itself",
    "SIGBUS": "invalid access to mapped memory",
    "SIGFPE": "invalid arithmetic",
    "SIGSEGV": "invalid memory access",
    "SIGXCPU": "CPU time used up",
    "SIGXFSZ": "file size limit reached",
    "SIGSYS": "a forbidden system call",
}
_SIGKILL: Final = "SIGKILL"
_MIB: Final = 1 << 20
_ON_REQUEST: Final = frozenset(("SIGHUP", "SIGINT", "SIGTERM"))


class MemoryEnd(NamedTuple):
    """Memory's part in an end.

    of_first: the kernel ended the first process because memory was short. kills: of how many processes that is so.
    limit_bytes: of the container's memory cgroup; None: no limit, or not known. by_limit: how many were ended because a
    limit was reached, its own or one above, and not because the node had no memory left; None: not known.
    """

    of_first: bool = False
    kills: int = 0
    limit_bytes: int | None = None
    by_limit: int | None = None


class EndKind(enum.Enum):
    """The kind of a container's end. STOPPED: a signal asked it to end, and it did."""

    UNKNOWN = "unknown"
    WELL = "well"
    STOPPED = "stopped"
    FAILED = "failed"


def end_kind(exit_code: int | None, signal: int | None) -> EndKind:
    """Returns the kind of an end; both None: it has not ended, or how is not known."""
    if exit_code is None and signal is None:
        return EndKind.UNKNOWN
    if signal is None and exit_code == 0:
        return EndKind.WELL
    return EndKind.STOPPED if _signal_of(exit_code, signal) in _ON_REQUEST else EndKind.FAILED


def how_ended(exit_code: int | None, signal: int | None, memory: MemoryEnd | None = None) -> str:
    """Returns the end as a sentence without a full stop: ``killed by SIGSEGV (invalid memory access)``; "": unknown."""
    if signal is not None:
        meaning = _SIGNALS.get(_name(signal))
        if memory is not None and memory.of_first and _name(signal) == _SIGKILL:
            meaning = memory_meaning(memory)
        return _explained(f"killed by {_name(signal)}", meaning)
    if exit_code is None:
        return ""
    by = _signal_of(exit_code, None)
    meaning = f"128 + {by}" if by else _CODES.get(exit_code)
    if memory is not None and memory.kills and by == _SIGKILL:
        meaning = f"{meaning}: {memory_meaning(memory)}"
    return _explained(f"exited with {exit_code}", meaning)


def memory_meaning(memory: MemoryEnd) -> str:
    """Returns whose memory was short, as far as that is known: ``out of memory: its limit is 30 MiB``."""
    if memory.by_limit == 0:
        return "the node was out of memory"
    if memory.limit_bytes is not None and memory.by_limit:
        return f"out of memory: its limit is {memory.limit_bytes / _MIB:,.0f} MiB"
    return "out of memory"


def _signal_of(exit_code: int | None, signal: int | None) -> str | None:
    if signal is not None:
        return _name(signal)
    number = (exit_code or 0) - _SHELL
    return SIGNAL.get(number) if number < _SIGNALS_END else None


def _name(signal: int) -> str:
    return SIGNAL.get(signal, f"signal {signal}")


def _explained(said: str, meaning: str | None) -> str:
    return f"{said} ({meaning})" if meaning else said
