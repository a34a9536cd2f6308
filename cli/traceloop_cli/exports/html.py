# SPDX-License-Identifier: Apache-2.0
"""The export ``html``: one page that shows a trace as a picture, and needs no network.

Everything that the container wrote, or chose the name of, is untrusted. The page's text is escaped; the trace is JSON
in a script element that is not executed, in which ``<`` is escaped, so that nothing ends the element. The page's policy
(Content-Security-Policy) permits the two elements that it is made of, by their hashes, and nothing else.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from traceloop_cli.exports.cause import verdict
from traceloop_cli.exports.events import drawn
from traceloop_cli.exports.explanation import explanation
from traceloop_cli.exports.markup import element, rows, text
from traceloop_cli.sources.recorded import Recorded
from traceloop_cli.version import VERSION
from traceloop_decode.causes.explain import explain
from traceloop_decode.causes.objects import Clock
from traceloop_decode.causes.report import Report
from traceloop_decode.causes.wording import first_times, part, program
from traceloop_decode.ring_headers import unrecorded
from traceloop_decode.text.notes import unrecorded_notes
from traceloop_decode.timeline.kinds import KINDS
from traceloop_decode.timeline.timeline import EXIT, LOST, SIGNAL, Item, Timeline

_SCRIPTS: Final = ("trace", "picture", "view", "lines", "main")
_WHATS: Final = {what: number for number, what in enumerate((*KINDS, SIGNAL, EXIT, LOST))}
_FIELD: Final = re.compile(r"@([A-Z_]+)@")
_NS: Final = 1_000_000_000
_RAN: Final = "Ran"
_ESCAPES: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&"}


def export(traces: Sequence[Recorded]) -> Iterator[bytes]:
    """Yields the page of one trace."""
    (trace,) = traces
    info, snapshot = trace.info, trace.snapshot
    timeline, report = drawn(snapshot), explain(snapshot, info)
    ended = verdict(info, report)
    style, script = _part("style.css"), _script()
    values = {
        "TITLE": text(info.trace_id),
        "LEVEL": "bad" if ended.failed else "good",
        "VERDICT": text(ended.words) + (f" {element('small', f'({text(ended.meaning)})')}" if ended.meaning else ""),
        "FACTS": "".join(_fact(name, value) for name, value in _facts(trace, timeline, report) if value),
        "WHY": explanation(report, Clock(snapshot.started_ns, snapshot.boot_offset_ns)),
        "NOTES": "".join(element("p", text(note)) for note in _notes(trace)),
        "VERSION": VERSION,
        "STYLE": style,
        "STYLE_HASH": _hash(style),
        "SCRIPT": script,
        "SCRIPT_HASH": _hash(script),
        "DATA": _data(timeline, snapshot.started_ns),
    }
    yield _FIELD.sub(lambda field: values[field[1]], _part("page.html")).encode()


def _fact(name: str, value: str) -> str:
    shown = element("code", text(value)) if name == _RAN else text(value)
    return element("div", rows([(name, shown)]))


def _facts(trace: Recorded, timeline: Timeline, report: Report) -> Iterator[tuple[str, str]]:
    info = trace.info
    yield _RAN, program(report.ran)
    yield "Image", info.image
    yield "Pod", f"{info.namespace}/{info.pod}" if info.pod else ""
    yield "Container", " ".join(dict.fromkeys(filter(None, (info.container, info.container_id[:12]))))
    yield "Node", info.node
    yield "Started", _moment(info.started_ns)
    yield "Ran for", _seconds(info.ended_ns - info.started_ns) if info.ended_ns and info.started_ns else ""
    yield "Shown", _coverage(trace, timeline, report)


def _notes(trace: Recorded) -> Iterator[str]:
    return (note.strip("- ") for note in unrecorded_notes(unrecorded(trace.snapshot)))


def _coverage(trace: Recorded, timeline: Timeline, report: Report) -> str:
    covered, lost = report.covered, sum(1 for item in timeline.items if item.what == LOST)
    lines = f"{len(timeline.items) - lost:,} lines"
    if not covered.lost:
        return f"all of it{' but what is hatched' if lost else ''}, {lines}"
    return f"{part(covered, trace.info)}{first_times(covered)}: {lines}; {covered.lost:,} events lost"


def _moment(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns // _NS, UTC):%Y-%m-%d %H:%M:%S} UTC" if time_ns else ""


def _seconds(span_ns: int) -> str:
    return f"{span_ns / _NS:,.3g} s" if span_ns < 1000 * _NS else f"{span_ns // _NS:,} s"


def _data(timeline: Timeline, zero_ns: int) -> str:
    strings = {"": 0}
    columns: dict[str, list[int]] = {key: [] for key in ("lane", "at", "took", "what", "name", "text", "error")}
    before_ns = timeline.start_ns
    for item in timeline.items:
        for key, value in _row(item, strings).items():
            columns[key].append(value)
        columns["at"].append(item.at_ns - before_ns)
        before_ns = item.at_ns
    trace = {
        "start": timeline.start_ns - zero_ns,
        "end": timeline.end_ns - zero_ns,
        "lanes": [[lane.pid, lane.tid, lane.row, lane.comm] for lane in timeline.lanes],
        "items": columns,
        "strings": [*strings],
    }
    return _json(trace)


def _row(item: Item, strings: dict[str, int]) -> dict[str, int]:
    def place(string: str) -> int:
        return strings.setdefault(string, len(strings))

    return {
        "lane": item.lane,
        "took": item.took_ns if item.returned else -1 - item.took_ns,  # negative: has not returned
        "what": _WHATS[item.what],
        "name": place(item.name),
        "text": place(item.text),
        "error": place(item.error),
    }


def _json(value: Any) -> str:
    # The escaped characters stand in strings alone, and JSON reads them back.
    return json.dumps(value, separators=(",", ":")).translate(_ESCAPES)


@cache
def _part(name: str) -> str:
    return files("traceloop_cli.exports").joinpath("page", name).read_text()


@cache
def _script() -> str:
    body = "\n".join(_part(f"{name}.js") for name in _SCRIPTS)
    return f'"use strict";\n(() => {{\n{body}}})();'


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
