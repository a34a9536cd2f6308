# SPDX-License-Identifier: Apache-2.0
"""Decides what a reading of /proc says for certain, as the processes went on while it was read.

Theory of operation. A descriptor was read at some time between the begin and the end of the reading. What it stood for
then still counts at the end, unless a call closed or replaced it in between: close, dup2 and dup3 tell which one;
execve, close_range and the like may concern any. Descriptors that were made meanwhile were read as they are, or not at
all. Calls that neither close nor change directories disturb nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from traceloop_decode.model import Call, Entered, Event, Lost, Returned
from traceloop_decode.open_files import OpenFiles
from traceloop_decode.syscalls import EXECS

_INT: Final = 0xFFFFFFFF
_CLOSES: Final = {"close": 0, "dup2": 1, "dup3": 1}
"""Call -> the argument with the descriptor that it closes."""
_CLOSES_ANY: Final = EXECS | {"close_range", "unshare", "setns", "io_uring_setup"}
_MOVES_ALONE: Final = frozenset(("chdir", "fchdir", "chroot", "pivot_root"))
_MOVES: Final = _MOVES_ALONE | {"setns", "unshare"}


class Reads:
    """The readings of /proc that belong to a trace, and what the kernel side told of a moment, by their ends."""

    __slots__ = ("_begun", "_from_ns", "_left", "_noted")

    def __init__(self, first: OpenFiles | None) -> None:
        self._left = deque(sorted((first, *first.later), key=_until) if first is not None else ())
        self._from_ns = self._begins()
        self._begun: dict[int, Call] = {}  # calls that disturb, by key
        self._noted: list[Call] = []  # those during any of the next readings, one of which may lie within another

    def __bool__(self) -> bool:
        return bool(self._left)

    def until(self, event: Event) -> Iterator[Reading]:
        """Yields the readings that had ended before an event, and looks at the event."""
        now_ns = event.call.end_ns or event.call.ts_ns if isinstance(event, Entered | Returned) else event.ts_ns
        while self._left and now_ns > self._left[0].until_ns and not isinstance(event, Lost):
            read = self._left.popleft()
            self._from_ns = self._begins()
            yield Reading(read, [call for call in (*self._noted, *self._begun.values()) if _overlaps(call, read)])
        if self._noted:
            self._noted = [call for call in self._noted if self._overlaps_any(call)]
        call = event if isinstance(event, Call) else event.call if isinstance(event, Entered | Returned) else None
        if call is None or not _disturbs(call):
            return
        if isinstance(event, Entered):
            self._begun[call.key] = call
            return
        self._begun.pop(call.key, None)
        if self._overlaps_any(call):
            self._noted.append(call)

    def _overlaps_any(self, call: Call) -> bool:
        if call.end_ns is not None and call.end_ns < self._from_ns:
            return False  # at once: there may be many readings, each of them late in the trace
        return any(_overlaps(call, read) for read in self._left)

    def _begins(self) -> int:
        return min((read.from_ns for read in self._left), default=0)

    def lose(self, lost: Lost) -> None:
        """Drops the readings that began before something was lost."""
        self._left = deque(read for read in self._left if read.from_ns > lost.ts_ns)
        self._from_ns = self._begins()
        self._begun.clear()
        self._noted.clear()


class Reading:
    """A reading that has ended. processes: those of which something is certain. calls: what disturbed it."""

    __slots__ = ("_closed", "_moved", "processes")

    def __init__(self, read: OpenFiles, calls: Iterable[Call]) -> None:
        self._closed: dict[int, set[int]] = {}  # by process
        self._moved: set[int] = set()
        disturbed = set[int]()
        for call in calls:
            at = _CLOSES.get(call.name)
            if call.name in _MOVES:
                self._moved.add(call.pid)
            if at is not None and at < len(call.registers):
                self._closed.setdefault(call.pid, set()).add(call.registers[at] & _INT)
            elif call.name not in _MOVES_ALONE:
                disturbed.add(call.pid)
        self.processes = {pid: process for pid, process in read.processes.items() if pid not in disturbed}

    def is_stale(self, pid: int, fd: int) -> bool:
        """Tells whether a descriptor may have been closed while /proc was read."""
        return fd in self._closed.get(pid, ())

    def moved(self, pid: int) -> bool:
        """Tells whether a process may have changed its directories while /proc was read."""
        return pid in self._moved


def _disturbs(call: Call) -> bool:
    return (
        call.name in _CLOSES
        or call.name in _CLOSES_ANY
        or call.name in _MOVES
        or (call.entry_lost and not call.registers)
    )


def _overlaps(call: Call, read: OpenFiles) -> bool:
    return call.ts_ns <= read.until_ns and (call.end_ns is None or call.end_ns >= read.from_ns)


def _until(read: OpenFiles) -> int:
    return read.until_ns
