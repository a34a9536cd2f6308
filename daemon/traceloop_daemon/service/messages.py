# SPDX-License-Identifier: Apache-2.0
"""The daemon's values as messages of recorder.proto."""

from __future__ import annotations

import os
from typing import Final

from traceloop_bpf.run_times import RunTime
from traceloop_daemon.privacy.capture_policy import CapturePolicy
from traceloop_daemon.recording.feed import Change, Happened
from traceloop_daemon.recording.registry import State, Trace
from traceloop_daemon.recording.tally import BOUNDS_S, Counted
from traceloop_daemon.service.stats import Stats
from traceloop_proto import recorder_pb2 as pb

_STATES: Final = {
    State.RECORDING: pb.STATE_RECORDING,
    State.FROZEN: pb.STATE_FROZEN,
    State.ARCHIVED: pb.STATE_ARCHIVED,
    State.CLOSED: pb.STATE_CLOSED,
    State.MISSING: pb.STATE_MISSING,
    State.TRUNCATED: pb.STATE_TRUNCATED,
    State.ERROR: pb.STATE_ERROR,
}

_KINDS: Final = {
    Happened.STARTED: pb.CHANGE_KIND_STARTED,
    Happened.FROZEN: pb.CHANGE_KIND_FROZEN,
    Happened.ARCHIVED: pb.CHANGE_KIND_ARCHIVED,
    Happened.LOST: pb.CHANGE_KIND_LOST,
    Happened.DROPPED: pb.CHANGE_KIND_DROPPED,
    Happened.CLOSED: pb.CHANGE_KIND_CLOSED,
}

_CAPTURES: Final = {
    CapturePolicy.ALL: pb.CAPTURE_ALL,
    CapturePolicy.NO_PAYLOAD: pb.CAPTURE_NO_PAYLOAD,
    CapturePolicy.PATHS: pb.CAPTURE_PATHS,
}


def trace_message(trace: Trace, node: str) -> pb.Trace:
    """A trace as it is now. node: this one's name, where the trace has none of its own."""
    message = pb.Trace(
        id=trace.id,
        node=trace.node or node,
        namespace=trace.names.namespace,
        pod=trace.names.pod,
        pod_uid=trace.names.pod_uid,
        container=trace.names.container,
        container_id=trace.container_id,
        image=trace.names.image,
        state=_STATES[trace.state],
        started_ns=trace.started_ns,
        ended_ns=trace.ended_ns,
        events=trace.count.events,
        lost=trace.count.lost_events,
        size_bytes=trace.size_bytes,
        cgroup=os.fsencode(trace.cgroup).decode("utf-8", "backslashreplace"),
        restart_count=trace.names.restart_count,
        labels=dict(trace.names.labels.pairs),
        labels_left_out=trace.names.labels.left_out,
        ring_size_bytes=trace.ring_size_bytes,
        io_uring_setups=trace.io_uring_setups,
    )
    policy = None if trace.withheld is None else CapturePolicy.of(trace.withheld)
    if policy is not None:
        message.capture = _CAPTURES[policy]
    if trace.status is not None and trace.status & 0x7F:
        message.signal = trace.status & 0x7F
    elif trace.status is not None:
        message.exit_code = trace.status >> 8 & 0xFF
    return message


def change_message(change: Change, node: str) -> pb.Change:
    """Something that became of a trace."""
    if change.trace is None or change.happened is None:
        return pb.Change(kind=pb.CHANGE_KIND_MISSED, missed=change.missed)
    kind = _KINDS[change.happened]
    return pb.Change(kind=kind, trace=trace_message(change.trace, node), missed=change.missed)


def stats_reply(stats: Stats) -> pb.StatsReply:
    """The daemon's numbers about itself."""
    recorded, counted, archive = stats.recorded, stats.counted, stats.archive
    return pb.StatsReply(
        node=stats.node,
        started_ns=stats.started_ns,
        traces=[pb.StateCount(state=_STATES[state], count=count) for state, count in stats.traces.items()],
        rings_in_use=sum(pool.in_use for pool in stats.rings),
        rings_in_stock=sum(pool.in_stock for pool in stats.rings),
        ring_bytes_in_use=stats.ring_bytes_in_use,
        ring_bytes_in_stock=stats.ring_bytes_in_stock,
        events=recorded.events,
        overwritten=recorded.overwritten,
        dropped=recorded.dropped,
        reread=recorded.reread,
        unread=recorded.unread,
        forgotten=recorded.forgotten,
        cgroups_left_out=recorded.left_out,
        io_urings=recorded.io_urings,
        started_by_hook=counted[Counted.STARTED_BY_HOOK],
        started_by_add=counted[Counted.STARTED_BY_ADD],
        adopted=counted[Counted.ADOPTED],
        excluded=counted[Counted.EXCLUDED],
        hooks_served=counted[Counted.HOOKS_SERVED],
        hooks_refused=counted[Counted.HOOKS_REFUSED],
        hook_durations=pb.Durations(
            bounds_s=BOUNDS_S, counts=stats.hooks.counts, sum_s=stats.hooks.sum_s, longest_s=stats.hooks.longest_s
        ),
        archive_traces=archive.traces,
        archive_bytes=archive.size_bytes,
        archive_waiting=archive.waiting,
        archive_waiting_bytes=archive.waiting_bytes,
        traces_dropped=counted[Counted.DROPPED],
        traces_lost=counted[Counted.LOST],
        snapshots=counted[Counted.SNAPSHOTS],
        connections_refused=counted[Counted.CONNECTIONS_REFUSED],
        calls_refused=counted[Counted.CALLS_REFUSED],
        calls_ended=counted[Counted.CALLS_ENDED],
        exchanges=counted[Counted.EXCHANGES],
        recorders_replaced=counted[Counted.REPLACEMENTS],
        no_memory=counted[Counted.NO_MEMORY],
        memory_left_bytes=stats.room.left_bytes,
        memory_limit_bytes=stats.room.limit_bytes,
        memory_limit=os.fsencode(stats.room.where).decode("utf-8", "backslashreplace"),
        ring_bytes=stats.rings[0].ring_bytes,
    )


def run_times_reply(found: list[RunTime]) -> pb.RunTimesReply:
    """How long programs ran."""
    return pb.RunTimesReply(
        programs=[pb.RunTime(program=one.program, runs=one.runs, time_ns=one.time_ns) for one in found]
    )
