# SPDX-License-Identifier: Apache-2.0
"""Traces for the archive: a TraceInfo with every field set, and a small snapshot."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from madeevents import NUMBERS
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.archive_file import TraceInfo

INFO = TraceInfo(
    trace_id="node1_default_mypod",
    node="node1",
    namespace="default",
    pod="mypod",
    pod_uid="d9a3",
    container="mypod",
    container_id="0123456789abcdef",
    image="busybox:1 \N{SNOWMAN}",
    cgroup="/kubepods/mypod",
    started_ns=1_700_000_000_000_000_042,
    ended_ns=1_700_000_001_000_000_000,
    status=42 << 8,
    labels={"app.kubernetes.io/name": "shop", "note": "\N{SNOWMAN}"},
    labels_left_out=3,
    events=1234,
    overwritten=30,
    dropped=4,
    capture="no-payload",
    ring_size_bytes=1 << 15,
    io_uring_setups=2,
    calls=1200,
    errors=17,
    read_bytes=0,
    written_bytes=1 << 33,
    capabilities_granted=1 << 40,
    capabilities_refused=1 << 21,
    out_of_memory=0,
    memory_limit_bytes=64 << 20,
    memory_peak_bytes=60 << 20,
    oom_kills=0,
    oom_by_limit=0,
    arch="x86_64",
    kernel="6.1.0-18-amd64",
    boot_id="9e4e3ae9-52c3-43e2-a1f7-e809da8a9120",
    boot_offset_ns=1_699_999_000_000_000_000,
    version="0.1.0",
)


def info(trace_id: str, ended_ns: int | None = None) -> TraceInfo:
    """Returns INFO with another trace id and, if given, another end."""
    return replace(INFO, trace_id=trace_id, ended_ns=INFO.ended_ns if ended_ns is None else ended_ns)


@cache
def encoded_snapshot(calls: int = 20) -> bytes:
    """Returns an encoded Snapshot of a process that writes "42" repeatedly."""
    ring = RingWriter(ring_size=1 << 15, chunk_size=1 << 12)
    for _ in range(calls):
        ring.enter(0, 7, 1, 1, 7415808, 3, items=item(1, layout.KIND_BUFFER, b"42\n"))
        ring.exit(0, 7, 1, 3)
    return ring.snapshot().encode()


@cache
def failed_snapshot() -> bytes:
    """Returns an encoded Snapshot of a process that does not find its configuration, says so, and exits with 1."""
    ring = RingWriter(1 << 20, 1 << 14)
    ring.name(7, 7, "server")
    name = item(1, layout.KIND_STRING, b"/etc/app.conf")
    ring.enter(1, 7, NUMBERS["openat"], 0xFFFFFF9C, 4096, 0, items=name)
    ring.exit(1, 7, NUMBERS["openat"], -2)
    text = b"cannot read /etc/app.conf\n"
    ring.enter(1, 7, NUMBERS["write"], 2, 4096, len(text), items=item(1, layout.KIND_BUFFER, text))
    ring.exit(1, 7, NUMBERS["write"], len(text))
    ring.enter(1, 7, NUMBERS["exit_group"], 1)
    ring.task_exit(1, 7, 1 << 8)
    return ring.snapshot().encode()
