# SPDX-License-Identifier: Apache-2.0
"""Follows the limit of open files (RLIMIT_NOFILE) of each process, as far as calls set or read it.

A child begins with its parent's. What an area beside the ring kept does not count: it may have been changed since.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.causes.processes import Processes
from traceloop_decode.model import Call

CALLS: Final = frozenset(("setrlimit", "getrlimit", "prlimit64"))
_NOFILE: Final = 7
_INFINITE: Final = 1 << 63  # and more
_INT: Final = 0xFFFFFFFF
_SOFT: Final = Struct("<Q")
_LIMITS_MAX: Final = 4096
_ANCESTORS_MAX: Final = 16


class Limits:
    """The limits by process. Those of 32-bit programs are followed if they use prlimit64."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._found: dict[int, tuple[int, int]] = {}  # process -> when it had the limit, and the limit; -1: not known

    def observe(self, call: Call) -> None:
        """Observes a call of CALLS that succeeded."""
        wide = call.name == "prlimit64"
        words = call.registers[wide:]
        if call.source or len(words) < 2 + wide or words[0] & _INT != _NOFILE or (call.compat and not wide):
            return
        sets = words[1] != 0 and call.name != "getrlimit"
        if (
            wide and call.registers[0] & _INT
        ):  # a number of the container's PID namespace: of which process is not known
            if sets:
                self._found.clear()
            return
        index = 1 + wide if sets or not wide else 3
        data = next((item.data for item in call.items.get(index, ()) if item.out is not sets), b"")
        limit = _SOFT.unpack_from(data)[0] if len(data) >= _SOFT.size else -1
        if limit < 0 and not sets:
            return
        self._found.pop(call.pid, None)
        if len(self._found) >= _LIMITS_MAX:
            del self._found[next(iter(self._found))]
        self._found[call.pid] = call.ts_ns, limit if limit < _INFINITE else -1

    def of(self, pid: int, ts_ns: int) -> int | None:
        """Returns the limit that a process had at a time, None if it is not known."""
        for _ in range(_ANCESTORS_MAX):
            process = self._processes.by_pid.get(pid)
            if process is None:
                break
            set_ns, limit = self._found.get(pid, (0, -1))
            if set_ns >= process.begun_ns:  # else it is of an earlier process of that number
                return limit if set_ns <= ts_ns and limit >= 0 else None
            pid, ts_ns = process.parent, process.begun_ns
        return None
