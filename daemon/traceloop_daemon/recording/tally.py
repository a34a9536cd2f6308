# SPDX-License-Identifier: Apache-2.0
"""Counters of this daemon's work. They start at zero with each daemon, and only grow.

The volume of recording is counted over all traces, ended and closed ones included. Events before a trace's adoption are
not counted again. Rings are read while they are written, so a ring's counts may decrease; the sums reported here never
do.
"""

from __future__ import annotations

import enum
import threading
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from operator import add, sub
from typing import Final, NamedTuple

from traceloop_daemon.recording.trace import Trace

BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the buckets of durations; one more bucket has no bound."""


class Recorded(NamedTuple):
    """The volume of recording. events: all events, lost ones included. overwritten: events that rings no longer hold.

    dropped: events that a program could not write because it had interrupted another. reread: calls with memory that
    could not be read at entry. unread: calls with memory that could not be read at exit either, wrong addresses
    included. forgotten: calls that were not read again, as too many of their container were in flight. left_out:
    cgroups below containers' own that are not recorded. io_urings: instances of io_uring whose requests are not
    recorded. calls, errors: system calls, and those of them that failed. read_bytes, written_bytes: as the calls that
    read and write returned them.
    """

    events: int = 0
    overwritten: int = 0
    dropped: int = 0
    reread: int = 0
    unread: int = 0
    io_urings: int = 0
    left_out: int = 0
    forgotten: int = 0
    calls: int = 0
    errors: int = 0
    read_bytes: int = 0
    written_bytes: int = 0

    @classmethod
    def of(cls, trace: Trace) -> Recorded:
        """Reads the volume of one trace up to now."""
        assert trace.recording is not None
        headers, count = trace.recording.ring.headers_and_count()
        totals = trace.recording.ring.totals()
        dropped = sum(cpu.dropped for cpu in headers.cpus)
        return cls(
            count.events,
            max(0, count.lost_events - dropped),
            dropped,
            sum(cpu.reread for cpu in headers.cpus),
            sum(cpu.unread for cpu in headers.cpus),
            *headers.unrecorded,
            **(totals.facts() if totals is not None else {}),
        )

    def plus(self, other: Recorded) -> Recorded:
        """Returns the sum of both."""
        return Recorded(*map(add, self, other))

    def since(self, before: Recorded) -> Recorded:
        """Returns the difference to `before`."""
        return Recorded(*map(sub, self, before))

    def at_least(self, other: Recorded) -> Recorded:
        """Returns the larger one of each pair of numbers."""
        return Recorded(*map(max, self, other))


class Volume:
    """The volume of recording over all traces. Not thread-safe."""

    def __init__(self) -> None:
        self._before: dict[str, Recorded] = {}  # the volume of adopted traces at their adoption
        self._seen: dict[str, Recorded] = {}  # the volume of live traces when they were read last
        self._ended = Recorded()

    def adopt(self, trace: Trace) -> None:
        """Adds an adopted trace; its events up to now are not counted."""
        self._before[trace.id] = self._seen[trace.id] = Recorded.of(trace)

    def look(self, trace: Trace) -> None:
        """Reads the current volume of a live trace."""
        self._seen[trace.id] = Recorded.of(trace).at_least(self._seen.get(trace.id, Recorded()))

    def end(self, trace: Trace) -> None:
        """Reads the volume of a trace for the last time, after its recording has ended."""
        self.look(trace)
        self._ended = self._ended.plus(self._of(trace.id))
        del self._seen[trace.id]
        self._before.pop(trace.id, None)

    def total(self) -> Recorded:
        """Returns the sum over all traces, as of their last reading."""
        total = self._ended
        for trace_id in self._seen:
            total = total.plus(self._of(trace_id))
        return total

    def _of(self, trace_id: str) -> Recorded:
        return self._seen[trace_id].since(self._before.get(trace_id, Recorded()))


class Counted(enum.Enum):
    """A kind of event that is counted."""

    HOOKS_SERVED = "hooks served"
    HOOKS_REFUSED = "hooks refused"
    STARTED_BY_HOOK = "recordings begun by a hook or NRI"
    STARTED_AT_BIRTH = "recordings begun when a container's cgroup was made"
    STARTED_RUNNING = "recordings begun of containers that ran when the daemon started"
    BIRTHS_LATE = "containers for whose birth no ring was in stock: recorded from a little later, or not at all"
    BIRTHS_UNTOLD = "containers of whose births no daemon was told, as nobody read the kernel's events: not recorded"
    IN_CALL_FORGOTTEN = "threads in a call whose place another thread took: the life totals count the call twice"
    RUNTIMES_FORGOTTEN = "processes of container runtimes that are recorded as their containers' own"
    ENTRIES_UNTOLD = "processes that came into a container, of which no daemon was told in time: files unknown"
    STARTED_BY_ADD = "recordings begun by a user"
    ADOPTED = "recordings begun by a former daemon, and resumed"
    EXCLUDED = "containers excluded by settings or annotations"
    NO_MEMORY = "containers not recorded because there was no memory for their rings"
    DROPPED = "traces removed to make room"
    LOST = "traces that could not be archived or adopted"
    REASONS_ASKED = "traces whose reasons were asked of traceloop-explain"
    REASONS_FAILED = "of these, those for which no answer came"
    SNAPSHOTS = "snapshots and dumps given to clients"
    CONNECTIONS_REFUSED = "connections refused because users had their share"
    CALLS_REFUSED = "calls refused because users had their share"
    CALLS_ENDED = "calls cancelled because the client did not read the answer in time"
    EXCHANGES = "exchanges of a former version's programs in the kernel for this version's"
    REPLACEMENTS = "broken recorders that were replaced"


@dataclass(frozen=True, slots=True)
class Durations:
    """A histogram of durations. counts: of each bucket of BOUNDS_S, and of longer durations; not cumulative."""

    counts: tuple[int, ...]
    sum_s: float
    longest_s: float


class Tally:
    """Counters, and a histogram of hooks' waits for their answers. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: Counter[Counted] = Counter()
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = self._longest_s = 0.0

    def add(self, what: Counted, times: int = 1) -> None:
        """Increases a counter."""
        with self._lock:
            self._counters[what] += times

    def hook_answered(self, took_s: float, *, refused: bool) -> None:
        """Counts a hook that was answered. took_s: the time since its connection was accepted."""
        with self._lock:
            self._counters[Counted.HOOKS_REFUSED if refused else Counted.HOOKS_SERVED] += 1
            self._counts[bisect_left(BOUNDS_S, took_s)] += 1
            self._sum_s += took_s
            self._longest_s = max(self._longest_s, took_s)

    def read(self) -> tuple[Counter[Counted], Durations]:
        """Returns all counters and the histogram as they are now."""
        with self._lock:
            return self._counters.copy(), Durations(tuple(self._counts), self._sum_s, self._longest_s)
