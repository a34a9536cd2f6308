# SPDX-License-Identifier: Apache-2.0
"""The report as JSON values; docs/why.md describes them, and docs/why.schema.json is their schema.

Times are nanoseconds since 1970 (``time_ns``); ``at`` is the same as `show` prints it, for ``show --around``.
"""

from __future__ import annotations

from typing import Any, Final

from traceloop_decode.causes.report import Evidence, Report, Words
from traceloop_decode.text.times import clock as elapsed
from traceloop_decode.values.siginfo import signal_name

SCHEMA: Final = 1
STREAMS: Final = {1: "stdout", 2: "stderr"}
"""The names of the streams that last words went to."""


class Clock:
    """Times of a trace. started_ns: CLOCK_BOOTTIME when recording began. offset_ns: CLOCK_REALTIME - CLOCK_BOOTTIME."""

    def __init__(self, started_ns: int, offset_ns: int) -> None:
        self._started_ns, self._offset_ns = started_ns, offset_ns

    def wall_ns(self, ts_ns: int) -> int | None:
        """Returns CLOCK_REALTIME; None for 0, which stands for not known."""
        return ts_ns + self._offset_ns if ts_ns else None

    def at(self, ts_ns: int) -> str:
        """Returns the time as `show` prints it: ``MM:SS.nnnnnnnnn`` since recording began."""
        return elapsed(ts_ns - self._started_ns)


def report_object(report: Report, clock: Clock) -> dict[str, Any]:
    """Returns what `why -o json` prints, without the trace's own facts."""
    status, read = report.ended.status, report.configuration
    return {
        "schema": SCHEMA,
        "failed": report.failed,
        "ran": {
            "argv": list(report.ran.argv),
            "comm": report.ran.comm,
            "started": report.ran.started,
            "began_ns": clock.wall_ns(report.ran.began_ns),
        },
        "trace": {
            "from_ns": clock.wall_ns(report.covered.from_ns),
            "until_ns": clock.wall_ns(report.covered.until_ns),
            "events": report.covered.events,
            "firsts": report.covered.firsts,
            "lost": report.covered.lost,
            "unread_bytes": report.covered.unread_bytes,
        },
        "ended": {
            "exit_code": status.exit_code,
            "signal": None if status.signal is None else signal_name(status.signal),
            "core_dumped": status.core_dumped,
            "meaning": report.ended.meaning,
            "ended_ns": clock.wall_ns(report.ended.ended_ns),
        },
        "causes": [
            {
                "kind": finding.kind,
                "sentence": finding.sentence,
                "sure": finding.sure.value,
                "score": finding.score,
                "evidence": [_evidence(one, clock) for one in finding.evidence],
            }
            for finding in report.findings
        ],
        "waits": [
            {"comm": one.comm, "what": one.what, "waited_ns": one.waited_ns, "evidence": _evidence(one.evidence, clock)}
            for one in report.waits
        ],
        "last_words": [_words(one, clock) for one in report.words],
        "configuration": None if read is None else {"path": read.path, "evidence": _evidence(read.evidence, clock)},
    }


def _evidence(evidence: Evidence, clock: Clock) -> dict[str, Any]:
    return {
        "at": clock.at(evidence.ts_ns),
        "time_ns": clock.wall_ns(evidence.ts_ns),
        "tid": evidence.tid,
        "text": evidence.text,
    }


def _words(words: Words, clock: Clock) -> dict[str, Any]:
    return {
        "stream": STREAMS[words.stream],
        "lines": list(words.lines),
        "cut": words.cut,
        "evidence": _evidence(words.evidence, clock),
    }
