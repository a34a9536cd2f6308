# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl show --follow``: prints what a live container did, then what it does, until it ends.

The daemon is asked for a snapshot of the ring again and again: sooner if the ring fills quickly, and hardly ever while
nothing is recorded. `traceloop_decode.following` finds what is new in each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from traceloop_cli.display.highlight import highlighted
from traceloop_cli.sources.archive_files import snapshot
from traceloop_cli.sources.client import DEADLINE_S, connected
from traceloop_cli.sources.ending import Ending
from traceloop_cli.sources.named import named
from traceloop_decode.following import HOLD_NS
from traceloop_decode.ring_headers import Headers
from traceloop_proto.traceloop_pb2 import TraceRequest

if TYPE_CHECKING:
    from traceloop_cli.options.rendering import Rendering
    from traceloop_decode.snapshot import Snapshot
    from traceloop_proto.traceloop_pb2_grpc import RecorderStub

_INTERVAL_S: Final = 0.5
_INTERVAL_MIN_S: Final = HOLD_NS / 1e9
_FILLED: Final = 0.25  # share of the ring that may be written between two snapshots
_SILENT_S: Final = 5.0  # a snapshot at least so often, because returns alone do not count as events


def follow(address: str, trace: str | None, rendering: Rendering, *, color: bool) -> None:
    """Prints a trace's lines until its recording ends; None: of the newest. Raises CliError."""
    with connected(address) as daemon:
        first = _First(rendering.newest if isinstance(rendering.newest, int) else None)
        # A word may mean another trace later: the next container of the name.
        trace_id = named(daemon, trace).id
        lines = rendering.following(_snapshots(daemon, Ending(address, trace_id), trace_id, first.over))
        for line in highlighted(lines) if color and rendering.is_for_people else lines:
            first.print(line)
        first.over()


class _First:
    """Prints lines; of those that were there at first, only the last `most`, once `over` says that they are over."""

    def __init__(self, most: int | None) -> None:
        self._kept: deque[str] | None = None if most is None else deque(maxlen=most)

    def print(self, line: str) -> None:
        if self._kept is None:
            print(line, flush=True)
        else:
            self._kept.append(line)

    def over(self) -> None:
        kept, self._kept = self._kept, None
        for line in kept or ():
            self.print(line)


def _snapshots(
    daemon: RecorderStub, ending: Ending, trace: str, waiting: Callable[[], None]
) -> Iterator[tuple[Snapshot, bool]]:
    # Snapshots, and whether each is the last one. waiting: called when what was yielded has been printed.
    pace = _Pace()
    has_ended = ending.wait(_INTERVAL_MIN_S)
    while True:
        encoded = b"".join(chunk.data for chunk in daemon.Snapshot(TraceRequest(id=trace), timeout=DEADLINE_S))
        taken = snapshot(encoded, f"trace {trace}")
        yield taken, has_ended
        if has_ended:
            return
        waiting()
        pace.note(taken)
        has_ended = ending.wait(pace.interval_s)
        while not has_ended and not pace.is_due(daemon.Get(TraceRequest(id=trace), timeout=DEADLINE_S).events):
            has_ended = ending.wait(pace.interval_s)


class _Pace:
    """The time between snapshots, by how much was written meanwhile."""

    def __init__(self) -> None:
        self.interval_s = _INTERVAL_S
        self._head = self._events = 0
        self._taken_ns: int | None = None
        self._was_due, self._silent_s = True, 0.0

    def note(self, taken: Snapshot) -> None:
        """Notes a snapshot."""
        head = Headers.parse(taken.headers[0], taken.cpus).head
        if self._taken_ns is not None and head > self._head:
            passed_s = (taken.taken_ns - self._taken_ns) / 1e9
            allowed_s = passed_s * _FILLED * taken.ring_size / (head - self._head)
            self.interval_s = max(_INTERVAL_MIN_S, min(_INTERVAL_S, allowed_s))
        self._head, self._taken_ns, self._silent_s = head, taken.taken_ns, 0.0

    def is_due(self, events: int) -> bool:
        """Tells whether to take a snapshot now. events: how many the ring has counted."""
        changed = events != self._events
        self._events, self._silent_s = events, self._silent_s + self.interval_s
        due = changed or self._was_due or self._silent_s >= _SILENT_S
        self._was_due = changed  # the last events are too new for the first snapshot that has them
        return due
