# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""traceloopctl list: a table for people, objects for programs."""

from __future__ import annotations

import json
import re

import pytest
from fake_daemon import ctl, daemon, path

from traceloop_cli.display.traces import age, rfc3339, size
from traceloop_proto import recorder_pb2 as pb

pytestmark = pytest.mark.installed


def test_list_is_a_table_and_what_no_verb_does(daemon, ctl):
    lines = ctl("list").splitlines()
    assert lines[0].split() == ["NODE", "TRACE", "STATE", "EXIT", "AGE", "EVENTS", "LOST", "SIZE"]
    rows = [line.split() for line in lines[1:]]
    assert all(re.fullmatch(r"\d+d", row.pop(4)) for row in rows)
    assert rows == [
        ["node1", "node1_default_mypod", "frozen", "1", "1234", "34", "1.0M"],
        ["node1", "node1_default_other", "recording", "SIGKILL", "0", "0", "512B"],
    ]
    assert len({line.index(word) for line, word in zip(lines, ("TRACE", "node1_d", "node1_d"), strict=True)}) == 1
    assert ctl().splitlines() == lines
    for words in (("--no-legend",), ("list", "--no-legend")):
        assert [line.split() for line in ctl(*words).splitlines()] == [line.split() for line in lines[1:]]


def test_a_node_without_traces_is_a_line_of_its_own(daemon, ctl):
    daemon.traces = []
    lines = ctl("list").splitlines()
    assert [line.split() for line in lines[1:]] == [["node1"]]
    assert json.loads(ctl("list", "-o", "json")) == []


def test_list_as_json(daemon, ctl):
    first, second = json.loads(ctl("-o", "json"))
    assert first == {
        "id": "node1_default_mypod",
        "node": "node1",
        "namespace": "default",
        "pod": "mypod",
        "pod_uid": "d9a3",
        "container": "mypod",
        "container_id": "0123456789abcdef",
        "image": "busybox",
        "restart_count": 2,
        "labels": {"app": "shop", "tier": "front"},
        "labels_left_out": 0,
        "state": "frozen",
        "started": "2023-11-14T22:13:20.000000042Z",
        "ended": "2023-11-14T22:13:21.000000000Z",
        "exit_code": 1,
        "signal": None,
        "events": 1234,
        "lost": 34,
        "size_bytes": 1 << 20,
        "cgroup": "/mypod",
        "capture": "no-payload",
        "ring_size_bytes": 4 << 20,
        "io_uring_setups": 3,
    }
    assert (second["ended"], second["exit_code"], second["signal"]) == (None, None, 9)
    assert (second["capture"], second["ring_size_bytes"]) == (None, None)  # of an older version


def test_what_others_chose_cannot_reach_the_terminal(daemon, ctl):
    daemon.traces = [pb.Trace(id="a\x1b[2J\x9b\nb", node="n\x7f", image="\x1b]0;x\x07\x7f", started_ns=1)]
    daemon.traces[0].labels["a\x1b[2J\n"] = "\x9b\x7f\N{SNOWMAN}"
    for words in (("list",), ("list", "-o", "json"), ("info", "a")):
        output = ctl(*words)
        assert output.isascii()
        assert output.replace("\n", "").isprintable()
    assert json.loads(ctl("-o", "json"))[0]["image"] == "\x1b]0;x\x07\x7f"


@pytest.mark.parametrize(("seconds", "text"), [(-5, "0s"), (119, "119s"), (120, "2m"), (7200, "2h"), (172800, "2d")])
def test_ages(seconds, text):
    assert age(seconds * 10**9) == text


@pytest.mark.parametrize(("size_bytes", "text"), [(0, "0B"), (1023, "1023B"), (1024, "1.0K"), (3 << 29, "1.5G")])
def test_sizes(size_bytes, text):
    assert size(size_bytes) == text


def test_times():
    assert rfc3339(0) is None
    assert rfc3339(1) == "1970-01-01T00:00:00.000000001Z"
