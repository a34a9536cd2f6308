# SPDX-License-Identifier: Apache-2.0
"""Keeps which thread waited for which other one, by futexes: for a lock that it freed, or for its end."""

from __future__ import annotations

from collections import deque
from typing import Final

from traceloop_decode.causes.processes import Process
from traceloop_decode.model import Call, TaskExit
from traceloop_decode.spans import SECOND_NS

_ADDRESS, _OP = 0, 1
_ENDS_ALL: Final = "exit_group"
_COMMAND: Final = 0x7F  # without FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME of linux/futex.h
_WAITS, _WAKES = (0, 9), (1, 10)
_MS_NS: Final = SECOND_NS // 1000
_WAIT_MIN_NS: Final = 20 * _MS_NS  # threads that share an interpreter's lock wake each other more often
_THREADS_MAX: Final = 4096
_OF_ONE_MAX: Final = 64


class Threads:
    """The waits of threads for each other."""

    def __init__(self) -> None:
        self._wakers: dict[tuple[int, int], int] = {}
        self._waits: dict[int, deque[tuple[int, int, int]]] = {}  # thread -> begin, end, waker or 0
        self._ends: dict[int, deque[tuple[int, int]]] = {}  # process -> time, thread

    def wakes(self, call: Call) -> None:
        """Observes a futex call that begins."""
        if len(call.registers) > _OP and call.registers[_OP] & _COMMAND in _WAKES:
            if len(self._wakers) >= _THREADS_MAX:
                del self._wakers[next(iter(self._wakers))]
            self._wakers[call.pid, call.registers[_ADDRESS]] = call.tid

    def waited(self, call: Call) -> None:
        """Observes a futex call that succeeded."""
        if len(call.registers) <= _OP or call.registers[_OP] & _COMMAND not in _WAITS:
            return
        end_ns = call.end_ns or call.ts_ns
        if end_ns - call.ts_ns < _WAIT_MIN_NS:
            return
        if call.tid not in self._waits and len(self._waits) >= _THREADS_MAX:
            del self._waits[next(iter(self._waits))]
        waker = self._wakers.get((call.pid, call.registers[_ADDRESS]), 0)
        self._waits.setdefault(call.tid, deque(maxlen=_OF_ONE_MAX)).append((call.ts_ns, end_ns, waker))

    def ended(self, end: TaskExit) -> None:
        """Observes a thread's end."""
        if end.pid not in self._ends and len(self._ends) >= _THREADS_MAX:
            del self._ends[next(iter(self._ends))]
        self._ends.setdefault(end.pid, deque(maxlen=_OF_ONE_MAX)).append((end.ts_ns, end.tid))

    def of_the_end(self, process: Process) -> frozenset[int]:
        """Returns the thread that ended a process by exit_group(2), and those that it waited for; empty if not known.

        The kernel wakes those who wait for a thread's end just before it records that.
        """
        if process.exits is None or process.exits.name != _ENDS_ALL:
            return frozenset()
        found = {process.exits.tid}
        ends = self._ends.get(process.pid, ())
        for begin_ns, end_ns, waker in self._waits.get(process.exits.tid, ()):
            found.add(waker)
            if not waker:
                found |= {tid for ts_ns, tid in ends if begin_ns <= ts_ns <= end_ns + _MS_NS}
        return frozenset(found)
