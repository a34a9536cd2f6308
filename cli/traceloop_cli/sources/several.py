# SPDX-License-Identifier: Apache-2.0
"""Snapshots of one trace or several: of the ids that are given, of all traces, or of a pod's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from traceloop_cli.errors import Failed
from traceloop_cli.sources.archive_files import opened, read, snapshot
from traceloop_cli.sources.client import DEADLINE_S, connected
from traceloop_cli.sources.named import named
from traceloop_decode.snapshot import Snapshot
from traceloop_proto.traceloop_pb2 import ListRequest, TraceRequest


class Source(NamedTuple):
    """A trace's snapshot or, of a trace among several that cannot be read, why."""

    trace: str
    snapshot: Snapshot | None
    error: str = ""


def one_of_file(path: str) -> Source:
    """Returns the snapshot of an archive file. Raises Failed."""
    info, encoded = opened(read(path), path)
    return Source(info.trace_id, snapshot(encoded, path))


def of_words(address: str, words: Sequence[str | None]) -> Iterator[Source]:
    """Yields a snapshot per ID, as the daemon makes or reads it; None: of the newest trace.

    Raises CliError for the first that it cannot.
    """
    for word in words:
        with connected(address) as daemon:
            trace_id = named(daemon, word).id
        yield Source(trace_id, _fetched(address, trace_id))


def listed(address: str, pod: str | None) -> list[str]:
    """Returns the ids of all traces, or of a pod's containers, oldest first. pod: its name, or NAMESPACE/NAME.

    Raises Failed if there is none.
    """
    with connected(address) as daemon:
        traces = daemon.List(ListRequest(), timeout=DEADLINE_S).traces
    found = [trace.id for trace in traces if pod is None or pod in (trace.pod, f"{trace.namespace}/{trace.pod}")]
    if not found:
        what = "traces" if pod is None else f"traces of a pod {pod}"
        raise Failed(f"there are no {what}: `traceloopctl list` shows all traces")
    return found


def readable(address: str, ids: Sequence[str]) -> Iterator[Source]:
    """Yields a snapshot per id, or an error for a trace that cannot be read, such as one whose file is damaged."""
    for trace in ids:
        try:
            yield Source(trace, _fetched(address, trace))
        except Failed as error:
            yield Source(trace, None, str(error))


def _fetched(address: str, trace: str) -> Snapshot:
    with connected(address) as daemon:
        encoded = b"".join(chunk.data for chunk in daemon.Snapshot(TraceRequest(id=trace), timeout=DEADLINE_S))
    return snapshot(encoded, f"trace {trace}")
