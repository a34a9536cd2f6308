# SPDX-License-Identifier: Apache-2.0
"""Adopts the recorders that former daemons left in the kernel, and updates them while they record."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from traceloop_bpf.errors import LoadError
from traceloop_bpf.kept_fds import Keeper, sort
from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import AdoptionError, Recording, Tracer
from traceloop_daemon.recording.live_traces import LiveTrace
from traceloop_daemon.recording.tally import Counted, Tally

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """Adopted recorders. tracer: for new recordings. old: recorders with other layouts, to be emptied and removed.

    recordings: the recording of each live trace, in the order in which they began; None if its ring is gone.
    """

    tracer: Tracer
    old: tuple[Tracer, ...]
    recordings: tuple[tuple[LiveTrace, Recording | None], ...]


def find(kept: Mapping[str, int], live: Collection[LiveTrace], plan: Plan, keeper: Keeper) -> Found:
    """Adopts recorders by the descriptors that a keeper passed, by name; loads a recorder if none has this layout.

    Raises LoadError, OSError.
    """
    recorders, unknown = sort(kept)
    for name in unknown:
        _log.warning("closed the stored descriptor %s: this version has none of that name", name)
        os.close(kept[name])
    keeper.drop(unknown)
    wanted, tracers, recordings = plan.about(), [], {}
    for recorder in recorders:
        its = {(trace.slot, trace.cookie): trace for trace in live if trace.recorder == recorder.number}
        try:
            tracer, claimed = Tracer.adopt(recorder, its.keys(), plan, keeper)
        except AdoptionError as error:
            _log.error("%s: the live traces in its rings cannot be resumed", error)
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
    """Exchanges a former daemon's programs for this version's, and removes old recorders when they are empty.

    The work is done in a separate thread: compiling takes a second, and containers register meanwhile.
    """

    def __init__(self, found: Found, plan: Plan, tally: Tally) -> None:
        self._found, self._plan, self._tally = found, plan, tally
        self._thread = threading.Thread(target=self._run, name="succession")
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """True when the programs are exchanged and the old recorders removed."""
        return not self._thread.is_alive()

    def join(self) -> None:
        """Waits for the thread."""
        self._thread.join()

    def _run(self) -> None:
        tracer = self._found.tracer
        if tracer.about != self._plan.about():
            try:
                tracer.exchange(self._plan)
                self._tally.add(Counted.EXCHANGES)
                _log.info("exchanged the recorder's programs for this version's, without a gap in the recordings")
            except (LoadError, OSError) as error:
                _log.error("the former daemon's programs stay in use, as they cannot be exchanged: %s", error)
            except Exception:  # noqa: BLE001 - the former programs go on
                _log.exception("programs are not exchanged: internal error in traceloopd: please report it")
        for old in self._found.old:
            try:
                old.remove()
            except Exception:  # noqa: BLE001 - the others are removed
                _log.exception("a former recorder is not removed: internal error in traceloopd: please report it")
