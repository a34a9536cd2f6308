# SPDX-License-Identifier: Apache-2.0
"""The report in a sentence or a few, for a list's column or the first lines of a screen."""

from __future__ import annotations

from typing import Final

from traceloop_decode.causes.report import Report
from traceloop_decode.safe_text import printable

_WORDS_MAX: Final = 160


def sentences(report: Report) -> list[str]:
    """Returns the causes; if none is known, one sentence that says so; none where there is nothing to explain."""
    if report.findings:
        return [finding.sentence for finding in report.findings]
    return [unknown(report)] if report.failed else []


def unknown(report: Report) -> str:
    """Returns that the cause of a failure is not known, with the last line that was written."""
    last = _last_words(report)
    return "Not known: no failed call stands out in what is recorded" + (f"; its last words: {last}" if last else "")


def in_one_line(report: Report) -> str:
    """Returns the first cause; if none of a failure is known, its last words; empty if there is nothing to say."""
    if report.findings:
        return report.findings[0].sentence
    last = _last_words(report) if report.failed else ""
    return f"Not known; its last words: {last}" if last else ""


def _last_words(report: Report) -> str:
    said = next((words.lines[-1].strip() for words in report.words if words.lines), "")
    return printable(said)[:_WORDS_MAX]
