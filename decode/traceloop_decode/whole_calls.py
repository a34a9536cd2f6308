# SPDX-License-Identifier: Apache-2.0
"""Joins the two halves of calls, for readers that want each call as one event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from traceloop_decode.model import Call, Entered, Event, Ignored, Lost, Returned, Signal, TaskExit
from traceloop_decode.submitted import InFlight

Whole = Call | Signal | Ignored | TaskExit | Lost
"""An event whose call, if it is one, is complete, or never returned."""


def whole(events: Iterable[Event]) -> Iterator[Whole]:
    """Yields each call when it returns; one that never returned when its thread ends, or last.

    Memory grows with the calls in flight.
    """
    pending = InFlight()
    for event in events:
        if isinstance(event, Entered):
            older = pending.put(event.call)
            if older is not None:
                yield older
            continue
        if isinstance(event, Returned):
            if not event.call.entry_lost:
                pending.drop(event.call)
            yield event.call
            continue
        if isinstance(event, TaskExit):
            yield from pending.end(event)
        yield event
    yield from pending
