# SPDX-License-Identifier: Apache-2.0
"""Calls that took longest, and what ended each (``traceloopctl slow``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nlargest
from typing import Final

from traceloop_decode.errnos import is_error
from traceloop_decode.model import Call, Entered, Event, Returned, Signal, TaskExit
from traceloop_decode.printers.core import never_returns, printer_of, view_of
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text.short import call_text
from traceloop_decode.values.options import Options
from traceloop_decode.values.siginfo import signal_name
from traceloop_decode.views.moved import lasted_ns
from traceloop_decode.views.table import Column, Table, Unit
from traceloop_decode.wait_status import wait_status

_COLUMNS: Final = (
    Column("since_start_ns", "TIME", Unit.SINCE_START),
    Column("duration_ns", "DURATION", Unit.SPAN),
    Column("pid", "PID", Unit.NUMBER),
    Column("tid", "TID", Unit.NUMBER),
    Column("comm", "NAME"),
    Column("ended_by", "ENDED BY"),
    Column("call", "CALL"),
)
MOST: Final = 20
"""Number of calls that are listed, unless another number is asked for."""
_INTERRUPTED: Final = frozenset((-4, *range(-516, -511)))  # EINTR, ERESTARTSYS ... ERESTART_RESTARTBLOCK
_SPARE: Final = 1000  # calls that are kept before the shortest are removed
_OPTIONS: Final = Options(string_max=32, dns=True, ends=True)


@dataclass(slots=True)
class _Wait:
    call: Call
    lasted_ns: int
    ended_by: str


def slow(events: Iterable[Event], snapshot: Snapshot, most: int = MOST) -> Table:
    """Returns the `most` calls that lasted longest, longest first. events: whole calls, in the order of their return.

    A call that never returned lasted until its thread's end or, if that did not come, until the trace's.
    """
    waits = _Waits(most, snapshot.started_ns)
    for event in events:
        waits.observe(event)
    text = call_text(_OPTIONS)
    rows = []
    for wait in waits.longest():
        call = wait.call
        head = call.ts_ns - snapshot.started_ns, wait.lasted_ns, call.pid, call.tid, call.comm
        rows.append((*head, wait.ended_by, text(call, None)))
    return Table(_COLUMNS, tuple(rows))


class _Waits:
    """The longest calls so far, and those whose end later events tell more about."""

    def __init__(self, most: int, started_ns: int) -> None:
        self._most, self._last_ns = most, started_ns
        self._waits: list[_Wait] = []
        self._interrupted: dict[int, _Wait] = {}  # thread -> its last call, if a signal may have interrupted it
        self._left: dict[int, list[_Wait]] = {}  # thread -> its calls that its end leaves unfinished
        self._unreturned: list[Call] = []

    def observe(self, event: Event) -> None:
        """Notes an event."""
        if isinstance(event, Entered):
            self._unreturned.append(event.call)
            return
        call = event.call if isinstance(event, Returned) else event
        ended_ns = call.end_ns if isinstance(call, Call) else None
        self._last_ns = max(self._last_ns, ended_ns or call.ts_ns)
        if isinstance(call, Call):
            self._call(call)
        elif isinstance(call, Signal) and (wait := self._interrupted.pop(call.tid, None)):
            wait.ended_by = f"{signal_name(call.number)}, {wait.ended_by}"
        elif isinstance(call, TaskExit):
            for left in self._left.pop(call.tid, ()):
                left.ended_by = _end(call)

    def _call(self, call: Call) -> None:
        self._interrupted.pop(call.tid, None)
        spent_ns = lasted_ns(call)
        if spent_ns is None or never_returns(call):
            return
        wait = _Wait(call, spent_ns, _result(call))
        self._waits.append(wait)
        if call.result is None or call.unlearnt:
            self._left.setdefault(call.tid, []).append(wait)
        elif call.result in _INTERRUPTED:
            self._interrupted[call.tid] = wait
        if len(self._waits) >= 2 * self._most + _SPARE:
            self._waits = _longest(self._waits, self._most)

    def longest(self) -> list[_Wait]:
        """Returns the longest calls, once all events were noted."""
        last_ns = self._last_ns
        still = [_Wait(call, max(0, last_ns - call.ts_ns), "nothing yet") for call in self._unreturned]
        return _longest([*self._waits, *still], self._most)


def _longest(waits: list[_Wait], most: int) -> list[_Wait]:
    return nlargest(most, waits, key=lambda wait: wait.lasted_ns)


def _result(call: Call) -> str:
    if call.result is None or call.unlearnt:
        return "its thread's end"
    result = printer_of(call).result(view_of(call, _OPTIONS))
    return result.partition(" (")[0] if is_error(call.result) else f"= {result}"


def _end(end: TaskExit) -> str:
    code, signal, _ = wait_status(end.code)
    return f"exit {code} of its process" if signal is None else signal_name(signal)
