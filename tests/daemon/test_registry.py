# SPDX-License-Identifier: Apache-2.0
"""Finding a trace by a user's word, and the message when several match."""

from __future__ import annotations

from pathlib import Path

import pytest

from traceloop_daemon.errors import AmbiguousTrace, NoSuchTrace
from traceloop_daemon.recording.finding import Found
from traceloop_daemon.recording.live_traces import LiveTraces
from traceloop_daemon.recording.trace import Trace
from traceloop_daemon.recording.traces import Traces
from traceloop_decode.trace_facts import TraceFacts


@pytest.fixture
def traces(tmp_path: Path) -> Traces:
    return Traces("node1", LiveTraces(tmp_path / "live"))


def fill(traces: Traces, count: int) -> None:
    with traces.locked() as registry:
        for number in range(count):
            registry.put(Trace(TraceFacts(f"node1_web-{number:03}", container_id=f"{number:03}abc")))


@pytest.mark.parametrize(
    ("count", "shown", "more"), [(2, 2, ""), (20, 20, ""), (21, 20, " and 1 more"), (500, 20, " and 480 more")]
)
def test_no_more_than_twenty_candidates_are_named_and_the_others_counted(
    traces: Traces, count: int, shown: int, more: str
) -> None:
    fill(traces, count)
    with pytest.raises(AmbiguousTrace) as caught:
        traces.view("node1_w")
    named = ", ".join(f"node1_web-{number:03}" for number in range(shown))
    assert str(caught.value) == f"node1_w fits {count} traces; give more of the id: {named}{more}"


def test_one_that_fits_alone_is_found_among_any_number(traces: Traces) -> None:
    fill(traces, 500)
    assert traces.view("node1_web-021").id == traces.view("021").id == "node1_web-021"
    with pytest.raises(NoSuchTrace, match="no trace node2"):
        traces.view("node2")
    with pytest.raises(NoSuchTrace):
        traces.view("")


def test_no_word_is_the_newest_and_where_there_is_none_what_to_do_is_said(traces: Traces) -> None:
    with pytest.raises(NoSuchTrace, match="no trace yet: `traceloopctl list` says what to do"):
        traces.found("")
    fill(traces, 3)
    assert traces.found("") == Found("node1_web-002", ("node1_web-001", "node1_web-000"))
