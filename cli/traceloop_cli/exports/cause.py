# SPDX-License-Identifier: Apache-2.0
"""States how a container ended, for the top of a picture."""

from __future__ import annotations

from typing import NamedTuple

from traceloop_decode.causes.report import Report
from traceloop_decode.trace_facts import TraceFacts
from traceloop_decode.values.siginfo import signal_name
from traceloop_decode.wait_status import wait_status


class Verdict(NamedTuple):
    """The end of a container in a few words; what its exit code means by convention; and whether that is a failure."""

    words: str
    meaning: str
    failed: bool


def verdict(info: TraceFacts, report: Report) -> Verdict:
    """Returns how the container ended."""
    code, signal, core = wait_status(info.status)
    if signal is not None:
        return Verdict(f"Killed by {signal_name(signal)}{' (core dumped)' if core else ''}", "", failed=True)
    if code is not None:
        return Verdict(f"Exited with {code}", report.ended.meaning, failed=code != 0)
    return Verdict("Ended; how is not known" if info.ended_ns else "Running when this was written", "", failed=False)
