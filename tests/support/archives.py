# SPDX-License-Identifier: Apache-2.0
"""Traces to be archived: what is known of one, and a small written ring."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

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
    arch="x86_64",
    kernel="6.1.0-18-amd64",
    boot_id="9e4e3ae9-52c3-43e2-a1f7-e809da8a9120",
    boot_offset_ns=1_699_999_000_000_000_000,
    version="0.1.0",
)


def info(trace_id: str, ended_ns: int | None = None) -> TraceInfo:
    """INFO of another trace."""
    return replace(INFO, trace_id=trace_id, ended_ns=INFO.ended_ns if ended_ns is None else ended_ns)


@cache
def encoded_snapshot(calls: int = 20) -> bytes:
    """A Snapshot of a process that writes "42" again and again."""
    ring = RingWriter(ring_size=1 << 15, chunk_size=1 << 12)
    for _ in range(calls):
        ring.enter(0, 7, 1, 1, 7415808, 3, items=item(1, layout.KIND_BUFFER, b"42\n"))
        ring.exit(0, 7, 1, 3)
    return ring.snapshot().encode()
