# SPDX-License-Identifier: Apache-2.0
"""Facts about one trace.

A live trace's file, the head of an archive file and the daemon's message are made of these fields, by name. So a new
field takes four changes: here; in traceloop.proto, under the same name; where the daemon learns its value
(``recording/``, ``archive/trace_info``); and where traceloopctl shows it (``display/traces``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, Final

from traceloop_decode.ending import MemoryEnd
from traceloop_decode.safe_text import encodable
from traceloop_decode.wait_status import wait_status

STATUS_MAX: Final = 0xFFFF
COUNT_MAX: Final = (1 << 31) - 1
_INT64: Final = range(-1 << 63, 1 << 63)
_MOST: Final = "most"
_SIGNED: Final = "signed"


def at_most(default: int | None, most: int) -> Any:
    """Returns a dataclass field for a number that a file may give no larger than this."""
    return field(default=default, metadata={_MOST: most})


def signed(default: int) -> Any:
    """Returns a dataclass field for a number that may be negative."""
    return field(default=default, metadata={_SIGNED: True})


@dataclass(frozen=True, slots=True)
class TraceFacts:
    """The facts of one trace. Text that is not known is empty, a number that is not known 0 or None.

    started_ns, ended_ns: CLOCK_REALTIME; ended_ns is 0 while the container runs, and where the daemon stopped first.
    status: how the container's first process ended, as wait(2) reports it. restart_count: how often the engine had
    started the container before. labels: the container's and its pod's; labels_left_out: how many more there were.
    events: system calls, signals and thread exits. overwritten, dropped: the events that the ring no longer holds, and
    those that it never held. Rejected events are found only when the snapshot is decoded.
    capture: the policy by which memory was kept, a word of docs/security.md. ring_size_bytes: what the ring holds at
    most. io_uring_setups: instances of io_uring that the container set up. skipped: the calls that were counted, but
    not recorded, words of `selection.skipped` with commas between. calls, errors: system calls of the whole life, and
    those of them that failed. read_bytes, written_bytes: as the calls that read and write returned them.
    capabilities_granted, capabilities_refused: those that the program asked for, a bit each (`capabilities`).

    out_of_memory: 1 if the kernel ended the first process because memory was short, 0 if not. memory_limit_bytes,
    memory_peak_bytes: of the container's memory cgroup, the latter when it ended. oom_kills: how many of its processes
    the kernel ended because memory was short; oom_by_limit: how many of them because a limit was reached.
    """

    trace_id: str
    node: str = ""
    namespace: str = ""
    pod: str = ""
    pod_uid: str = ""
    container: str = ""
    container_id: str = ""
    image: str = ""
    cgroup: str = ""
    started_ns: int = 0
    ended_ns: int = 0
    status: int | None = at_most(None, STATUS_MAX)
    restart_count: int | None = at_most(None, COUNT_MAX)
    labels: Mapping[str, str] = field(default_factory=dict)
    labels_left_out: int = at_most(0, COUNT_MAX)
    events: int = 0
    overwritten: int = 0
    dropped: int = 0
    capture: str = ""
    ring_size_bytes: int = 0
    io_uring_setups: int = 0
    skipped: str = ""
    calls: int | None = None
    errors: int | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None
    capabilities_granted: int | None = None
    capabilities_refused: int | None = None
    out_of_memory: int | None = at_most(None, 1)
    memory_limit_bytes: int | None = None
    memory_peak_bytes: int | None = None
    oom_kills: int | None = None
    oom_by_limit: int | None = None

    @property
    def memory_end(self) -> MemoryEnd:
        """Memory's part in the end."""
        return MemoryEnd(bool(self.out_of_memory), self.oom_kills or 0, self.memory_limit_bytes, self.oom_by_limit)

    @property
    def lost(self) -> int:
        """Events that the snapshot does not hold."""
        return self.overwritten + self.dropped

    @property
    def signal(self) -> int | None:
        """The signal that ended the first process; None: none did, or it is not known."""
        return wait_status(self.status).signal

    @property
    def exit_code(self) -> int | None:
        """The exit code of the first process; None if a signal ended it, or if it is unknown."""
        return wait_status(self.status).exit_code

    @classmethod
    def of(cls, values: TraceFacts | Mapping[str, Any]) -> TraceFacts:
        """Picks the facts out of what has more fields, by their names. Raises TypeError where there is no trace_id."""
        if isinstance(values, Mapping):
            return cls(**{name: values[name] for name in NAMES if name in values})
        return cls(*(getattr(values, name) for name in NAMES))


NAMES: Final = tuple(one.name for one in fields(TraceFacts))


def fits(one: Field[Any], value: object) -> bool:
    """Returns whether a value that a file gives is one of a field's."""
    kind, most = str(one.type), one.metadata.get(_MOST, _INT64[-1])
    if kind == "str":
        return _is_text(value)
    if kind.startswith("Mapping"):
        return isinstance(value, dict) and all(_is_text(text) for pair in value.items() for text in pair)
    if value is None:
        return kind.endswith("None")
    return type(value) is int and value in _INT64 and value <= most and (value >= 0 or _SIGNED in one.metadata)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value == encodable(value)
