# SPDX-License-Identifier: Apache-2.0
"""Selects events by their time: between two times, before the trace's end, around a moment.

A call that ran within the window is shown, even if it began before or returned after it; if its entry and its return
are two lines, only those within the window are. Losses are always shown, because a lost event may be the one wanted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from traceloop_decode.model import Call, Entered, Event, Lost, Returned

_FOREVER_NS: Final = 1 << 64


def within(
    events: Iterable[Event], since_ns: int | None, until_ns: int | None, *, whole: bool = False
) -> Iterator[Event]:
    """Yields the events between two times, both included (CLOCK_BOOTTIME, or None for no limit).

    whole: calls are one event each, so an `Entered` never returned, as in the output of `select.selected` by outcome.
    """
    first_ns = -_FOREVER_NS if since_ns is None else since_ns
    last_ns = _FOREVER_NS if until_ns is None else until_ns
    for event in events:
        begun_ns, ended_ns = _span(event, whole=whole)
        if isinstance(event, Lost) or (begun_ns <= last_ns and ended_ns >= first_ns):
            yield event


class End:
    """The time of the last event so far; once all events were read, the trace's end (CLOCK_BOOTTIME)."""

    def __init__(self) -> None:
        self.ns = 0

    def noted(self, events: Iterable[Event]) -> Iterator[Event]:
        """Yields the events and notes their times."""
        for event in events:
            call = event.call if isinstance(event, Entered | Returned) else event
            ended_ns = call.end_ns if isinstance(call, Call) else None
            self.ns = max(self.ns, call.ts_ns if ended_ns is None else ended_ns)
            yield event


def before_end(events: Iterable[Event], span_ns: int, end: End, *, whole: bool = False) -> Iterator[Event]:
    """Yields the events of a trace's last `span_ns`, once all events were read.

    events: some of those that `end` notes, which also come after them. whole: as in `within`. Memory holds the events
    of that span, and those after the first call that never returned.
    """
    kept: deque[Event] = deque()
    for event in events:
        kept.append(event)
        while kept and _span(kept[0], whole=whole)[1] < end.ns - span_ns:
            early = kept.popleft()
            if isinstance(early, Lost):
                yield early
    yield from within(kept, end.ns - span_ns, None, whole=whole)


def around(events: Iterable[Event], at_ns: int, count: int) -> Iterator[Event]:
    """Yields `count` events: the half of them before a time (CLOCK_BOOTTIME), the rest after it; and all losses.

    A call belongs to the time at which it comes: that of its entry, or of its return if these are two events.
    """
    before: deque[Event] = deque(maxlen=count // 2)
    left = count - count // 2
    for event in events:
        if isinstance(event, Lost):
            yield event
        elif _comes_ns(event) < at_ns:
            before.append(event)
        elif left:
            yield from before
            before.clear()
            left -= 1
            yield event
    yield from before


def _comes_ns(event: Event) -> int:
    if isinstance(event, Returned):
        return event.call.ts_ns if event.call.end_ns is None else event.call.end_ns
    return event.call.ts_ns if isinstance(event, Entered) else event.ts_ns


def _span(event: Event, *, whole: bool) -> tuple[int, int]:
    if isinstance(event, Call):
        never_ns = _FOREVER_NS if whole else event.ts_ns
        return event.ts_ns, never_ns if event.end_ns is None else event.end_ns
    if isinstance(event, Entered):
        return event.call.ts_ns, _FOREVER_NS if whole else event.call.ts_ns
    if isinstance(event, Returned):
        call = event.call
        at_ns = call.ts_ns if call.end_ns is None else call.end_ns
        return at_ns, at_ns
    return event.ts_ns, event.ts_ns
