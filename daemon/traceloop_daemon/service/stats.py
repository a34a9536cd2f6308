# SPDX-License-Identifier: Apache-2.0
"""Gathers the daemon's statistics for `traceloopctl stats` and for monitoring."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from traceloop_bpf.memory import Room
from traceloop_bpf.pool import PoolUsage
from traceloop_bpf.run_times import RunTime
from traceloop_bpf.tracer import Tracer
from traceloop_daemon.archive.directory import FileArchive, Usage
from traceloop_daemon.recording.recordings import Recordings
from traceloop_daemon.recording.tally import Counted, Durations, Recorded, Tally
from traceloop_daemon.recording.trace import State
from traceloop_daemon.recording.traces import Traces


@dataclass(frozen=True, slots=True)
class Stats:
    """The statistics at one moment. started_ns: CLOCK_REALTIME of the daemon's start.

    `counted`, `recorded` and `hooks` count since then. rings: of each recorder in the kernel. hooks: durations from
    accepting a hook's connection to its answer. room: memory for more rings.
    """

    node: str
    started_ns: int
    traces: Mapping[State, int]
    rings: tuple[PoolUsage, ...]
    recorded: Recorded
    counted: Mapping[Counted, int]
    hooks: Durations
    archive: Usage
    room: Room

    @property
    def ring_bytes_in_use(self) -> int:
        """The memory of the rings that containers use."""
        return sum(pool.in_use * pool.ring_bytes for pool in self.rings)

    @property
    def ring_bytes_in_stock(self) -> int:
        """The memory of the rings that are ready for the next containers."""
        return sum(pool.in_stock * pool.ring_bytes for pool in self.rings)


class Gatherer:
    """Gathers the statistics of traces, archive and tracers."""

    def __init__(
        self, traces: Traces, recordings: Recordings, archive: FileArchive, old: Sequence[Tracer], tally: Tally
    ) -> None:
        """Takes the current time as the daemon's start. old: tracers that get no new recordings."""
        self._traces, self._recordings, self._archive, self._old = traces, recordings, archive, tuple(old)
        self._tally, self._started_ns = tally, time.time_ns()

    def run_times(self, wait: Callable[[], object]) -> list[RunTime]:
        """Measures how often and how long the programs run while `wait` waits. Raises NotTimed, OSError."""
        return self._recordings.tracer.run_times(wait)

    def __call__(self) -> Stats:
        """Gathers the statistics as they are now."""
        counted, hooks = self._tally.read()
        census = self._traces.census()
        return Stats(
            node=self._traces.node,
            started_ns=self._started_ns,
            traces={state: census[state] for state in State if state is not State.CLOSED},
            rings=tuple(tracer.pool.usage() for tracer in (self._recordings.tracer, *self._old)),
            recorded=self._recordings.recorded(),
            counted={what: counted[what] for what in Counted},
            hooks=hooks,
            archive=self._archive.usage(),
            room=self._recordings.tracer.pool.room(),
        )
