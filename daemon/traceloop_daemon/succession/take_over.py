# SPDX-License-Identifier: Apache-2.0
"""The traces that former daemons left: those that live are gone on with, those that were kept are listed.

Their rings and programs, `adoption` has found before.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence

from traceloop_bpf.tracer import Recording
from traceloop_daemon.archive.directory import FileArchive
from traceloop_daemon.archive.trace_info import trace_of
from traceloop_daemon.errors import RegistrationError
from traceloop_daemon.recording.ends import Watch
from traceloop_daemon.recording.journal import RECORDING_RESUMED, TRACE_LOST, fields
from traceloop_daemon.recording.live_traces import LiveTrace
from traceloop_daemon.recording.recordings import Recordings
from traceloop_daemon.recording.registry import Trace
from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.system import cgroupfs

_log = logging.getLogger(__name__)


def take_over(
    left: Sequence[tuple[LiveTrace, Recording | None]], archive: FileArchive, recordings: Recordings, tally: Tally
) -> None:
    """Takes in what a former daemon left. left: what it was recording when it ended; None: its ring is gone."""
    kept = [trace_of(kept) for kept in archive.scan()]
    with recordings.lock:
        traces = [(_trace(live, recording), live) for live, recording in left]
        for trace, _ in traces:
            if trace.recording is not None:
                recordings.adopt(trace)
        recordings.registry.load(kept, archive.closed_ids())
        _go_on(traces, recordings, tally)


def _trace(live: LiveTrace, recording: Recording | None) -> Trace:
    return Trace(
        id=live.id,
        names=live.names,
        container_id=live.container_id,
        cgroup=live.cgroup,
        started_ns=live.started_ns,
        init_pid=live.init_pid,
        recording=recording,
        open_files=live.open_files if recording is not None else None,
        withheld=live.withheld,
        ring_size_bytes=recording.ring.data_size if recording is not None else 0,
    )


def _go_on(traces: Iterable[tuple[Trace, LiveTrace]], recordings: Recordings, tally: Tally) -> None:
    for trace, live in traces:
        if trace.recording is None:
            recordings.forget_live(live.recorder, live.slot)
            if recordings.registry.get(trace.id) is None:  # else a daemon kept it when it stopped
                recordings.registry.put(trace)
                trace.advance("lose")
                tally.add(Counted.LOST)
                lost = fields(TRACE_LOST, trace)
                _log.error("lost %s: the daemon that recorded it ended, and its ring with it", trace.id, extra=lost)
        elif trace.recording.tracer is recordings.tracer:
            _resume(trace, trace.recording, recordings, tally)
        else:
            # Its ring is of a layout that this version does not record into: what is in it is kept.
            recordings.begin_anew(trace)
            recordings.end(trace, "this version's rings are others")


def _resume(trace: Trace, recording: Recording, recordings: Recordings, tally: Tally) -> None:
    path = cgroupfs.directory(recordings.mount, trace.cgroup)
    try:
        # Its first process may have ended, and its number be another's.
        inside = trace.init_pid and f"{cgroupfs.cgroup_of(trace.init_pid)}/".startswith(f"{trace.cgroup}/")
    except RegistrationError:
        inside = False
    try:
        # The kernel forgets cgroups that are removed: one that it does not know is another of the same path, and so is
        # one that goes into another ring.
        same = recordings.tracer.records(recording, cgroupfs.cgroup_id(path))
        watch = Watch.open(path, trace.init_pid if inside else 0) if same else None
    except RegistrationError:
        watch = None
    if watch is None:
        headers = recording.ring.headers()
        ago_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - headers.exit_ns if headers.exited else 0
        recordings.end(trace, "it ended while there was no daemon", ago_ns)
        return
    try:
        left_out = recording.tracer.extend(recording, cgroupfs.descendants(path))
    except OSError as error:
        _log.error("%s is recorded only in part: not all cgroups below %s: %s", trace.id, trace.cgroup, error)
    else:
        if left_out:
            _log.warning("%s is recorded only in part: without %d cgroups below its own", trace.id, left_out)
    tally.add(Counted.ADOPTED)
    _log.info("recording %s: as the daemon before did", trace.id, extra=fields(RECORDING_RESUMED, trace))
    recordings.resume(trace, watch)
