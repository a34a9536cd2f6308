# SPDX-License-Identifier: Apache-2.0
"""The export ``strace``: the output of ``strace -f -ttt -T -yy -s 1024 -o``, for programs that read such files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

from traceloop_cli.exports.events import named
from traceloop_cli.sources.recorded import Recorded
from traceloop_decode.ring_headers import unrecorded
from traceloop_decode.text import strace
from traceloop_decode.text.notes import unrecorded_notes
from traceloop_decode.text.times import wall_clock
from traceloop_decode.values.options import Options

_STRING_MAX: Final = 1024
_DIGITS: Final = 6


def export(traces: Sequence[Recorded]) -> Iterator[bytes]:
    """Yields the lines of one trace."""
    (trace,) = traces
    snapshot = trace.snapshot
    clock = wall_clock(snapshot.boot_offset_ns, unix=True, digits=_DIGITS)
    layout = strace.Layout(clock=clock, duration_digits=_DIGITS)
    lines = strace.lines(named(snapshot), snapshot, Options(string_max=_STRING_MAX), layout)
    for line in chain(unrecorded_notes(unrecorded(snapshot)), lines):
        yield f"{line}\n".encode()
