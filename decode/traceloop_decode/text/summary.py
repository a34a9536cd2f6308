# SPDX-License-Identifier: Apache-2.0
"""Counts of calls in the layout of ``strace -c -w``: the time of each call runs from its entry to its return.

Where the events are not all that happened, the table has the calls and errors of the container's whole life, as far as
they were counted, and the times of the events. A line before the table says so. Requests of io_uring are not counted
for the whole life: those of the events are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from traceloop_decode.errnos import is_error
from traceloop_decode.life import Life
from traceloop_decode.model import Call, Entered, Event, Lost, Returned, event_source
from traceloop_decode.multiplexed_calls import kernel_number
from traceloop_decode.totals import Total

_RULE: Final = "------ ----------- ----------- --------- --------- ----------------"


@dataclass(slots=True)
class _Count:
    calls: int = 0
    errors: int = 0
    total_ns: int = 0
    timed: int = 0  # calls that the time is of


class Summary:
    """Counts calls; memory grows with the names of calls and the calls in flight."""

    def __init__(self, life: Life | None = None) -> None:
        """life: the counts of the whole life, which are shown if an event is missing."""
        self._life, self._lost, self._has_requests = life, False, False
        self._counts: dict[str, _Count] = {}
        self._within: dict[str, str] = {}  # a call by socketcall or ipc -> these
        self._open: dict[int, str] = {}

    def observe(self, event: Event) -> Event:
        """Counts an event and returns it."""
        if isinstance(event, Lost):
            self._lost = True
        elif self._life is not None and event_source(event):
            pass  # the life's counts have it, and what is new takes longer than what follows
        elif isinstance(event, Entered):
            self._has_requests = self._has_requests or event.call.request is not None
            self._count(event.call.title).calls += 1
            self._open[event.call.key] = event.call.title
        elif isinstance(event, Call | Returned):
            call = event if isinstance(event, Call) else event.call
            self._has_requests = self._has_requests or call.request is not None
            if call.compat and kernel_number(call.number) != call.number:
                self._within[call.title] = call.abi.call_name(kernel_number(call.number))
            count = self._count(call.title)
            if isinstance(event, Call) or self._open.pop(call.key, None) is None:
                count.calls += 1
            count.errors += call.by_seccomp if call.result is None else is_error(call.result)
            if call.end_ns is not None and call.result is not None and not call.entry_lost:
                count.total_ns += call.duration_ns or 0
        return event

    def _count(self, name: str) -> _Count:
        return self._counts.setdefault(name, _Count())

    def lines(self) -> Iterator[str]:
        """Yields the table, largest time first. Calls that have not returned are counted without a time."""
        counts = self._counts
        for count in counts.values():
            count.timed = count.calls
        if self._life is not None and self._lost:
            timed = sum(count.calls for count in counts.values())
            counts = self._of_life(self._life.counts)
            of_ring = f"times{', and requests of io_uring' if self._has_requests else ''}"
            yield f"--- calls and errors: of the whole life; {of_ring}: of the {timed:,} calls that the ring holds ---"
        yield f"{'% time':>6} {'seconds':>11} {'usecs/call':>11} {'calls':>9} {'errors':>9} syscall"
        yield _RULE
        names = ("calls", "errors", "total_ns", "timed")
        total = _Count(*(sum(getattr(count, name) for count in counts.values()) for name in names))
        for name, count in sorted(counts.items(), key=lambda entry: (-entry[1].total_ns, entry[0])):
            yield _row(name, count, total.total_ns)
        yield _RULE
        yield _row("total", total, total.total_ns)

    def lines_of(self, events: Iterable[Event]) -> Iterator[str]:
        """Yields the table of these events, which replaces their lines (-c)."""
        for event in events:
            self.observe(event)
        return self.lines()

    def _of_life(self, life: Mapping[str, Total]) -> dict[str, _Count]:
        # Requests of io_uring are not among the life's counts, and keep their own.
        counts = {name: _Count(total.calls, total.failed) for name, total in life.items()}
        for name, count in self._counts.items():
            its = counts.setdefault(self._within.get(name, name), _Count())
            if its.calls == 0:
                its.calls, its.errors = count.calls, count.errors
            its.total_ns += count.total_ns
            its.timed += count.timed
        return counts


def lines(events: Iterable[Event]) -> Iterator[str]:
    """Yields the table of these events, which replaces their lines (-c)."""
    return Summary().lines_of(events)


def _row(name: str, count: _Count, total_ns: int) -> str:
    share = 100 * count.total_ns / total_ns if total_ns else 0
    per_call_us = count.total_ns // 1000 // count.timed if count.timed else 0
    seconds = count.total_ns / 1e9
    return f"{share:6.2f} {seconds:11.6f} {per_call_us:11} {count.calls:9} {count.errors or '':>9} {name}"
