# SPDX-License-Identifier: Apache-2.0
"""Calls counted, in the layout of ``strace -c -w``: the time that each took, from its beginning to its return."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from traceloop_decode.model import Call, Entered, Event, Returned

_ERROR_MAX: Final = 4095
_RULE: Final = "------ ----------- ----------- --------- --------- ----------------"


@dataclass(slots=True)
class _Count:
    calls: int = 0
    errors: int = 0
    total_ns: int = 0


class Summary:
    """Counts what passes; memory holds the names of calls, and the calls in flight."""

    def __init__(self) -> None:
        self._counts: dict[str, _Count] = {}
        self._open: dict[int, str] = {}

    def observe(self, event: Event) -> Event:
        """Counts an event, and gives it back."""
        if isinstance(event, Entered):
            self._count(event.call.name).calls += 1
            self._open[event.call.tid] = event.call.name
        elif isinstance(event, Call | Returned):
            call = event if isinstance(event, Call) else event.call
            count = self._count(call.name)
            if isinstance(event, Call) or self._open.pop(call.tid, None) is None:
                count.calls += 1
            count.errors += call.result is not None and -_ERROR_MAX <= call.result < 0
            if call.end_ns is not None and not call.entry_lost:
                count.total_ns += call.end_ns - call.ts_ns
        return event

    def _count(self, name: str) -> _Count:
        return self._counts.setdefault(name, _Count())

    def lines(self) -> Iterator[str]:
        """The table, largest time first. Calls that have not returned are counted without a time."""
        counts = self._counts
        yield f"{'% time':>6} {'seconds':>11} {'usecs/call':>11} {'calls':>9} {'errors':>9} syscall"
        yield _RULE
        total = _Count(
            *(sum(getattr(count, name) for count in counts.values()) for name in ("calls", "errors", "total_ns"))
        )
        for name, count in sorted(counts.items(), key=lambda entry: (-entry[1].total_ns, entry[0])):
            yield _row(name, count, total.total_ns)
        yield _RULE
        yield _row("total", total, total.total_ns)


def lines(events: Iterable[Event]) -> Iterator[str]:
    """The table of these events, instead of their lines (-c)."""
    summary = Summary()
    for event in events:
        summary.observe(event)
    return summary.lines()


def _row(name: str, count: _Count, total_ns: int) -> str:
    share = 100 * count.total_ns / total_ns if total_ns else 0
    per_call_us = count.total_ns // 1000 // count.calls if count.calls else 0
    seconds = count.total_ns / 1e9
    return f"{share:6.2f} {seconds:11.6f} {per_call_us:11} {count.calls:9} {count.errors or '':>9} {name}"
