# SPDX-License-Identifier: Apache-2.0
"""Takes over the traces of former daemons: resumes live recordings and lists archived traces.

`adoption` finds their rings and programs first.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from traceloop_bpf.tracer import Recording
from traceloop_daemon.archive.directory import FileArchive
from traceloop_daemon.archive.trace_info import trace_of
from traceloop_daemon.errors import RegistrationError
from traceloop_daemon.recording.ends import Watch
from traceloop_daemon.recording.journal import RECORDING_RESUMED, TRACE_LOST, fields
from traceloop_daemon.recording.live_traces import LiveTrace
from traceloop_daemon.recording.recordings import Recordings
from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.recording.trace import UNCOUNTED, Trace, TraceEvent
from traceloop_daemon.recording.traces import Traces
from traceloop_daemon.system import cgroupfs

_log = logging.getLogger(__name__)


def take_over(
    left: Sequence[tuple[LiveTrace, Recording | None]],
    archive: FileArchive,
    traces: Traces,
    recordings: Recordings,
    tally: Tally,
) -> None:
    """Takes over traces. left: live traces of the former daemon, each with its recording; None: its ring is gone."""
    kept = [trace_of(kept) for kept in archive.scan()]
    reasons = archive.reasons()
    for trace in kept:
        trace.reason = reasons.get(trace.id, "")
    with traces.locked() as registry:
        found = [(_trace(live, recording, traces.node), live) for live, recording in left]
        for trace, _ in found:
            if trace.recording is not None:
                recordings.adopt(trace)
        registry.load(kept, archive.closed_ids())
        for trace, live in found:
            if trace.recording is None:
                traces.forget_live(live.recorder, live.slot)
                if registry.get(trace.id) is None:  # otherwise a daemon archived it when it stopped
                    registry.put(trace)
                    _lose(trace, tally)
            elif trace.recording.tracer is recordings.tracer:
                _resume(trace, trace.recording, recordings, tally)
            else:
                # This version does not record into rings of that layout: the trace ends, and is archived.
                recordings.begin_anew(trace)
                recordings.end(trace, "this version uses another layout of rings")


def _trace(live: LiveTrace, recording: Recording | None, node: str) -> Trace:
    trace = Trace(live.facts, recording=recording, init_pid=live.init_pid, withheld=live.withheld)
    # Counts in the file are outdated. The ring has the current ones, if it still exists.
    trace.learn(node=node, ring_size_bytes=recording.ring.data_size if recording is not None else 0, **UNCOUNTED)
    trace.open_files = live.open_files if recording is not None else None
    return trace


def _lose(trace: Trace, tally: Tally) -> None:
    trace.advance(TraceEvent.LOSE)
    tally.add(Counted.LOST)
    lost = fields(TRACE_LOST, trace.view())
    _log.error("lost %s: its ring did not outlive the daemon that recorded it", trace.id, extra=lost)


def _resume(trace: Trace, recording: Recording, recordings: Recordings, tally: Tally) -> None:
    path = cgroupfs.directory(recordings.mount, trace.facts.cgroup)
    headers = recording.ring.headers()
    # The programs note the end of the first process wherever it was, so a pid that is in use is still its own.
    pid = 0 if headers.exited or not cgroupfs.anywhere(headers.init_pid) else headers.init_pid
    try:
        # The kernel's table forgets removed cgroups. So a cgroup that it does not know, or that records into another
        # ring, is a new one of the same path.
        same = recordings.tracer.records(recording, cgroupfs.cgroup_id(path))
        watch = Watch.open(path if same else None, pid) if same or pid else None  # without its cgroup: it left
    except RegistrationError:
        watch = None
    if watch is None:
        headers = recording.ring.headers()
        ago_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - headers.exit_ns if headers.exited else 0
        recordings.end(trace, "it ended while no daemon ran", ago_ns)
        return
    try:
        left_out = recording.tracer.extend(recording, cgroupfs.descendants(path))
    except OSError as error:
        text = "%s is recorded only in part: cgroups below %s could not be added: %s"
        _log.error(text, trace.id, trace.facts.cgroup, error)
    else:
        if left_out:
            _log.warning("%s is recorded only in part: without %d cgroups below its own", trace.id, left_out)
    tally.add(Counted.ADOPTED)
    _log.info("resumed %s, which a former daemon began", trace.id, extra=fields(RECORDING_RESUMED, trace.view()))
    recordings.resume(trace, watch)
