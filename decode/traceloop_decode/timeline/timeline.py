# SPDX-License-Identifier: Apache-2.0
"""Arranges the events of a trace in lanes: what a picture draws, and where.

A *lane* is a thread, or a row of the io_uring requests of a thread, as several requests may be in flight at a time. In
a lane, calls do not overlap. An *item* is what is drawn: a call, a signal, a thread's end, or a loss, which is drawn
over all lanes. A loss lasts from the last event of its CPU to the next one; from the recording's start on for events
that were overwritten.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from traceloop_decode.model import LEFT, Call, Ignored, Lost, Signal, TaskExit
from traceloop_decode.safe_text import printable
from traceloop_decode.text.notes import exit_note, lost_note, whole_signal_note
from traceloop_decode.text.short import call_text
from traceloop_decode.timeline.kinds import error_of, kind_of
from traceloop_decode.values.siginfo import signal_name
from traceloop_decode.whole_calls import Whole

if TYPE_CHECKING:
    from traceloop_decode.snapshot import Snapshot

SIGNAL: Final = "signal"
EXIT: Final = "exit"
LOST: Final = "lost"
EVERYWHERE: Final = -1
"""The lane of a loss."""


class Item(NamedTuple):
    """A thing to draw. lane: index in `Timeline.lanes`, or EVERYWHERE. at_ns: CLOCK_BOOTTIME.

    took_ns: until the next call of the lane, its thread's end or the trace's, for a call that never `returned`.
    what: a word of KINDS for a call, else SIGNAL, EXIT or LOST. name: of the call or the signal. text: the line that
    `show` prints, without time and thread. error: the error's name, or "".
    """

    lane: int
    at_ns: int
    took_ns: int
    what: str
    name: str
    text: str
    error: str = ""
    returned: bool = True


@dataclass(frozen=True, slots=True)
class Lane:
    """A thread, by the name that it had last, or a row of its io_uring requests (row > 0)."""

    pid: int
    tid: int
    row: int
    comm: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The contents of a picture. Times are CLOCK_BOOTTIME; items are sorted by time.

    lanes: processes in the order in which they appear, each with its threads.
    """

    start_ns: int
    end_ns: int
    lanes: tuple[Lane, ...]
    items: tuple[Item, ...]


def timeline(events: Iterable[Whole], snapshot: Snapshot) -> Timeline:
    """Arranges events. Those of `descriptors.follow.known` tell sockets from files."""
    builder = _Builder(snapshot)
    for event in events:
        builder.add(event)
    return builder.built()


