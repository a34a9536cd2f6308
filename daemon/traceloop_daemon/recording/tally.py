# SPDX-License-Identifier: Apache-2.0
"""What this daemon has done since it started, counted: numbers that only grow, and begin at zero with each daemon.

How much was recorded is counted over all traces, those too that have ended or are closed. Of one that a former daemon
began, what it had recorded before it was adopted is not counted again. What the rings say may lag behind what they said
before, as it is read while they are written; the sums told here never fall.
"""

from __future__ import annotations

import enum
import threading
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from operator import add, sub
from typing import Final, NamedTuple

from traceloop_daemon.recording.registry import Trace

BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the durations that are told apart; there is one more, without a bound."""


class Recorded(NamedTuple):
    """What went into rings. events: as they happened, kept or not. overwritten: those that a ring holds no more.

    dropped: those that a program could not write, as it had interrupted another. reread: calls of which something
    could not be read when they began. unread: nor when they returned, also where the program gave a wrong address.
    forgotten: those that were not read again, as too many of their container were in flight. left_out: cgroups below
    containers' own that are not recorded. io_urings: instances of io_uring, through which work is no system call.
    """

    events: int = 0
    overwritten: int = 0
    dropped: int = 0
    reread: int = 0
    unread: int = 0
    io_urings: int = 0
    left_out: int = 0
    forgotten: int = 0

    @classmethod
    def of(cls, trace: Trace) -> Recorded:
        """Of one trace up to now."""
        assert trace.recording is not None
        headers, count = trace.recording.ring.headers_and_count()
        dropped = sum(cpu.dropped for cpu in headers.cpus)
        return cls(
            count.events,
            max(0, count.lost_events - dropped),
            dropped,
            sum(cpu.reread for cpu in headers.cpus),
            sum(cpu.unread for cpu in headers.cpus),
            *headers.unrecorded,
        )

    def plus(self, other: Recorded) -> Recorded:
        """Both together."""
        return Recorded(*map(add, self, other))

    def since(self, before: Recorded) -> Recorded:
        """What came after `before`."""
        return Recorded(*map(sub, self, before))

    def at_least(self, other: Recorded) -> Recorded:
        """The larger of each number."""
        return Recorded(*map(max, self, other))


class Volume:
    """How much was recorded, over all traces. Its owner serialises the access."""

    def __init__(self) -> None:
        self._before: dict[str, Recorded] = {}  # what was in the rings of adopted traces
        self._seen: dict[str, Recorded] = {}  # of those that live, when they were looked at last
        self._ended = Recorded()

    def adopt(self, trace: Trace) -> None:
        """Of this one, what is in its ring now is not counted."""
        self._before[trace.id] = self._seen[trace.id] = Recorded.of(trace)

    def look(self, trace: Trace) -> None:
        """This one may have recorded more."""
        self._seen[trace.id] = Recorded.of(trace).at_least(self._seen.get(trace.id, Recorded()))

    def end(self, trace: Trace) -> None:
        """This one's ring is written no more, or is about to go."""
        self.look(trace)
        self._ended = self._ended.plus(self._of(trace.id))
        del self._seen[trace.id]
        self._before.pop(trace.id, None)

    def total(self) -> Recorded:
        """All, when they were looked at last."""
        total = self._ended
        for trace_id in self._seen:
            total = total.plus(self._of(trace_id))
        return total

    def _of(self, trace_id: str) -> Recorded:
        return self._seen[trace_id].since(self._before.get(trace_id, Recorded()))


class Counted(enum.Enum):
    """What is counted one by one."""

    HOOKS_SERVED = "hooks served"
    HOOKS_REFUSED = "hooks refused"
    STARTED_BY_HOOK = "recordings that a hook, or NRI, began"
    STARTED_BY_ADD = "recordings that a user began"
    ADOPTED = "recordings that a former daemon began"
    EXCLUDED = "containers that were not to be recorded"
    NO_MEMORY = "containers that were not recorded as there was no room for their rings"
    DROPPED = "kept traces that went to make room"
    LOST = "traces that could not be kept, or not be adopted"
    SNAPSHOTS = "snapshots and dumps that were asked for and given"
    CONNECTIONS_REFUSED = "connections of users that had their share"
    CALLS_REFUSED = "calls of users that had their share"
    CALLS_ENDED = "calls whose answers were not read in time"
    EXCHANGES = "exchanges of the programs in the kernel for this version's"
    REPLACEMENTS = "recorders that were broken by someone, and for which another was brought into the kernel"


@dataclass(frozen=True, slots=True)
class Durations:
    """How long things took: how many up to each of BOUNDS_S, and beyond; each is counted once."""

    counts: tuple[int, ...]
    sum_s: float
    longest_s: float


class Tally:
    """Counters, and how long hooks waited for their answers. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: Counter[Counted] = Counter()
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = self._longest_s = 0.0

    def add(self, what: Counted) -> None:
        """One more."""
        with self._lock:
            self._counters[what] += 1

    def hook_answered(self, took_s: float, *, refused: bool) -> None:
        """A hook was answered, so long after it was accepted."""
        with self._lock:
            self._counters[Counted.HOOKS_REFUSED if refused else Counted.HOOKS_SERVED] += 1
            self._counts[bisect_left(BOUNDS_S, took_s)] += 1
            self._sum_s += took_s
            self._longest_s = max(self._longest_s, took_s)

    def read(self) -> tuple[Counter[Counted], Durations]:
        """All of it, as it is now."""
        with self._lock:
            return self._counters.copy(), Durations(tuple(self._counts), self._sum_s, self._longest_s)
