# SPDX-License-Identifier: Apache-2.0
"""States how a container ended, and why, for the top of a picture."""

from __future__ import annotations

from typing import Final, NamedTuple

from traceloop_cli.sources.recorded import Recorded
from traceloop_decode.causes.explain import explain
from traceloop_decode.causes.verdict import sentences
from traceloop_decode.timeline.timeline import SIGNAL, Timeline
from traceloop_decode.values.siginfo import signal_name
from traceloop_decode.wait_status import wait_status

_SENT: Final = "sent by pid"


class Cause(NamedTuple):
    """The end of a container in a few words; whether that is a failure; and lines of evidence."""

    verdict: str
    failed: bool
    lines: tuple[str, ...]


def cause(trace: Recorded, drawn: Timeline) -> Cause:
    """Returns how the container ended, and what `why` says of that, or else the line of the signal that killed it."""
    info = trace.info
    why = tuple(sentences(explain(trace.snapshot, info))) if info.status is not None else ()
    code, signal, core = wait_status(info.status)
    if signal is not None:
        name = signal_name(signal)
        sent = [item.text for item in drawn.items if item.what == SIGNAL and item.name == name and _SENT in item.text]
        verdict = f"Killed by {name}{' (core dumped)' if core else ''}"
        return Cause(verdict, failed=True, lines=why or tuple(line.strip("- ") for line in sent[-1:]))
    if code is not None:
        return Cause(f"Exited with {code}", failed=code != 0, lines=why)
    return Cause(
        "Ended; how is not known" if info.ended_ns else "Running when this was written", failed=False, lines=()
    )
