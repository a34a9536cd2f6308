# SPDX-License-Identifier: Apache-2.0
"""All traces of this daemon: their ids, their states, and how a user's word finds one.

Theory of operation: a trace's life is this table, and nothing else changes its state::

    state      event    next
    RECORDING  end      FROZEN     its container ended; the ring holds the end of its story
    RECORDING  lose     LOST       its ring went with the daemon that recorded it
    FROZEN     archive  ARCHIVED   the ring's bytes are kept, and the ring is free
    FROZEN     lose     LOST       they could not be kept
    any        close    CLOSED     forgotten; its id is never given again
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from traceloop_bpf.tracer import Recording
from traceloop_daemon.errors import AmbiguousTrace, NoSuchTrace
from traceloop_daemon.names import Names
from traceloop_decode.ring import Count


class State(enum.Enum):
    """Where a trace is in its life."""

    RECORDING = "recording"
    FROZEN = "frozen"
    ARCHIVED = "archived"
    CLOSED = "closed"
    LOST = "lost"


_TRANSITIONS: Final = {
    (State.RECORDING, "end"): State.FROZEN,
    (State.RECORDING, "lose"): State.LOST,
    (State.FROZEN, "archive"): State.ARCHIVED,
    (State.FROZEN, "lose"): State.LOST,
    (State.RECORDING, "close"): State.CLOSED,
    (State.FROZEN, "close"): State.CLOSED,
    (State.ARCHIVED, "close"): State.CLOSED,
    (State.LOST, "close"): State.CLOSED,
}
_CLOSED_REMEMBERED: Final = 10_000


@dataclass(slots=True)
class Trace:
    """One container's trace. Times are CLOCK_REALTIME; 0: not yet. status: as wait(2) reports it, of its first process.

    init_pid: that process, in the daemon's pid namespace; 0: none.
    recording: while the ring is its own. count, size_bytes: final once it is frozen.
    """

    id: str
    names: Names
    container_id: str
    cgroup: str
    started_ns: int
    init_pid: int
    recording: Recording | None
    state: State = State.RECORDING
    ended_ns: int = 0
    status: int | None = None
    count: Count = field(default=Count(0, 0, 0, 0))
    size_bytes: int = 0

    def advance(self, event: str) -> None:
        """Moves to the state that the table gives; KeyError for a move that it does not have."""
        self.state = _TRANSITIONS[self.state, event]


class Registry:
    """The traces by id, oldest first. Its owner serialises the access."""

    def __init__(self) -> None:
        self._traces: dict[str, Trace] = {}
        self._closed: OrderedDict[str, None] = OrderedDict()

    def __iter__(self) -> Iterator[Trace]:
        return iter(self._traces.values())

    def new_id(self, wanted: str) -> str:
        """An id that no trace has or had: `wanted`, or that with the next number behind it."""
        number, trace_id = 1, wanted
        while trace_id in self._traces or trace_id in self._closed:
            number += 1
            trace_id = f"{wanted}_{number}"
        return trace_id

    def put(self, trace: Trace) -> None:
        """A new trace."""
        self._traces[trace.id] = trace

    def forget(self, trace: Trace) -> None:
        """A closed trace leaves the list; that it was there is remembered, within a bound."""
        del self._traces[trace.id]
        self._closed[trace.id] = None
        while len(self._closed) > _CLOSED_REMEMBERED:
            self._closed.popitem(last=False)

    def get(self, trace_id: str) -> Trace | None:
        """The trace of this very id."""
        return self._traces.get(trace_id)

    def recording_of(self, container_id: str) -> Trace | None:
        """The live trace of a container."""
        for trace in self._traces.values():
            if trace.container_id == container_id and trace.state is State.RECORDING:
                return trace
        return None

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
            raise AmbiguousTrace(f"{word} fits {len(found)} traces: " + ", ".join(trace.id for trace in found))
        if word in self._closed:
            raise NoSuchTrace(f"trace {word} is closed")
        raise NoSuchTrace(f"no trace {word}: `traceloopctl list` shows those there are")
