# SPDX-License-Identifier: Apache-2.0
"""Traces that a command line names, from the daemon or from a file: their facts and their snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from traceloop_cli.sources.archive_files import opened, read, snapshot
from traceloop_cli.sources.client import DEADLINE_S, connected
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


def recorded(address: str, word: str) -> Recorded:
    """Returns the trace of an ID, or of ``file:PATH``. Raises CliError."""
    path = word.removeprefix(FILE)
    if path != word:
        file, name = read(path), path
    else:
        name = f"trace {word}"
        with connected(address) as daemon:
            file = b"".join(chunk.data for chunk in daemon.Dump(TraceRequest(id=word), timeout=DEADLINE_S))
    info, encoded = opened(file, name)
    return Recorded(info, snapshot(encoded, name))
