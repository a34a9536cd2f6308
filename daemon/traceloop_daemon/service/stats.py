# SPDX-License-Identifier: Apache-2.0
"""The daemon's numbers about itself, gathered: what `traceloopctl stats` shows, and what monitoring gets."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from traceloop_bpf.memory import Room
from traceloop_bpf.pool import PoolUsage
from traceloop_bpf.run_times import RunTime
from traceloop_bpf.tracer import Tracer
from traceloop_daemon.archive.directory import FileArchive, Usage
from traceloop_daemon.recording.registry import State
from traceloop_daemon.recording.tally import Counted, Durations, Recorded, Tally
from traceloop_daemon.service.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Stats:
    """Those of one moment. started_ns: CLOCK_REALTIME of the daemon's start, since which `counted`, `recorded` and
    `hooks` count. rings: of each recorder in the kernel. hooks: accepted until answered.
    room: for more rings.
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
        """Memory of the rings of containers."""
        return sum(pool.in_use * pool.ring_bytes for pool in self.rings)

    @property
    def ring_bytes_in_stock(self) -> int:
        """Memory of the rings that are ready for the next containers."""
        return sum(pool.in_stock * pool.ring_bytes for pool in self.rings)


class Gatherer:
    """Gathers the numbers of a recorder, its archive and its tracers."""

    def __init__(self, recorder: Recorder, archive: FileArchive, old: Sequence[Tracer], tally: Tally) -> None:
        """The daemon starts now. old: tracers that record what they did, and nothing new."""
        self._recorder, self._archive, self._old = recorder, archive, tuple(old)
        self._tally, self._started_ns = tally, time.time_ns()

    def run_times(self, wait: Callable[[], object]) -> list[RunTime]:
        """How often the programs ran while `wait` waited, and how long. Raises NotTimed, OSError."""
        return self._recorder.tracer.run_times(wait)

    def __call__(self) -> Stats:
        """As they are now."""
        counted, hooks = self._tally.read()
        census = self._recorder.census()
        return Stats(
            node=self._recorder.node,
            started_ns=self._started_ns,
            traces={state: census[state] for state in State if state is not State.CLOSED},
            rings=tuple(tracer.pool.usage() for tracer in (self._recorder.tracer, *self._old)),
            recorded=self._recorder.recorded(),
            counted={what: counted[what] for what in Counted},
            hooks=hooks,
            archive=self._archive.usage(),
            room=self._recorder.tracer.pool.room(),
        )
