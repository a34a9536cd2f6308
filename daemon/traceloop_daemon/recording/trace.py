# SPDX-License-Identifier: Apache-2.0
"""A trace: its facts, and its state.

Theory of operation: this table has all changes of a trace's state::

    state      event     next
    RECORDING  END       FROZEN     the container ended; the ring, or memory, holds the trace
    RECORDING  LOSE      MISSING    the ring was lost with the daemon that recorded it
    FROZEN     ARCHIVE   ARCHIVED   the trace is in a file now
    FROZEN     LOSE      MISSING    the ring could not be read, or the file is gone
    FROZEN     TRUNCATE  TRUNCATED  the file has become shorter
    FROZEN     DAMAGE    ERROR      the file cannot be read
    any        CLOSE     CLOSED     forgotten; its id is never used again

FROZEN's events also lead from each of ARCHIVED, MISSING, TRUNCATED and ERROR to the others, because other programs may
change the files.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from traceloop_bpf.tracer import Recording
from traceloop_daemon.naming.labels import Labels
from traceloop_daemon.naming.names import Names
from traceloop_daemon.privacy.capture_policy import CapturePolicy
from traceloop_decode.open_files import OpenFiles
from traceloop_decode.ring_headers import Headers
from traceloop_decode.trace_facts import NAMES, TraceFacts


class State(enum.Enum):
    """A state of a trace."""

    RECORDING = "recording"
    FROZEN = "frozen"
    ARCHIVED = "archived"
    CLOSED = "closed"
    MISSING = "missing"
    TRUNCATED = "truncated"
    ERROR = "error"


class TraceEvent(enum.Enum):
    """An event that changes a trace's state."""

    END = "end"
    LOSE = "lose"
    ARCHIVE = "archive"
    TRUNCATE = "truncate"
    DAMAGE = "damage"
    CLOSE = "close"


_FILE_STATES: Final = {
    TraceEvent.ARCHIVE: State.ARCHIVED,
    TraceEvent.LOSE: State.MISSING,
    TraceEvent.TRUNCATE: State.TRUNCATED,
    TraceEvent.DAMAGE: State.ERROR,
}
_TRANSITIONS: Final[Mapping[tuple[State, TraceEvent], State]] = {
    (State.RECORDING, TraceEvent.END): State.FROZEN,
    (State.RECORDING, TraceEvent.LOSE): State.MISSING,
    **{(state, event): to for state in (State.FROZEN, *_FILE_STATES.values()) for event, to in _FILE_STATES.items()},
    **{(state, TraceEvent.CLOSE): State.CLOSED for state in State if state is not State.CLOSED},
}
_NAMES: Final = tuple(one.name for one in fields(Names) if one.name in NAMES and one.name != "labels")


@dataclass(frozen=True, slots=True)
class TraceView:
    """A trace at one moment, as other threads get it. size_bytes: of its ring or file.

    reason: why the container ended; empty if not known.
    """

    facts: TraceFacts
    state: State
    size_bytes: int
    reason: str = ""

    @property
    def id(self) -> str:
        """The trace's id."""
        return self.facts.trace_id


@dataclass(slots=True, eq=False)
class Trace:
    """A container's trace, guarded by the lock of `Traces`; threads that do not hold it get a `view`.

    recording: None once the ring is released. open_files: the files that the processes had open when the recording
    began; None if not known, and once the ring is released. init_pid: the first process, in the daemon's pid namespace;
    0: none. withheld: classes of memory that are kept out of the ring, as in tl_ring.withheld; facts.capture: in words.
    reason: why the container ended, in one line; empty if not known.
    """

    facts: TraceFacts
    state: State = State.RECORDING
    size_bytes: int = 0
    recording: Recording | None = None
    open_files: OpenFiles | None = None
    init_pid: int = 0
    withheld: int = 0
    reason: str = ""

    @property
    def id(self) -> str:
        """The trace's id."""
        return self.facts.trace_id

    @property
    def container_id(self) -> str:
        """The container's id, empty for a cgroup that is no container's."""
        return self.facts.container_id

    def advance(self, event: TraceEvent) -> None:
        """Changes the state as the table says. Raises KeyError if it does not allow the event in the current state."""
        self.state = _TRANSITIONS[self.state, event]

    def learn(self, **facts: Any) -> None:
        """Replaces facts, by their names in TraceFacts."""
        self.facts = replace(self.facts, **facts)

    def refresh(self) -> None:
        """Updates the ring's counts, its size, and how the first process ended."""
        if self.recording is not None:
            ring = self.recording.ring
            headers, count = ring.headers_and_count()
            totals, capabilities = ring.totals(), ring.capabilities()
            self.size_bytes = ring.size_bytes
            self.learn(
                events=count.events,
                status=headers.exit_code if headers.exited else None,
                out_of_memory=int(headers.out_of_memory) if headers.exited else None,
                oom_kills=max(headers.oom_kills, headers.out_of_memory, self.facts.oom_kills or 0),
                oom_by_limit=headers.oom_by_limit,
                io_uring_setups=headers.unrecorded.io_urings,
                **losses(count.lost_events, headers),
                **(totals.facts() if totals is not None else {}),
                **(capabilities.facts() if capabilities is not None else {}),
            )

    def view(self) -> TraceView:
        """Returns the trace as it is now."""
        return TraceView(self.facts, self.state, self.size_bytes, self.reason)


UNCOUNTED: Final[Mapping[str, Any]] = {
    "events": 0,
    "overwritten": 0,
    "dropped": 0,
    "io_uring_setups": 0,
    "status": None,
    "out_of_memory": None,
    "oom_kills": None,
    "oom_by_limit": None,
    "calls": None,
    "errors": None,
    "read_bytes": None,
    "written_bytes": None,
    "capabilities_granted": None,
    "capabilities_refused": None,
}
"""The facts that `refresh` sets, with their values before the ring is read."""


def losses(lost: int, headers: Headers) -> dict[str, int]:
    """Returns the facts about lost events. lost: their number, from `ring_reader.count`."""
    dropped = sum(cpu.dropped for cpu in headers.cpus)
    return {"overwritten": max(0, lost - dropped), "dropped": dropped}


def capture_word(withheld: int) -> str:
    """Returns the word of the policy that withholds exactly these classes of memory; empty if none does."""
    policy = CapturePolicy.of(withheld)
    return policy.value if policy is not None else ""


def name_facts(names: Names) -> dict[str, Any]:
    """Returns names as facts."""
    labels = {"labels": dict(names.labels.pairs), "labels_left_out": names.labels.left_out}
    return {name: getattr(names, name) for name in _NAMES} | labels


def names_of(facts: TraceFacts) -> Names:
    """Returns the names in facts. `sandbox` is not among them: it matters only before a trace begins."""
    labels = Labels(tuple(facts.labels.items()), facts.labels_left_out)
    return Names(**{name: getattr(facts, name) for name in _NAMES}, labels=labels)
