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

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from traceloop_decode.model import Call, Entered, Event, Returned, Signal, TaskExit
from traceloop_decode.safe_text import printable
from traceloop_decode.text.notes import exit_note, lost_note, signal_note
from traceloop_decode.text.times import clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from traceloop_decode.snapshot import Snapshot

NO_RETURN: Final = "..."
_CACHE_MAX: Final = 2048

CallText = Callable[[Call, frozenset[int] | None], str]
"""What the formats differ in: ``name(arg=value, ...) = result``, with all arguments or those of these indices."""


def lines(events: Iterable[Event], snapshot: Snapshot, call_text: CallText, constants: str = "abbrev") -> Iterator[str]:
    """One line an event. constants: of signals, as -X says."""
    zero_ns = snapshot.started_ns
    unread: dict[int, frozenset[int]] = {}  # thread in a call -> its arguments that could not be read at entry
    for event in events:
        if isinstance(event, Call):
            yield f"{clock(event.ts_ns - zero_ns)} {_where(event.cpu, event.tid, event.comm)}{call_text(event, None)}"
        elif isinstance(event, Entered):
            unread[event.call.tid] = _faults(event.call)
            yield _prefix(event.call, zero_ns) + call_text(event.call, None)
        elif isinstance(event, Returned):
            call = event.call
            news = _news(call, unread.pop(call.tid, frozenset()))
            yield _return_prefix(call, zero_ns) + NO_RETURN + call_text(call, news)
        elif isinstance(event, Signal):
            yield _prefix(event, zero_ns) + signal_note(event, constants, snapshot.arch) + _sender(event)
        elif isinstance(event, TaskExit):
            unread.pop(event.tid, None)
            yield _prefix(event, zero_ns) + exit_note(event)
        else:
            yield f"{clock(event.ts_ns - zero_ns)} cpu#{event.cpu} {lost_note(event)}"


def _prefix(event: Call | Signal | TaskExit, zero_ns: int) -> str:
    return f"{clock(event.ts_ns - zero_ns)} {_where(event.cpu, event.tid, event.comm)}"


def _return_prefix(call: Call, zero_ns: int) -> str:
    ts_ns = call.ts_ns if call.end_ns is None else call.end_ns
    cpu = call.cpu if call.end_cpu is None else call.end_cpu
    comm = call.comm if call.end_comm is None else call.end_comm
    return f"{clock(ts_ns - zero_ns)} {_where(cpu, call.tid, comm)}"


def _sender(signal: Signal) -> str:
    # Also where si_pid is 0, as that process is in no namespace of the container's.
    sender = signal.sender
    return f" sent by pid {sender.pid} [{printable(sender.comm)}]" if sender is not None else ""


@lru_cache(maxsize=_CACHE_MAX)
def _where(cpu: int, tid: int, comm: str) -> str:
    return f"cpu#{cpu} pid {tid} [{printable(comm)}] "


def _faults(call: Call) -> frozenset[int]:
    return frozenset(n for n, items in call.items.items() if any(item.fault for item in items))


def _news(call: Call, unread: frozenset[int]) -> frozenset[int]:
    # What a call gave out, what could be read at its second try, and all of a call whose beginning was not seen.
    if call.entry_lost:
        return frozenset(range(len(call.registers)))
    return frozenset(
        n for n, items in call.items.items() if any(item.out or (n in unread and not item.fault) for item in items)
    )
