# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""Verbs take names: the newest trace of a name, a line about older ones on stderr, and no ID for the newest of all."""

from __future__ import annotations

import re
from copy import deepcopy

import pytest
from fake_daemon import FILE, ctl, daemon, path

from traceloop_proto import traceloop_pb2 as pb

pytestmark = pytest.mark.installed

FIRST = pb.Trace(id="node1_web", node="node1", container="web", started_ns=1, exit_code=1)
POD = pb.Trace(id="node1_shop_till", node="node1", namespace="shop", pod="till", container="till", started_ns=2)
SECOND = pb.Trace(id="node1_web_2", node="node1", container="web", started_ns=3, signal=9)
OLDER = r"web: node1_web_2, the newest of 2 traces; web~1 is node1_web\n"
NEWEST = r"no ID: node1_web_2, the newest of 3 traces\n"


@pytest.fixture(autouse=True)
def traces(daemon):
    daemon.traces = [deepcopy(trace) for trace in (FIRST, POD, SECOND)]


WORDS = pytest.mark.parametrize(
    ("words", "trace_id", "told"),
    [
        (["web"], SECOND.id, OLDER),
        (["web~1"], FIRST.id, ""),
        (["node1_web"], FIRST.id, ""),
        (["till"], POD.id, ""),
        (["shop/till"], POD.id, ""),
        ([], SECOND.id, NEWEST),
    ],
)


@WORDS
def test_every_verb_means_the_same_trace(daemon, ctl, tmp_path, words, trace_id, told):  # noqa: PLR0917
    assert ctl("info", *words, told=told).splitlines()[0] == f"id: {trace_id}"
    assert "write" in ctl("show", *words, told=told)
    assert ctl("dump", *words, "--file", str(tmp_path / "file"), told=told) == ""
    assert (tmp_path / "file").read_bytes() == FILE
    assert daemon.asked == [trace_id, trace_id]
    if words:
        assert ctl("close", *words, told=told) == "closed\n"
        assert trace_id not in {trace.id for trace in daemon.traces}
        assert len(daemon.traces) == 2


@WORDS
def test_every_view_and_export_means_the_same_trace(daemon, ctl, words, trace_id, told):
    for verb in (["summary"], ["files", "--no-pager"], ["export", "--format", "jsonl"], ["export", "--format", "html"]):
        assert ctl(*verb, *words, told=told)
    assert ctl("why", *words, told=told if words else "")  # without an ID: the newest that failed
    assert daemon.asked == [trace_id] * 5
    if words:
        ctl("diff", *words, *words, told=told * 2)
        for trace in daemon.traces:
            trace.ClearField("signal")
            trace.exit_code = 0
        assert ctl("wait", *words, told=told) == "0\n"


def test_two_words_and_a_line_about_each(daemon, ctl):
    lines = ctl("summary", "web", "till", told=OLDER)
    assert SECOND.id in lines
    assert POD.id in lines


def test_close_never_guesses(daemon, ctl):
    assert ctl("close", status=2).startswith("Missing argument 'ID...'")
    assert len(daemon.traces) == 3


def test_a_file_is_no_trace_of_the_daemons(daemon, ctl, tmp_path):
    (tmp_path / "file").write_bytes(FILE)
    ctl("show", "--file", str(tmp_path / "file"))
    assert daemon.asked == []
    assert ctl("show", "web", "--file", str(tmp_path / "file"), status=2).startswith("ID and --file are mutually excl")


def test_where_nothing_is_recorded(daemon, ctl):
    daemon.traces = []
    for verb in ("show", "info"):
        assert ctl(verb, status=1) == "there is no trace yet: `traceloopctl list` says what to do"


def test_names_of_others_cannot_reach_the_terminal(daemon, ctl):
    daemon.traces = [pb.Trace(id=f"n_{number}", container="\x1b[2Jx", started_ns=1) for number in (1, 2)]
    told = re.escape(r"\33[2Jx: n_2, the newest of 2 traces; \33[2Jx~1 is n_1") + "\n"
    assert ctl("info", "\x1b[2Jx", told=told).startswith("id: n_2\n")
