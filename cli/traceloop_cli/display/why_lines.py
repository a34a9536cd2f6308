# SPDX-License-Identifier: Apache-2.0
"""The screen of `why`: what ran, how it ended, why, and the calls that each statement rests on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from traceloop_cli.display.colour import painted
from traceloop_cli.display.traces import rfc3339, size
from traceloop_decode.causes.objects import Clock
from traceloop_decode.causes.report import Evidence, Finding, Report, Sure, Words
from traceloop_decode.causes.verdict import unknown
from traceloop_decode.safe_text import printable
from traceloop_decode.spans import SECOND_NS
from traceloop_decode.trace_facts import TraceFacts
from traceloop_decode.values.siginfo import signal_name

_LABEL: Final = 10
_EVIDENCE_MAX: Final = 130
_WORDS_MAX: Final = 160
_STREAMS: Final = {1: "stdout", 2: "stderr"}
_COLOURS: Final = {Sure.CERTAIN: "red", Sure.LIKELY: "yellow", Sure.POSSIBLE: None}


def lines(report: Report, facts: TraceFacts, clock: Clock, place: str, *, color: bool = False) -> Iterator[str]:
    """Yields the lines. place: what follows `traceloopctl show` for this trace."""
    yield from _row("trace", facts.trace_id)
    yield from _row("ran", _program(report))
    if facts.image:
        yield from _row("image", printable(facts.image))
    yield from _row("time", _times(facts))
    yield from _row("recorded", _covered(report, facts))
    yield from _row("ended", painted(_ended(report), "red" if report.failed and color else None))
    yield ""
    yield from _causes(report, clock, color=color)
    yield from _waits(report, clock)
    yield from _words(report.words)
    if report.configuration is not None:
        yield from _row("read last", f"{printable(report.configuration.path)}, as configuration")
        yield _line(report.configuration.evidence, clock)
    if (first := _first(report)) is not None:
        yield ""
        yield f"More: traceloopctl show {place} --around {clock.at(first.ts_ns)}"


def _row(label: str, text: str) -> Iterator[str]:
    yield f"{label:<{_LABEL}}{text}"


def _line(evidence: Evidence, clock: Clock) -> str:
    text = evidence.text if len(evidence.text) <= _EVIDENCE_MAX else f"{evidence.text[: _EVIDENCE_MAX - 3]}..."
    return f"{'':<{_LABEL}}  {clock.at(evidence.ts_ns)} tid {evidence.tid}  {text}"


def _program(report: Report) -> str:
    ran = report.ran
    if ran.argv:
        return printable(" ".join(ran.argv))
    if not ran.started:
        return "nothing: the program was never started"
    named = f", a process named {printable(ran.comm)}" if ran.comm else ""
    return f"not known{named}: its start is not in the trace"


def _times(facts: TraceFacts) -> str:
    began, ended = rfc3339(facts.started_ns), rfc3339(facts.ended_ns)
    if began is None:
        return "not known"
    lived = f" ({_span(facts.ended_ns - facts.started_ns)})" if facts.ended_ns else ""
    return f"{_short(began)} to {_short(ended) if ended else 'now'}{lived}"


def _short(text: str) -> str:
    # To the millisecond.
    return f"{text[:23]}Z".replace("T", " ")


def _span(ns: int) -> str:
    return f"{ns / SECOND_NS:.3f} s" if ns < 10 * SECOND_NS else f"{ns / SECOND_NS:,.1f} s"


def _covered(report: Report, facts: TraceFacts) -> str:
    covered = report.covered
    events = f"{covered.events:,} events of the program"
    if covered.unread_bytes:
        events += f", without {size(covered.unread_bytes)} in the middle of the ring, which were not read"
    if not covered.lost:
        return f"its whole life: {events}"
    part = _span(covered.until_ns - covered.from_ns)
    whole = f" of {_span(facts.ended_ns - facts.started_ns)}" if facts.ended_ns else ""
    return f"the last {part}{whole}: {events}; {covered.lost:,} earlier ones were lost (ring.size in traceloop.toml)"


def _ended(report: Report) -> str:
    status, meaning = report.ended.status, report.ended.meaning
    if status.signal is not None:
        return f"by {signal_name(status.signal)}{', with a core dump' if status.core_dumped else ''}"
    if status.exit_code is None:
        return meaning or "not known"
    return f"exit code {status.exit_code}{f' ({meaning})' if meaning else ''}"


def _causes(report: Report, clock: Clock, *, color: bool) -> Iterator[str]:
    if not report.findings:
        text = _nothing(report)
        if text:
            yield from _row("why", text)
        return
    for n, finding in enumerate(report.findings):
        label = "why" if report.failed else "note"
        yield from _row(label if n == 0 else "also", _finding(finding, color=color))
        for evidence in finding.evidence:
            yield _line(evidence, clock)


def _finding(finding: Finding, *, color: bool) -> str:
    shown = painted(finding.sentence, _COLOURS[finding.sure] if color else None)
    return f"{shown} [{finding.sure.value}]"


def _nothing(report: Report) -> str:
    if report.failed:
        return unknown(report)
    return "There is nothing to explain: it ended well." if report.ended.status.exit_code is not None else ""


def _waits(report: Report, clock: Clock) -> Iterator[str]:
    shown = {evidence for finding in report.findings for evidence in finding.evidence}
    for n, wait in enumerate(report.waits):
        yield from _row("blocked" if n == 0 else "", f"{wait.comm} {wait.what}, {_span(wait.waited_ns)}")
        if wait.evidence not in shown:
            yield _line(wait.evidence, clock)


def _words(said: tuple[Words, ...]) -> Iterator[str]:
    for words in said:
        for n, line in enumerate(words.lines):
            text = printable(line)
            yield from _row(_STREAMS[words.stream] if n == 0 else "", f"| {text[-_WORDS_MAX:]}")


def _first(report: Report) -> Evidence | None:
    candidates = [evidence for finding in report.findings for evidence in finding.evidence]
    candidates += [wait.evidence for wait in report.waits] + [words.evidence for words in report.words]
    return candidates[0] if candidates else None
