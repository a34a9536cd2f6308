# SPDX-License-Identifier: Apache-2.0
"""A trace as the archive knows it, and back."""

from __future__ import annotations

from sys import intern
from typing import Final

from traceloop_daemon.archive.kept_files import FileState, Kept
from traceloop_daemon.naming.labels import Labels
from traceloop_daemon.naming.names import Names
from traceloop_daemon.privacy.capture_policy import CapturePolicy
from traceloop_daemon.recording.registry import State, Trace
from traceloop_daemon.system.host import host
from traceloop_decode.archive_file import TraceInfo
from traceloop_decode.ring import Count, Headers, unrecorded
from traceloop_decode.snapshot import Snapshot

FILE_EVENTS: Final = {
    FileState.WHOLE: "archive",
    FileState.TRUNCATED: "truncate",
    FileState.MISSING: "lose",
    FileState.DAMAGED: "damage",
}
"""What the state of a file means for its trace: an event of registry's table."""


def info_of(trace: Trace, snapshot: Snapshot, node: str) -> TraceInfo:
    """What an archive file says of a trace, whose counts are fresh. snapshot: of its ring. Raises OSError."""
    dropped = sum(cpu.dropped for cpu in Headers.parse(snapshot.headers[0], snapshot.cpus).cpus)
    policy = None if trace.withheld is None else CapturePolicy.of(trace.withheld)
    return TraceInfo(
        trace_id=trace.id,
        node=node,
        namespace=trace.names.namespace,
        pod=trace.names.pod,
        pod_uid=trace.names.pod_uid,
        container=trace.names.container,
        container_id=trace.container_id,
        image=trace.names.image,
        cgroup=trace.cgroup,
        started_ns=trace.started_ns,
        ended_ns=trace.ended_ns,
        status=trace.status,
        restart_count=trace.names.restart_count,
        labels=dict(trace.names.labels.pairs),
        labels_left_out=trace.names.labels.left_out,
        events=trace.count.events,
        overwritten=max(0, trace.count.lost_events - dropped),
        dropped=dropped,
        capture=policy.value if policy else "",
        ring_size_bytes=trace.ring_size_bytes,
        io_uring_setups=unrecorded(snapshot).io_urings,
        arch=snapshot.arch,
        kernel=host().kernel,
        boot_id=host().boot_id,
        boot_offset_ns=snapshot.boot_offset_ns,
        version=host().version,
    )


def trace_of(kept: Kept) -> Trace:
    """The trace that a file of the archive holds; of one whose head cannot be read, little more than the id."""
    info = kept.info or TraceInfo(kept.trace_id)
    node, container, namespace, image = map(intern, (info.node, info.container, info.namespace, info.image))
    labels = Labels.of(info.labels, info.labels_left_out)
    trace = Trace(
        id=kept.trace_id,
        names=Names(
            container, info.pod, namespace, info.pod_uid, image, restart_count=info.restart_count, labels=labels
        ),
        container_id=info.container_id,
        cgroup=info.cgroup,
        started_ns=info.started_ns,
        init_pid=0,
        recording=None,
        withheld=_withheld(info.capture),
        ring_size_bytes=info.ring_size_bytes,
        io_uring_setups=info.io_uring_setups,
        state=State.FROZEN,
        ended_ns=info.ended_ns,
        status=info.status,
        count=Count(0, info.events, 0, info.lost),
        size_bytes=kept.size_bytes,
        node=node,
    )
    if kept.state is not FileState.WAITING:
        trace.advance(FILE_EVENTS[kept.state])
    return trace


def _withheld(capture: str) -> int | None:
    # By a policy's word; None for one that is not there, or that only a newer version knows.
    try:
        return CapturePolicy(capture).withheld
    except ValueError:
        return None
