# SPDX-License-Identifier: Apache-2.0
"""Picks events by their time.

A call that ran within the window is shown, also if it began before or returned behind it; where its beginning and its
return are two lines, those that are within. What is lost is always shown: it may be what is looked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from traceloop_decode.model import Call, Entered, Event, Lost, Returned

_FOREVER_NS: Final = 1 << 64


def within(
    events: Iterable[Event], since_ns: int | None, until_ns: int | None, *, whole: bool = False
) -> Iterator[Event]:
    """The events from the one time to the other, both included (CLOCK_BOOTTIME, or None: from the start, to the end).

    whole: calls are one event each, so that an `Entered` never returned, as `select.selected` has them by outcome.
    """
    first_ns = -_FOREVER_NS if since_ns is None else since_ns
    last_ns = _FOREVER_NS if until_ns is None else until_ns
    for event in events:
        begun_ns, ended_ns = _span(event, whole=whole)
        if isinstance(event, Lost) or (begun_ns <= last_ns and ended_ns >= first_ns):
            yield event


def _span(event: Event, *, whole: bool) -> tuple[int, int]:
    if isinstance(event, Call):
        return event.ts_ns, event.ts_ns if event.end_ns is None else event.end_ns
    if isinstance(event, Entered):
        return event.call.ts_ns, _FOREVER_NS if whole else event.call.ts_ns
    if isinstance(event, Returned):
        call = event.call
        at_ns = call.ts_ns if call.end_ns is None else call.end_ns
        return at_ns, at_ns
    return event.ts_ns, event.ts_ns
