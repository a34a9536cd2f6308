# SPDX-License-Identifier: Apache-2.0
"""Draws what `why` says of a container's end as the head of a page: the causes, each with its lines of the trace.

The first cause's lines are open, those of the others are closed until someone opens them, or prints the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from traceloop_cli.exports.markup import element, rows, text
from traceloop_decode.causes.objects import STREAMS, Clock
from traceloop_decode.causes.report import Evidence, Finding, Report
from traceloop_decode.causes.verdict import unknown
from traceloop_decode.causes.wording import said, span


def explanation(report: Report, clock: Clock) -> str:
    """Returns the elements; "" if there is nothing to explain, and nothing was said."""
    causes = "".join(_cause(finding, clock, first=n == 0) for n, finding in enumerate(report.findings))
    if not causes and report.failed:
        causes = element("li", element("p", text(unknown(report))))
    rest = rows(_rest(report, clock))
    return (element("ol", causes) if causes else "") + (element("dl", rest) if rest else "")


def _cause(finding: Finding, clock: Clock, *, first: bool) -> str:
    sure = element("span", finding.sure.value, attributes=f'class="sure {finding.sure.value}"')
    return element(
        "li", element("p", text(finding.sentence), " ", sure), _folded(finding.evidence, clock, opened=first)
    )


def _folded(evidence: Sequence[Evidence], clock: Clock, *, opened: bool) -> str:
    if not evidence:
        return ""
    count = f"{len(evidence)} {'line' if len(evidence) == 1 else 'lines'} of the trace"
    return element("details", element("summary", count), _lines(evidence, clock), attributes="open" if opened else "")


def _lines(evidence: Iterable[Evidence], clock: Clock) -> str:
    lines = (
        element("li", element("span", f"{clock.at(one.ts_ns)} tid {one.tid}"), element("code", text(one.text)))
        for one in evidence
    )
    return element("ul", *lines)


def _rest(report: Report, clock: Clock) -> Iterator[tuple[str, str]]:
    shown = {evidence for finding in report.findings for evidence in finding.evidence}
    for wait in report.waits:
        lines = _lines((wait.evidence,), clock) if wait.evidence not in shown else ""
        yield "Blocked", text(f"{wait.comm} {wait.what}, {span(wait.waited_ns)}") + lines
    for words in report.words:
        yield STREAMS[words.stream], element("pre", "\n".join(text(line) for line in said(words)))
    if (read := report.configuration) is not None:
        yield "Read last", text(f"{read.path}, as configuration") + _lines((read.evidence,), clock)
