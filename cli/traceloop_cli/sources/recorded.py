# SPDX-License-Identifier: Apache-2.0
"""Traces that a command line names, from the daemon or from a file: their facts and their snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from traceloop_cli.sources.archive_files import opened, read, snapshot
from traceloop_cli.sources.client import DEADLINE_S, connected
from traceloop_cli.sources.named import named
from traceloop_decode.archive_file import TraceInfo
from traceloop_decode.snapshot import Snapshot
from traceloop_proto.traceloop_pb2 import TraceRequest

FILE: Final = "file:"
"""Begins the name of an archive file where an ID could stand."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A trace: the facts about it, and its events' bytes."""

    info: TraceInfo
    snapshot: Snapshot


def recorded(address: str, word: str | None) -> Recorded:
    """Returns the trace of an ID, or of ``file:PATH``; None: the newest. Raises CliError."""
    if word is not None and word.startswith(FILE):
        name = word.removeprefix(FILE)
        file = read(name)
    else:
        with connected(address) as daemon:
            trace_id = named(daemon, word).id
            file = b"".join(chunk.data for chunk in daemon.Dump(TraceRequest(id=trace_id), timeout=DEADLINE_S))
        name = f"trace {trace_id}"
    info, encoded = opened(file, name)
    return Recorded(info, snapshot(encoded, name))
