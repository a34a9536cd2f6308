# SPDX-License-Identifier: Apache-2.0
"""The layout of the original demo's lines, which `classic` and `short` share::

    MM:SS.nnnnnnnnn cpu#C pid TID [comm] name(arg=value, ...) = result
    MM:SS.nnnnnnnnn cpu#C pid TID [comm] name(arg=value, ...)...       entered; something comes before its return
    MM:SS.nnnnnnnnn cpu#C pid TID [comm] ...name(arg=value) = result   returned; with what it had not shown yet
    MM:SS.nnnnnnnnn cpu#C pid TID [comm] --- SIGCHLD {...} ---
    MM:SS.nnnnnnnnn cpu#C pid TID [comm] +++ exited with 1 +++
    MM:SS.nnnnnnnnn cpu#C --- 1,234 earlier events of cpu#C were overwritten: ... ---

Times count from the recording's start. The number behind `pid` is the thread's, as with ``strace -f``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from traceloop_decode.model import Call, Entered, Event, Returned, Signal, TaskExit
from traceloop_decode.text.contents import contents
from traceloop_decode.text.notes import exit_note, lost_note, signal_note
from traceloop_decode.text.values import clock, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from traceloop_decode.snapshot import Snapshot

NO_RETURN: Final = "..."


@dataclass(frozen=True, slots=True)
class Style:
    """How one format writes what differs: the value behind ``arg=``, the result, and the end of a call without one."""

    argument: Callable[[Call, int], str]
    result: Callable[[Call, int], str]
    pending: Callable[[Call], str]


def lines(events: Iterable[Event], snapshot: Snapshot, style: Style) -> Iterator[str]:
    """One line an event."""
    zero_ns = snapshot.started_ns
    unread: dict[int, frozenset[int]] = {}  # thread in a call -> its arguments that could not be read at entry
    for event in events:
        if isinstance(event, Call):
            yield _prefix(event, zero_ns) + _call(event, style)
        elif isinstance(event, Entered):
            unread[event.call.tid] = _faults(event.call)
            yield _prefix(event.call, zero_ns) + _call(event.call, style)
        elif isinstance(event, Returned):
            call = event.call
            news = _news(call, unread.pop(call.tid, frozenset()))
            yield _return_prefix(call, zero_ns) + NO_RETURN + _call(call, style, news)
        elif isinstance(event, Signal):
            yield _prefix(event, zero_ns) + signal_note(event)
        elif isinstance(event, TaskExit):
            unread.pop(event.tid, None)
            yield _prefix(event, zero_ns) + exit_note(event)
        else:
            yield f"{clock(event.ts_ns - zero_ns)} cpu#{event.cpu} {lost_note(event)}"


def _prefix(event: Call | Signal | TaskExit, zero_ns: int) -> str:
    return f"{clock(event.ts_ns - zero_ns)} cpu#{event.cpu} pid {event.tid} [{printable(event.comm)}] "


def _return_prefix(call: Call, zero_ns: int) -> str:
    ts_ns = call.ts_ns if call.end_ns is None else call.end_ns
    cpu = call.cpu if call.end_cpu is None else call.end_cpu
    comm = call.comm if call.end_comm is None else call.end_comm
    return f"{clock(ts_ns - zero_ns)} cpu#{cpu} pid {call.tid} [{printable(comm)}] "


def _call(call: Call, style: Style, shown: Iterable[int] | None = None) -> str:
    indices = range(len(call.args)) if shown is None else shown
    args = ", ".join(f"{call.args[n].name}={style.argument(call, n)}" for n in indices)
    end = style.pending(call) if call.result is None else f" = {style.result(call, call.result)}"
    return f"{call.name}({args}){end}"


def _faults(call: Call) -> frozenset[int]:
    return frozenset(n for n, arg in enumerate(call.args) if any(item.fault for item in arg.items))


def _news(call: Call, unread: frozenset[int]) -> list[int]:
    # What a call gave out, what could be read at its second try, and all of a call whose beginning was not seen.
    return [
        n
        for n, arg in enumerate(call.args)
        if call.entry_lost
        or (contents(call, n).readable and any(item.out or (n in unread and not item.fault) for item in arg.items))
    ]
