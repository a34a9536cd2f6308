# SPDX-License-Identifier: Apache-2.0
"""Makes messages of traceloop.proto from the daemon's values."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Final

from traceloop_bpf.run_times import RunTime
from traceloop_daemon.archive.shipping import Shipping
from traceloop_daemon.recording.feed import Change, Happened
from traceloop_daemon.recording.tally import BOUNDS_S, Counted
from traceloop_daemon.recording.trace import State, TraceView
from traceloop_daemon.service.stats import Stats
from traceloop_daemon.system.cgroupfs import cgroup_text
from traceloop_proto import traceloop_pb2 as pb
from traceloop_proto.trace_message import trace_message as message_of

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
    Happened.EXPLAINED: pb.CHANGE_KIND_EXPLAINED,
    Happened.LOST: pb.CHANGE_KIND_LOST,
    Happened.DROPPED: pb.CHANGE_KIND_DROPPED,
    Happened.CLOSED: pb.CHANGE_KIND_CLOSED,
}


def trace_message(trace: TraceView, node: str) -> pb.Trace:
    """Makes the message of a trace. node: this node's name, for a trace without a node's name."""
    facts = trace.facts
    if not facts.cgroup.isascii():  # a cgroup's name may be any bytes
        facts = replace(facts, cgroup=cgroup_text(facts.cgroup))
    message = message_of(facts, state=_STATES[trace.state], size_bytes=trace.size_bytes)
    message.node = message.node or node
    message.reason = trace.reason
    return message


def change_message(change: Change, node: str) -> pb.Change:
    """Makes the message of a change of a trace."""
    if change.trace is None or change.happened is None:
        return pb.Change(kind=pb.CHANGE_KIND_MISSED, missed=change.missed)
    kind = _KINDS[change.happened]
    return pb.Change(kind=kind, trace=trace_message(change.trace, node), missed=change.missed)


def shipping_message(shipping: Shipping | None) -> pb.Shipping | None:
    """Makes the message of the state of traceloop-ship; None of none."""
    return pb.Shipping(**asdict(shipping)) if shipping is not None else None


def stats_reply(stats: Stats, shipping: Shipping | None) -> pb.StatsReply:
    """Makes the message of the daemon's statistics."""
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
        calls=recorded.calls,
        errors=recorded.errors,
        read_bytes=recorded.read_bytes,
        written_bytes=recorded.written_bytes,
        reread=recorded.reread,
        unread=recorded.unread,
        forgotten=recorded.forgotten,
        cgroups_left_out=recorded.left_out,
        io_urings=recorded.io_urings,
        started_by_hook=counted[Counted.STARTED_BY_HOOK],
        started_by_add=counted[Counted.STARTED_BY_ADD],
        started_at_birth=counted[Counted.STARTED_AT_BIRTH],
        births_late=counted[Counted.BIRTHS_LATE],
        births_untold=counted[Counted.BIRTHS_UNTOLD],
        in_call_forgotten=counted[Counted.IN_CALL_FORGOTTEN],
        runtimes_forgotten=counted[Counted.RUNTIMES_FORGOTTEN],
        entries_untold=counted[Counted.ENTRIES_UNTOLD],
        rings_wanted=stats.rings[0].wanted,
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
        reasons_asked=counted[Counted.REASONS_ASKED],
        reasons_failed=counted[Counted.REASONS_FAILED],
        exchanges=counted[Counted.EXCHANGES],
        recorders_replaced=counted[Counted.REPLACEMENTS],
        no_memory=counted[Counted.NO_MEMORY],
        memory_left_bytes=stats.room.left_bytes,
        memory_limit_bytes=stats.room.limit_bytes,
        memory_limit=cgroup_text(stats.room.where),
        ring_bytes=stats.rings[0].ring_bytes,
        shipping=shipping_message(shipping),
    )


def run_times_reply(found: list[RunTime]) -> pb.RunTimesReply:
    """Makes the message of the programs' run times."""
    return pb.RunTimesReply(
        programs=[pb.RunTime(program=one.program, runs=one.runs, time_ns=one.time_ns) for one in found]
    )
