# SPDX-License-Identifier: Apache-2.0
"""What a former daemon left in the kernel: found again, and brought up to this version while it records."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from traceloop_bpf.kept_fds import Keeper, sort
from traceloop_bpf.loader import LoadError
from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import AdoptionError, Recording, Tracer
from traceloop_daemon.recording.live_traces import LiveTrace
from traceloop_daemon.recording.tally import Counted, Tally

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """tracer: the recorder to go on with. old: others, whose rings have another layout, to be emptied and removed.

    recordings: of each live trace, in the order in which they began; None where its ring is gone.
    """

    tracer: Tracer
    old: tuple[Tracer, ...]
    recordings: tuple[tuple[LiveTrace, Recording | None], ...]


def find(kept: Mapping[str, int], live: Collection[LiveTrace], plan: Plan, keeper: Keeper) -> Found:
    """Adopts what a keeper handed over, by name, and loads a recorder where there is none to go on with.

    Raises LoadError, OSError.
    """
    recorders, unknown = sort(kept)
    for name in unknown:
        _log.warning("a descriptor that is kept as %s is none of this version's: it is closed", name)
        os.close(kept[name])
    keeper.drop(unknown)
    wanted, tracers, recordings = plan.about(), [], {}
    for recorder in recorders:
        its = {(trace.slot, trace.cookie): trace for trace in live if trace.recorder == recorder.number}
        try:
            tracer, claimed = Tracer.adopt(recorder, its.keys(), plan, keeper)
        except AdoptionError as error:
            _log.error("%s: its traces end here", error)
            continue
        tracers.append(tracer)
        for key, slot in claimed.items():
            recordings[its[key].id] = Recording(slot, its[key].recording_ns, tracer)
    fit = [tracer for tracer in tracers if tracer.about.layout == wanted.layout]
    number = max((recorder.number + 1 for recorder in recorders), default=0)
    tracer = fit[-1] if fit else Tracer.load(plan, keeper, number)
    return Found(
        tracer,
        tuple(other for other in tracers if other is not tracer),
        tuple((trace, recordings.get(trace.id)) for trace in sorted(live, key=lambda trace: trace.recording_ns)),
    )


class Succession:
    """Puts this version's programs in the place of a former daemon's, and removes old recorders once they are empty.

    In a thread of its own: compiling takes a second, and containers register meanwhile.
    """

    def __init__(self, found: Found, plan: Plan, tally: Tally) -> None:
        self._found, self._plan, self._tally = found, plan, tally
        self._thread = threading.Thread(target=self._run, name="succession")
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether nothing is exchanged or removed any more."""
        return not self._thread.is_alive()

    def join(self) -> None:
        """Waits for its end."""
        self._thread.join()

    def _run(self) -> None:
        tracer = self._found.tracer
        if tracer.about != self._plan.about():
            try:
                tracer.exchange(self._plan)
                self._tally.add(Counted.EXCHANGES)
                _log.info("the recorder's programs are this version's now, and went on meanwhile")
            except (LoadError, OSError) as error:
                _log.error("the recorder's programs stay those of the daemon before: %s", error)
        for old in self._found.old:
            old.remove()
