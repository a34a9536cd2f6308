# SPDX-License-Identifier: Apache-2.0
"""The line layout of the original demo, shared by `classic` and `short`::

    MM:SS.nnnnnnnnn cpu#C pid TID [comm] name(arg=value, ...) = result
    MM:SS.nnnnnnnnn cpu#C pid TID [comm] name(arg=value, ...)...       entry; another line comes before the return
    MM:SS.nnnnnnnnn cpu#C pid TID [comm] ...name(arg=value) = result   return, with the arguments not shown before
    MM:SS.nnnnnnnnn cpu#C pid TID [comm] --- SIGCHLD {...} ---
    MM:SS.nnnnnnnnn cpu#C pid TID [comm] /* SIGTERM {...} ignored, sent by pid 7 [kill] */
    MM:SS.nnnnnnnnn cpu#C pid TID [comm] +++ exited with 1 +++
    MM:SS.nnnnnnnnn cpu#C --- 1,234 earlier events of cpu#C were overwritten: ... ---
    MM:SS.nnnnnnnnn --- overwritten, and not among the firsts: 1,234 calls: 1,200 read, 34 close ---

With durations (-T), the line of a return ends in ``<0.000123>``, and so does a line that is added for a call that never
returned, when its thread ends or when there are no more events::

    MM:SS.nnnnnnnnn cpu#C pid TID [comm] ...name() = ? <0.000123>

Times count from the recording's start, unless -t says otherwise. The number after `pid` is the thread id, as with
``strace -f``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from traceloop_decode.forgotten import NO_CPU
from traceloop_decode.model import Call, Entered, Event, Ignored, Returned, Signal, TaskExit
from traceloop_decode.printers.core import never_returns
from traceloop_decode.safe_text import printable
from traceloop_decode.submitted import InFlight
from traceloop_decode.text.notes import exit_note, lost_note, whole_signal_note
from traceloop_decode.text.times import NO_STAMPS, Clock, Stamps, clock, duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from traceloop_decode.snapshot import Snapshot

NO_RETURN: Final = "..."
_CACHE_MAX: Final = 2048

CallText = Callable[[Call, frozenset[int] | None], str]
"""Formats ``name(arg=value, ...) = result``, with all arguments or those of these indices; differs by format."""


def lines(
    events: Iterable[Event],
    snapshot: Snapshot,
    call_text: CallText,
    constants: str = "abbrev",
    stamps: Stamps = NO_STAMPS,
) -> Iterator[str]:
    """Yields one line per event, and with durations one more per call that never returned.

    constants: how -X shows constants in signals.
    """
    at = stamps.clock or _since(snapshot.started_ns)
    timed = _Timed(at, stamps.duration_digits) if stamps.duration_digits is not None else None
    unread: dict[int, frozenset[int]] = {}  # thread in a call -> its arguments that faulted at entry
    for event in events:
        if isinstance(event, Call):
            took = timed.returned(event) if timed else ""
            yield f"{at(event.ts_ns)}{_where(event.cpu, event.tid, event.comm)}{call_text(event, None)}{took}"
        elif isinstance(event, Entered):
            unread[event.call.key] = _faults(event.call)
            if timed:
                timed.open.put(event.call)
            yield _prefix(event.call, at) + call_text(event.call, None)
        elif isinstance(event, Returned):
            call = event.call
            news = _news(call, unread.pop(call.key, frozenset()))
            took = timed.returned(call) if timed else ""
            yield _return_prefix(call, at) + NO_RETURN + call_text(call, news) + took
        elif isinstance(event, Signal | Ignored):
            yield _prefix(event, at) + whole_signal_note(event, constants, snapshot.arch)
        elif isinstance(event, TaskExit):
            unread.pop(event.tid, None)
            if timed:
                yield from timed.ended(event)
            yield _prefix(event, at) + exit_note(event)
        else:
            cpu = f"cpu#{event.cpu} " if event.cpu != NO_CPU else ""
            yield f"{at(event.ts_ns)}{cpu}{lost_note(event)}"
    if timed and stamps.open_until_ns is not None:
        yield from timed.rest(stamps.open_until_ns)


class _Timed:
    """The durations of calls, and the lines of those that never return. open: the calls that have not returned yet."""

    def __init__(self, at: Clock, digits: int) -> None:
        self.open = InFlight()
        self._at, self._digits = at, digits

    def returned(self, call: Call) -> str:
        """Returns what comes after a call, which has returned if it has an end; else its line comes later."""
        if call.end_ns is None and not never_returns(call):
            self.open.put(call)
            return ""
        self.open.drop(call)
        if call.end_ns is None or call.entry_lost or call.by_seccomp or never_returns(call):
            return ""
        return f" {duration(call.end_ns - call.ts_ns, self._digits)}"

    def ended(self, end: TaskExit) -> Iterator[str]:
        """Yields the lines of the calls that a thread's end leaves unfinished."""
        return (self._line(call, end.ts_ns) for call in self.open.end(end))

    def rest(self, until_ns: int) -> Iterator[str]:
        """Yields the lines of all calls that have not returned."""
        return (self._line(call, max(until_ns, call.ts_ns)) for call in self.open)

    def _line(self, call: Call, until_ns: int) -> str:
        took = duration(until_ns - call.ts_ns, self._digits)
        return f"{self._at(until_ns)}{_where(call.cpu, call.tid, call.comm)}{NO_RETURN}{call.title}() = ? {took}"


def _since(zero_ns: int) -> Clock:
    return lambda ts_ns: f"{clock(ts_ns - zero_ns)} "


def _prefix(event: Call | Signal | Ignored | TaskExit, at: Clock) -> str:
    return f"{at(event.ts_ns)}{_where(event.cpu, event.tid, event.comm)}"


def _return_prefix(call: Call, at: Clock) -> str:
    ts_ns = call.ts_ns if call.end_ns is None else call.end_ns
    cpu = call.cpu if call.end_cpu is None else call.end_cpu
    comm = call.comm if call.end_comm is None else call.end_comm
    return f"{at(ts_ns)}{_where(cpu, call.tid, comm)}"


@lru_cache(maxsize=_CACHE_MAX)
def _where(cpu: int, tid: int, comm: str) -> str:
    return f"cpu#{cpu} pid {tid} [{printable(comm)}] "


def _faults(call: Call) -> frozenset[int]:
    return frozenset(n for n, items in call.items.items() if any(item.fault for item in items))


def _news(call: Call, unread: frozenset[int]) -> frozenset[int]:
    # Output arguments, arguments that faulted at entry and were read at exit, and all of a call whose entry was lost.
    if call.entry_lost:
        return frozenset(range(len(call.registers)))
    return frozenset(
        n for n, items in call.items.items() if any(item.out or (n in unread and not item.fault) for item in items)
    )
