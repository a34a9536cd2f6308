# SPDX-License-Identifier: Apache-2.0
"""Explanations of traces: of the daemon's, and of files."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import NamedTuple

from traceloop_cli.errors import Failed
from traceloop_cli.sources.archive_files import opened, read, snapshot
from traceloop_cli.sources.client import DEADLINE_S, connected
from traceloop_cli.sources.failures import has_failed
from traceloop_cli.sources.named import named
from traceloop_decode.archive_file import TraceInfo
from traceloop_decode.causes.explain import explain
from traceloop_decode.causes.objects import Clock
from traceloop_decode.causes.report import Report
from traceloop_proto import traceloop_pb2 as pb


class Explained(NamedTuple):
    """A trace's facts and its explanation. place: what a shell takes after `traceloopctl show` for it."""

    facts: TraceInfo
    report: Report
    clock: Clock
    place: str


def of_file(path: str) -> Explained:
    """Explains an archive file, or standard input. Raises Failed."""
    return of_archive(read(path), path, f"--file {shlex.quote(path)}")


def of_trace(address: str, trace: str | None) -> Explained:
    """Explains a trace of the daemon; None: the newest one that failed. Raises a CliError."""
    with connected(address) as daemon:
        if trace is None:
            trace_id = _newest_failed(daemon.List(pb.ListRequest(), timeout=DEADLINE_S).traces)
        else:
            trace_id = named(daemon, trace).id
        file = b"".join(chunk.data for chunk in daemon.Dump(pb.TraceRequest(id=trace_id), timeout=DEADLINE_S))
    return of_archive(file, f"trace {trace_id}")


def of_archive(file: bytes, name: str, place: str = "") -> Explained:
    """Explains an archive file's bytes. name: for messages. place: "" for the trace's id. Raises Failed."""
    facts, encoded = opened(file, name)
    found = snapshot(encoded, name)
    del encoded  # as large as the ring, of which the snapshot has its own copy
    clock = Clock(found.started_ns, found.boot_offset_ns)
    return Explained(facts, explain(found, facts), clock, place or facts.trace_id)


def _newest_failed(traces: Iterable[pb.Trace]) -> str:
    found = [trace for trace in traces if has_failed(trace)]
    if not found:
        raise Failed("no container failed: name a trace's ID, as `traceloopctl list` shows it")
    return str(max(found, key=lambda trace: trace.ended_ns or trace.started_ns).id)
