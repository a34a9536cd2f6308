# SPDX-License-Identifier: Apache-2.0
"""Follows a live ring by its snapshots: of each, the events that are new since the one before.

Theory of operation. Snapshots of one ring overlap, and each is decoded whole, so that every event is seen with what
preceded it. An event comes with the record that completed it: a call with its return, an entry with itself. A CPU
writes its records in the order of time. So what was shown is one time per CPU, and an event is new if its record is
later::

    time of the record                  the event
    up to the CPU's last one shown      was shown
    up to the hold                      new: shown now, in the order of time across CPUs
    after the hold                      waits for the next snapshot

The hold is a little before the snapshot: another CPU may be about to write a record of the same time. A record that is
written even later is shown all the same, only out of order.

A call that was shown as an entry is shown as its return, though it is one event in a later snapshot. Every snapshot
counts what the ring lost since it began; what was lost without having been shown is counted anew here.

Where calls are selected by their outcome, each is one event, when it returns, and an entry alone stands for a call that
has not returned: such calls come last, from the last snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from traceloop_decode.model import Call, Entered, Event, Lost, Returned, TaskExit
from traceloop_decode.ring_reader import NO_EVENTS, RingReader
from traceloop_decode.snapshot import Snapshot

HOLD_NS: Final = 100_000_000
"""Time before a snapshot whose events wait for the next one."""
_FOREVER: Final = 1 << 64
_OVERWRITTEN: Final = "overwritten"
_DROPPED: Final = "dropped"


class Follower:
    """Yields the new events of each snapshot of one ring, in the order in which the snapshots were taken.

    whole: the events are those that `select.selected` yields by outcome.
    """

    def __init__(self, *, whole: bool = False) -> None:
        self._whole = whole
        self._shown_ns: dict[int, int] = {}  # CPU -> the time of its last record that was shown
        self._entered: dict[int, set[int]] = {}  # thread -> the times of entries that were shown without a return
        self._dropped: dict[int, int] = {}  # CPU -> how many of its events were told to be dropped
        self._before: Snapshot | None = None

    def new(self, found: Iterable[Event], snapshot: Snapshot, *, last: bool = False) -> Iterator[Event]:
        """Yields the new ones of a snapshot's events. last: none waits for another snapshot.

        found: all events of the snapshot, or a selection of them.
        """
        hold_ns = _FOREVER if last else snapshot.taken_ns - HOLD_NS
        now_ns = dict(self._shown_ns)
        for event in found:
            cpu, at_ns = _completed(event)
            if isinstance(event, Lost) and event.reason in (_OVERWRITTEN, _DROPPED):
                yield from self._lost(event, snapshot.started_ns)
            elif self._whole and isinstance(event, Entered):
                if last:
                    yield event
            elif self._shown_ns.get(cpu, -1) < at_ns <= hold_ns:
                now_ns[cpu] = max(now_ns.get(cpu, -1), at_ns)
                yield self._as_shown(event)
        self._shown_ns, self._before = now_ns, snapshot

    def _as_shown(self, event: Event) -> Event:
        if isinstance(event, Entered):
            self._entered.setdefault(event.call.tid, set()).add(event.call.ts_ns)
        elif isinstance(event, Call | Returned):
            call = event if isinstance(event, Call) else event.call
            entered = self._entered.get(call.tid, ())
            if call.ts_ns in entered:
                self._entered[call.tid].discard(call.ts_ns)
                return Returned(call)
        elif isinstance(event, TaskExit):
            self._entered.pop(event.tid, None)
        return event

    def _lost(self, lost: Lost, started_ns: int) -> Iterator[Lost]:
        # Of a count since the ring began: what was neither shown nor told. Its time is that of the CPU's first record
        # that is present; without any, that of the start.
        if lost.reason == _DROPPED:
            told = self._dropped.get(lost.cpu, 0)
            self._dropped[lost.cpu] = lost.events
            records, events = lost.records - told, lost.events - told
        elif self._before is None:
            records, events = lost.records, lost.events
        elif started_ns < lost.ts_ns <= self._shown_ns.get(lost.cpu, -1):
            return
        else:
            seen_records, seen_events = _written(self._before, lost.cpu, self._shown_ns.get(lost.cpu, -1))
            records, events = lost.records - seen_records, max(0, lost.events - seen_events)
        if records > 0:
            yield lost._replace(records=records, events=events)


def _completed(event: Event) -> tuple[int, int]:
    # The CPU and the time of the record that completed an event.
    if isinstance(event, Entered):
        return event.call.cpu, event.call.ts_ns
    call = event.call if isinstance(event, Returned) else event
    if isinstance(call, Call):
        return call.cpu if call.end_cpu is None else call.end_cpu, call.ts_ns if call.end_ns is None else call.end_ns
    return call.cpu, call.ts_ns


def _written(snapshot: Snapshot, cpu: int, until_ns: int) -> tuple[int, int]:
    # How many records, and events among them, a CPU had written until a time, present or lost.
    records = events = 0
    for record in RingReader(snapshot).records():
        if record.cpu != cpu or record.ts_ns > until_ns:
            continue
        if isinstance(record, Lost):
            if record.reason != _DROPPED:
                records, events = records + record.records, events + record.events
        else:
            records += 1
            events += record.type not in NO_EVENTS
    return records, events


class Batches(Iterator[Event]):
    """Events that arrive in batches: a reader can ask whether there is one, rather than wait for the next batch."""

    def __init__(self, batches: Iterable[Iterable[Event]]) -> None:
        self._batches = iter(batches)
        self._batch: Iterator[Event] = iter(())
        self._ahead: list[Event] = []

    @property
    def ready(self) -> bool:
        """True if another event is there without waiting for one."""
        if not self._ahead:
            self._ahead = [event for event in (next(self._batch, None),) if event is not None]
        return bool(self._ahead)

    def __next__(self) -> Event:
        while not self.ready:
            self._batch = iter(next(self._batches))
        return self._ahead.pop()
