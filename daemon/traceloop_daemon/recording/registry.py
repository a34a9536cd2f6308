# SPDX-License-Identifier: Apache-2.0
"""All traces of this daemon: their ids, their states, and how a user's word finds one.

Theory of operation: a trace's life is this table, and nothing else changes its state::

    state      event     next
    RECORDING  end       FROZEN     its container ended; the ring, or memory, holds the end of its story
    RECORDING  lose      MISSING    its ring went with the daemon that recorded it
    FROZEN     archive   ARCHIVED   that is in a file now
    FROZEN     lose      MISSING    it could not be read, or the file is gone
    FROZEN     truncate  TRUNCATED  the file has become shorter
    FROZEN     damage    ERROR      the file cannot be read
    any        close     CLOSED     forgotten; its id is never given again

ARCHIVED, MISSING, TRUNCATED and ERROR turn into each other by FROZEN's events: files change behind the daemon's back.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from traceloop_bpf.tracer import Recording
from traceloop_daemon.errors import AmbiguousTrace, NoSuchTrace
from traceloop_daemon.naming.names import Names
from traceloop_decode.open_files import OpenFiles
from traceloop_decode.ring import Count


class State(enum.Enum):
    """Where a trace is in its life."""

    RECORDING = "recording"
    FROZEN = "frozen"
    ARCHIVED = "archived"
    CLOSED = "closed"
    MISSING = "missing"
    TRUNCATED = "truncated"
    ERROR = "error"


_OF_FILES: Final = {
    "archive": State.ARCHIVED,
    "lose": State.MISSING,
    "truncate": State.TRUNCATED,
    "damage": State.ERROR,
}
_TRANSITIONS: Final[dict[tuple[State, str], State]] = {
    (State.RECORDING, "end"): State.FROZEN,
    (State.RECORDING, "lose"): State.MISSING,
    **{(state, event): to for state in (State.FROZEN, *_OF_FILES.values()) for event, to in _OF_FILES.items()},
    **{(state, "close"): State.CLOSED for state in State if state is not State.CLOSED},
}
_CLOSED_REMEMBERED: Final = 10_000
_CANDIDATES_MAX: Final = 20


@dataclass(slots=True)
class Trace:
    """One container's trace. Times are CLOCK_REALTIME; 0: not yet. status: as wait(2) reports it, of its first process.

    init_pid: that process, in the daemon's pid namespace; 0: none.
    recording: while the ring is its own. open_files: what its processes had open when it began, as long.
    withheld: classes of memory that are kept out of the ring; None: not known, of one that an older version kept.
    ring_size_bytes: what the ring holds at most; 0: not known. io_uring_setups: instances of io_uring that it set up.
    count, size_bytes: final once it is frozen.
    node: of one from the archive.
    """

    id: str
    names: Names
    container_id: str
    cgroup: str
    started_ns: int
    init_pid: int
    recording: Recording | None
    open_files: OpenFiles | None = None
    withheld: int | None = 0
    ring_size_bytes: int = 0
    io_uring_setups: int = 0
    state: State = State.RECORDING
    ended_ns: int = 0
    status: int | None = None
    count: Count = field(default=Count(0, 0, 0, 0))
    size_bytes: int = 0
    node: str = ""

    def advance(self, event: str) -> None:
        """Moves to the state that the table gives; KeyError for a move that it does not have."""
        self.state = _TRANSITIONS[self.state, event]

    def refresh(self) -> None:
        """Brings what its ring says up to now: counts, size, how its first process ended."""
        if self.recording is not None:
            ring = self.recording.ring
            headers, self.count = ring.headers_and_count()
            self.size_bytes = ring.size_bytes
            self.status = headers.exit_code if headers.exited else None
            self.io_uring_setups = headers.unrecorded.io_urings


class Registry:
    """The traces by id, oldest first. Its owner serialises the access."""

    def __init__(self) -> None:
        self._traces: dict[str, Trace] = {}
        self._of_container: dict[str, dict[str, Trace]] = {}
        self._closed: OrderedDict[str, None] = OrderedDict()
        self._numbers: OrderedDict[str, int] = OrderedDict()

    def __iter__(self) -> Iterator[Trace]:
        return iter(self._traces.values())

    def new_id(self, wanted: str) -> str:
        """An id that no trace has or had: `wanted`, or that with the next number behind it."""
        number = self._numbers.pop(wanted, 1)
        trace_id = wanted if number == 1 else f"{wanted}_{number}"
        while trace_id in self._traces or trace_id in self._closed:
            number += 1
            trace_id = f"{wanted}_{number}"
        self._numbers[wanted] = number  # where to look first next time: a crash loop has thousands
        if len(self._numbers) > _CLOSED_REMEMBERED:
            self._numbers.popitem(last=False)
        return trace_id

    def put(self, trace: Trace) -> None:
        """A new trace."""
        self._traces[trace.id] = trace
        self._of_container.setdefault(trace.container_id, {})[trace.id] = trace

    def load(self, traces: Iterable[Trace], closed: Iterable[str]) -> None:
        """Takes in what former daemons left: the traces that are not here yet, and the ids of those that are closed."""
        known = {trace.id: trace for trace in traces} | self._traces
        self._traces, self._of_container = {}, {}
        for trace in sorted(known.values(), key=lambda trace: trace.started_ns):
            self.put(trace)
        for trace_id in closed:
            self._remember(trace_id)

    def forget(self, trace: Trace) -> None:
        """A closed trace leaves the list; that it was there is remembered, within a bound."""
        del self._traces[trace.id]
        of_container = self._of_container[trace.container_id]
        del of_container[trace.id]
        if not of_container:
            del self._of_container[trace.container_id]
        self._remember(trace.id)

    def _remember(self, trace_id: str) -> None:
        self._closed[trace_id] = None
        while len(self._closed) > _CLOSED_REMEMBERED:
            self._closed.popitem(last=False)

    def get(self, trace_id: str) -> Trace | None:
        """The trace of this very id."""
        return self._traces.get(trace_id)

    def recording_of(self, container_id: str) -> Trace | None:
        """The live trace of a container."""
        of_container = self._of_container.get(container_id, {})
        live = (trace for trace in of_container.values() if trace.state is State.RECORDING)
        return next(live, None)

    def knows(self, container_id: str) -> bool:
        """Whether there is a trace of a container."""
        return container_id in self._of_container

    def find(self, word: str) -> Trace:
        """By a full id, an unambiguous prefix, or a container id's prefix. Raises NoSuchTrace, AmbiguousTrace."""
        if word in self._traces:
            return self._traces[word]
        found = [
            trace
            for trace in self._traces.values()
            if word and (trace.id.startswith(word) or trace.container_id.startswith(word))
        ]
        if len(found) == 1:
            return found[0]
        if found:
            named = ", ".join(trace.id for trace in found[:_CANDIDATES_MAX])
            more = f" and {len(found) - _CANDIDATES_MAX} more" if len(found) > _CANDIDATES_MAX else ""
            raise AmbiguousTrace(f"{word} fits {len(found)} traces; give more of the id: {named}{more}")
        if word in self._closed:
            raise NoSuchTrace(f"trace {word} is closed")
        raise NoSuchTrace(f"no trace {word}: `traceloopctl list` shows those there are")
