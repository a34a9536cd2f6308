# SPDX-License-Identifier: Apache-2.0
"""The screen of `why`: what ran, how it ended, why, and the calls that each statement rests on.

A screen has at most `_LINES_MAX` lines: where more is known, the least important is left out, and counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from traceloop_cli.display.colour import painted
from traceloop_cli.display.terminal import folded
from traceloop_cli.display.traces import rfc3339, size
from traceloop_decode.causes.objects import STREAMS, Clock
from traceloop_decode.causes.report import Evidence, Finding, Report, Sure, Wait, Words
from traceloop_decode.causes.verdict import unknown
from traceloop_decode.causes.wording import first_times, part, program, span
from traceloop_decode.safe_text import printable
from traceloop_decode.trace_facts import TraceFacts
from traceloop_decode.values.siginfo import signal_name

_LABEL: Final = 10
_LINES_MAX: Final = 30
_WIDTH_MIN: Final = 60  # narrower terminals break the lines themselves
_EVIDENCE_MAX: Final = 130
_ROWS_OF_ARGV: Final = 2
_BROKEN: Final = 12  # a row ends between words, so some of its columns are not used
_WORDS_MAX: Final = 160
_COLOURS: Final = {Sure.CERTAIN: "red", Sure.LIKELY: "yellow", Sure.POSSIBLE: None}
_ANY: Final = 1000


class _Limits(NamedTuple):
    """The most that is shown: causes, lines of the trace for the first one and for each other, waits, last words.

    rows: those that a line of the trace may take.
    """

    causes: int = _ANY
    first: int = _ANY
    others: int = _ANY
    waits: int = _ANY
    words: int = _ANY
    rows: int = 2


_NONE: Final = _Limits()
_TIGHTER: Final = (
    _NONE,
    _Limits(first=3, others=2, waits=3),
    _Limits(causes=3, first=3, others=1, waits=2, words=3),
    _Limits(causes=3, first=2, others=1, waits=2, words=3, rows=1),
    _Limits(causes=3, first=1, others=1, waits=1, words=1, rows=1),
    _Limits(causes=2, first=1, others=1, waits=1, words=1, rows=1),
)


class _Page(NamedTuple):
    """The lines' times, width (None: they are not broken), and colour. whole: nothing is cut."""

    clock: Clock
    width: int | None
    color: bool
    whole: bool

    def row(self, label: str, text: str, colour: str | None = None) -> Iterator[str]:
        """Yields a labelled text, broken at the width."""
        rows = folded(text, self.width, f"{label:<{_LABEL}}", " " * _LABEL)
        for row in rows or [label]:
            yield f"{row[:_LABEL]}{painted(row[_LABEL:], colour if self.color else None)}"

    def line(self, evidence: Evidence, rows: int) -> Iterator[str]:
        """Yields a line of the trace, in so many rows."""
        head = f"{'':<{_LABEL}}  {self.clock.at(evidence.ts_ns)} tid {evidence.tid}  "
        if self.width is None:
            yield f"{head}{self.cut(evidence.text, _EVIDENCE_MAX)}"
            return
        rest = " " * (_LABEL + 4)
        room = self.width - len(head) + (rows - 1) * (self.width - len(rest) - _BROKEN)
        yield from folded(self.cut(evidence.text, room), self.width, head, rest, anywhere=True)

    def cut(self, text: str, most: int) -> str:
        """Returns a text without its middle if it is too long: its end, such as a call's result, tells most."""
        if self.whole or len(text) <= most:
            return text
        end = most // 3
        return f"{text[: most - 3 - end]}...{text[-end:]}"


def lines(
    report: Report,
    facts: TraceFacts,
    clock: Clock,
    place: str,
    *,
    color: bool = False,
    width: int | None = None,
    whole: bool = False,
) -> Iterator[str]:
    """Yields the lines. place: what follows `traceloopctl show` for this trace. width: of the terminal.

    whole: with all that is known, whatever its length.
    """
    page = _Page(clock, None if width is None else max(width, _WIDTH_MIN), color, whole)
    found: list[str] = []
    for limits in _TIGHTER:
        found = [*_screen(report, facts, page, limits, place)]
        if whole or len(found) <= _LINES_MAX:
            break
    yield from found


def _screen(report: Report, facts: TraceFacts, page: _Page, limits: _Limits, place: str) -> Iterator[str]:
    yield from page.row("trace", printable(facts.trace_id))
    room = _ROWS_OF_ARGV * ((page.width or _WORDS_MAX) - _LABEL) - _BROKEN
    yield from page.row("ran", page.cut(program(report.ran), room))
    if facts.image:
        yield from page.row("image", printable(facts.image))
    yield from page.row("time", _times(facts))
    yield from page.row("recorded", _covered(report, facts))
    yield from page.row("ended", _ended(report), "red" if report.failed else None)
    yield ""
    yield from _causes(report, page, limits)
    yield from _waits(report, page, limits)
    yield from _words(report.words, page, limits)
    if report.configuration is not None:
        yield from page.row("read last", f"{printable(report.configuration.path)}, as configuration")
        yield from page.line(report.configuration.evidence, limits.rows)
    if left_out := _left_out(report, limits):
        yield from folded(f"Left out: {left_out} (why -v)", page.width, "", " " * _LABEL)
    if (first := _first(report)) is not None:
        yield ""
        yield f"More: traceloopctl show {printable(place)} --around {page.clock.at(first.ts_ns)}"


