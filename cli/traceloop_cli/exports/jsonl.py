# SPDX-License-Identifier: Apache-2.0
"""The export ``jsonl``: one JSON object an event, as ``show -o jsonl -yy`` prints them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from traceloop_cli.exports.events import named
from traceloop_cli.sources.recorded import Recorded
from traceloop_decode.text import jsonl


def export(traces: Sequence[Recorded]) -> Iterator[bytes]:
    """Yields the lines of one trace."""
    (trace,) = traces
    for line in chain(jsonl.unrecorded_lines(trace.snapshot), jsonl.lines(named(trace.snapshot), trace.snapshot)):
        yield f"{line}\n".encode()
