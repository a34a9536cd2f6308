# SPDX-License-Identifier: Apache-2.0
"""Explanations of traces: of the daemon's, and of files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from traceloop_cli.errors import Failed
from traceloop_cli.sources.archive_files import opened, read, snapshot
from traceloop_cli.sources.client import DEADLINE_S, connected
from traceloop_cli.sources.failures import has_failed
from traceloop_decode.archive_file import TraceInfo
from traceloop_decode.causes.explain import explain
from traceloop_decode.causes.objects import Clock
from traceloop_decode.causes.report import Report
from traceloop_proto import traceloop_pb2 as pb


class Explained(NamedTuple):
    """A trace's facts and its explanation. place: what follows `traceloopctl show` for this trace."""

    facts: TraceInfo
    report: Report
    clock: Clock
    place: str


def of_file(path: str) -> Explained:
    """Explains an archive file, or standard input. Raises Failed."""
    return of_archive(read(path), path, f"--file {path}")


def of_trace(address: str, trace: str | None) -> Explained:
    """Explains a trace of the daemon; None: the newest one that failed. Raises a CliError."""
    with connected(address) as daemon:
        trace = trace if trace is not None else _newest_failed(daemon.List(pb.ListRequest(), timeout=DEADLINE_S).traces)
        file = b"".join(chunk.data for chunk in daemon.Dump(pb.TraceRequest(id=trace), timeout=DEADLINE_S))
    return of_archive(file, f"trace {trace}")


def of_archive(file: bytes, name: str, place: str = "") -> Explained:
    """Explains an archive file's bytes. name: for messages. place: "" for the trace's id. Raises Failed."""
    facts, encoded = opened(file, name)
    found = snapshot(encoded, name)
    del encoded  # as large as the ring, of which the snapshot has its own copy
    clock = Clock(found.started_ns, found.boot_offset_ns)
    return Explained(facts, explain(found, facts), clock, place or facts.trace_id)


def _newest_failed(traces: Iterable[pb.Trace]) -> str:
    failed = [trace for trace in traces if has_failed(trace)]
    if not failed:
        raise Failed("no container failed: name a trace's ID, as `traceloopctl list` shows it")
    return str(max(failed, key=lambda trace: trace.ended_ns or trace.started_ns).id)