class _Builder:
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot, self._text = snapshot, call_text()
        self._lanes: dict[tuple[int, int, int], int] = {}  # process, thread, row -> in the order of appearance
        self._comms: list[str] = []
        self._busy: dict[tuple[int, int], list[int | None]] = {}  # a thread's rows of requests -> until when
        self._items: list[Item] = []
        self._latest: dict[int, int] = {}  # by CPU
        self._first_ns: int | None = None
        self._end_ns = snapshot.started_ns

    def add(self, event: Whole) -> None:
        if isinstance(event, Call):
            end_ns = event.end_ns if event.end_ns is not None and not event.entry_lost else None
            took_ns = max(0, end_ns - event.ts_ns) if end_ns is not None else 0
            row = 0 if event.request is None else self._row(event, end_ns)
            item = (
                took_ns,
                kind_of(event),
                event.title,
                self._text(event, None),
                error_of(event),
                event.result is not None,
            )
            self._put(event, row, event.end_comm or event.comm, *item)
            self._seen(event.end_cpu if event.end_cpu is not None else event.cpu, end_ns or event.ts_ns)
        elif isinstance(event, Signal | Ignored):
            note = whole_signal_note(event, arch=self._snapshot.arch)
            name = signal_name(event.number) + (" ignored" if isinstance(event, Ignored) else "")
            self._put(event, 0, event.comm, 0, SIGNAL, name, note)
            self._seen(event.cpu, event.ts_ns)
        elif isinstance(event, TaskExit):
            note = exit_note(event)
            failed = "failed" if event.code and not event.superseded_by else ""
            self._put(event, 0, event.comm, 0, EXIT, note.strip("+ "), note, failed)
            self._seen(event.cpu, event.ts_ns)
        else:
            self._lose(event)

    def _put(self, event: Call | Signal | Ignored | TaskExit, row: int, comm: str, *drawn: object) -> None:
        lane = self._lanes.setdefault((event.pid, event.tid, row), len(self._lanes))
        if lane == len(self._comms):
            self._comms.append(comm)
        self._comms[lane] = comm
        if self._first_ns is None or event.ts_ns < self._first_ns:
            self._first_ns = event.ts_ns
        self._items.append(Item(lane, event.ts_ns, *drawn))  # type: ignore[arg-type]

    def _seen(self, cpu: int, ts_ns: int) -> None:
        self._latest[cpu] = max(ts_ns, self._latest.get(cpu, 0))
        self._end_ns = max(self._end_ns, ts_ns)

    def _row(self, call: Call, end_ns: int | None) -> int:
        # The first row that is free when the request begins. A request without an end keeps its row.
        rows = self._busy.setdefault((call.pid, call.tid), [])
        for row, until_ns in enumerate(rows):
            if until_ns is not None and until_ns <= call.ts_ns:
                rows[row] = end_ns
                return row + 1
        rows.append(end_ns)
        return len(rows)

    def _lose(self, lost: Lost) -> None:
        from_ns = self._snapshot.started_ns
        if lost.reason == LEFT:
            from_ns = lost.ts_ns
        elif lost.reason != "overwritten":
            from_ns = self._latest.get(lost.cpu, from_ns)
        took_ns, until_known = max(0, lost.ts_ns - from_ns), lost.reason != LEFT
        self._items.append(Item(EVERYWHERE, from_ns, took_ns, LOST, lost.reason, lost_note(lost), "", until_known))

    def built(self) -> Timeline:
        order = self._order()
        lanes = [Lane(*key, printable(self._comms[lane])) for key, lane in self._lanes.items()]
        places = {lane: place for place, lane in enumerate(order)} | {EVERYWHERE: EVERYWHERE}
        items = sorted((item._replace(lane=places[item.lane]) for item in self._items), key=lambda item: item.at_ns)
        items = _with_ends(items, self._end_ns)
        first_ns = self._first_ns if self._first_ns is not None else self._snapshot.started_ns
        start_ns = min([first_ns, *(item.at_ns for item in items if item.what == LOST)])
        return Timeline(start_ns, self._end_ns, tuple(lanes[lane] for lane in order), tuple(items))

    def _order(self) -> list[int]:
        # Lanes of one process together, a thread's requests after it.
        processes: dict[int, int] = {}
        for (pid, _, _), lane in self._lanes.items():
            processes.setdefault(pid, lane)
        threads: dict[int, int] = {}
        for (_, tid, _), lane in self._lanes.items():
            threads.setdefault(tid, lane)
        return [lane for key, lane in sorted(self._lanes.items(), key=lambda one: _place(one[0], processes, threads))]


def _with_ends(items: list[Item], end_ns: int) -> list[Item]:
    # Gives each call without a return the time until what follows it in its lane.
    following: dict[int, int] = {}
    for n in range(len(items) - 1, -1, -1):
        item = items[n]
        if not item.returned:
            items[n] = item._replace(took_ns=max(0, following.get(item.lane, end_ns) - item.at_ns))
        if item.what != SIGNAL:
            following[item.lane] = item.at_ns
    return items


def _place(key: tuple[int, int, int], processes: dict[int, int], threads: dict[int, int]) -> tuple[int, bool, int, int]:
    pid, tid, row = key
    return processes[pid], pid != tid, threads[tid], row