def _times(facts: TraceFacts) -> str:
    began, ended = rfc3339(facts.started_ns), rfc3339(facts.ended_ns)
    if began is None:
        return "not known"
    lived = f" ({span(facts.ended_ns - facts.started_ns)})" if facts.ended_ns else ""
    return f"{_short(began)} to {_short(ended) if ended else 'now'}{lived}"


def _short(text: str) -> str:
    # To the millisecond.
    return f"{text[:23]}Z".replace("T", " ")


def _covered(report: Report, facts: TraceFacts) -> str:
    covered = report.covered
    of_ring = covered.events - covered.firsts if covered.lost else covered.events
    text = f"{part(covered, facts)}: {of_ring:,} {'event' if of_ring == 1 else 'events'} of the program"
    if covered.unread_bytes:
        text += f", without {size(covered.unread_bytes)} in the middle of the ring, which were not read"
    text += first_times(covered)
    if covered.lost:
        text += f"; the ring no longer has {covered.lost:,} earlier ones (ring.size in traceloop.toml)"
    return text


def _ended(report: Report) -> str:
    status, meaning = report.ended.status, report.ended.meaning
    if status.signal is not None:
        return f"by {signal_name(status.signal)}{', with a core dump' if status.core_dumped else ''}"
    if status.exit_code is None:
        return meaning or "not known"
    return f"exit code {status.exit_code}{f' ({meaning})' if meaning else ''}"


def _causes(report: Report, page: _Page, limits: _Limits) -> Iterator[str]:
    if not report.findings:
        text = _nothing(report)
        if text:
            yield from page.row("why", text)
        return
    for n, finding in enumerate(report.findings[: limits.causes]):
        label = ("why" if report.failed else "note") if n == 0 else "also"
        yield from _finding(label, finding, page)
        for evidence in finding.evidence[: limits.others if n else limits.first]:
            yield from page.line(evidence, limits.rows)


def _finding(label: str, finding: Finding, page: _Page) -> Iterator[str]:
    # Only the sentence is painted, which nothing follows on its lines but how sure it is.
    sure = f" [{finding.sure.value}]"
    *before, last = page.row(label, finding.sentence + sure)
    colour = _COLOURS[finding.sure] if page.color else None
    for row in before:
        yield f"{row[:_LABEL]}{painted(row[_LABEL:], colour)}"
    told, is_there, _ = last[_LABEL:].rpartition(sure)
    yield f"{last[:_LABEL]}{painted(told, colour)}{sure}" if is_there else last


def _nothing(report: Report) -> str:
    if report.failed:
        return unknown(report)
    return "There is nothing to explain: it ended well." if report.ended.status.exit_code is not None else ""


def _waits(report: Report, page: _Page, limits: _Limits) -> Iterator[str]:
    others = _other_waits(report)
    for n, wait in enumerate(report.waits if page.whole else others[: limits.waits]):
        yield from page.row("blocked" if n == 0 else "", f"{wait.comm} {wait.what}, {span(wait.waited_ns)}")
        if wait in others:
            yield from page.line(wait.evidence, limits.rows)


def _other_waits(report: Report) -> list[Wait]:
    # Those that no cause tells of.
    told = {evidence for finding in report.findings for evidence in finding.evidence}
    return [wait for wait in report.waits if wait.evidence not in told]


def _words(said: tuple[Words, ...], page: _Page, limits: _Limits) -> Iterator[str]:
    most = page.width - _LABEL - 2 if page.width else _WORDS_MAX
    for words in said:
        for n, line in enumerate(words.lines[-limits.words :]):
            text = printable(line)
            if not page.whole and len(text) > most:
                text = f"...{text[3 - most :]}" if page.width else text[-most:]
            yield f"{STREAMS[words.stream] if n == 0 else '':<{_LABEL}}| {text}"


def _left_out(report: Report, limits: _Limits) -> str:
    findings = report.findings[: limits.causes]
    shown = [(finding, limits.others if n else limits.first) for n, finding in enumerate(findings)]
    counts = (
        (len(report.findings) - len(findings), "cause"),
        (sum(_over(finding.evidence, most) for finding, most in shown), "line of the trace", "lines of the trace"),
        (_over(_other_waits(report), limits.waits), "wait"),
        (sum(_over(words.lines, limits.words) for words in report.words), "line of output", "lines of output"),
    )
    return ", ".join(f"{n} {one if n == 1 else (*many, f'{one}s')[0]}" for n, one, *many in counts if n)


def _over(found: Sequence[object], most: int) -> int:
    return max(len(found) - most, 0)


def _first(report: Report) -> Evidence | None:
    candidates = [evidence for finding in report.findings for evidence in finding.evidence]
    candidates += [wait.evidence for wait in report.waits] + [words.evidence for words in report.words]
    return candidates[0] if candidates else None
