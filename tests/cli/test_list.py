# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""traceloopctl list: a table for people, JSON objects for programs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from fake_daemon import ctl, daemon, path

from traceloop_cli.display.traces import age, rfc3339, size
from traceloop_cli.options.examples import EXAMPLES
from traceloop_proto import traceloop_pb2 as pb

pytestmark = pytest.mark.installed

NOTHING = r"nothing is recorded yet: start a container; [^\n]*`traceloopctl doctor` what prevents recording\n"


def test_list_is_a_table_and_what_no_verb_does(daemon, ctl):
    lines = ctl("list").splitlines()
    assert lines[0].split() == ["NODE", "TRACE", "STATE", "EXIT", "AGE", "EVENTS", "LOST", "SIZE", "ENDED", "REASON"]
    rows = [re.split("  +", line) for line in lines[1:]]
    assert all(re.fullmatch(r"\d+d", row.pop(4)) for row in rows)
    assert re.fullmatch(r"\d+d", rows[0].pop(-2))
    assert rows == [
        ["node1", "node1_default_mypod", "frozen", "1", "1234", "34", "1.0M", "exited with 1"],
        ["node1", "node1_default_other", "recording", "SIGKILL", "0", "0", "512B", "-", "killed by SIGKILL"],
    ]
    assert len({line.index(word) for line, word in zip(lines, ("TRACE", "node1_d", "node1_d"), strict=True)}) == 1
    assert ctl().splitlines() == lines
    for words in (("--no-legend",), ("list", "--no-legend")):
        assert [line.split() for line in ctl(*words).splitlines()] == [line.split() for line in lines[1:]]


def test_the_reason_is_shown_where_the_node_has_found_it(daemon, ctl):
    reason = "cat could not open /etc/app.ini: it does not exist."
    daemon.traces = [pb.Trace(id="n_a", exit_code=1, ended_ns=1, reason=reason), pb.Trace(id="n_b", exit_code=1)]
    first, second = ctl("list", "--no-legend").splitlines()
    assert first.endswith(f"  {reason}")
    assert second.endswith("  exited with 1")
    assert [one["reason"] for one in json.loads(ctl("list", "-o", "json"))] == [reason, None]
    assert f"reason: {reason}" in ctl("info", "n_a").splitlines()


def test_a_node_without_traces_is_a_line_of_its_own(daemon, ctl):
    daemon.traces = []
    lines = ctl("list", told=NOTHING).splitlines()
    assert [line.split() for line in lines[1:]] == [["node1"]]
    assert [line.split() for line in ctl("list", "--quiet").splitlines()] == [lines[0].split()]
    assert json.loads(ctl("list", "-o", "json")) == []


def test_options_choose_traces(daemon, ctl):
    image = "docker.io/library/nginx:1.25@sha256:ab"
    daemon.traces = [
        pb.Trace(id="well", exit_code=0, namespace="shop", pod="till-1", image=image, started_ns=1),
        pb.Trace(id="badly", exit_code=3, namespace="shop", pod="till-2", image="nginx", started_ns=1),
        pb.Trace(id="killed", signal=9, namespace="test", pod="till-1", image="nginx:1.26", started_ns=1),
        pb.Trace(id="asked", signal=15, pod="other", image="localhost/nginx2:1", started_ns=1),
        pb.Trace(id="obeyed", exit_code=143, started_ns=1),
        pb.Trace(id="running", started_ns=1),
    ]
    for words, ids in {
        ("--failed",): ["badly", "killed"],
        ("--pod", "till-1"): ["well", "killed"],
        ("--pod", "till-*"): ["well", "badly", "killed"],
        ("--namespace", "shop"): ["well", "badly"],
        ("--image", "nginx"): ["well", "badly", "killed"],
        ("--image", "nginx:1.25"): ["well"],
        ("--image", "*/nginx*"): ["well", "asked"],
        ("--image", image): ["well"],
        ("--failed", "--pod", "till-1"): ["killed"],
        ("--failed", "--namespace", "shop", "-n", "1"): ["badly"],
        ("--failed", "-r"): ["killed", "badly"],
    }.items():
        assert [one["id"] for one in json.loads(ctl("list", "-o", "json", *words))] == ids, words
    told = "none of the 6 traces fits: `traceloopctl list` without options shows all\n"
    assert ctl("list", "--no-legend", "--pod", "till", told=told) == "node1\n"
    assert ctl("list", "--no-legend", "--pod", "till", "--quiet") == ""
    assert json.loads(ctl("list", "--pod", "", "-o", "json", "--failed")) == []


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
        "reason": None,
        "events": 1234,
        "lost": 34,
        "size_bytes": 1 << 20,
        "cgroup": "/mypod",
        "capture": "no-payload",
        "ring_size_bytes": 4 << 20,
        "io_uring_setups": 3,
        "skipped": [],
        "calls": 1100,
        "errors": 7,
        "read_bytes": 4096,
        "written_bytes": 0,
        "capabilities_granted": ["CAP_CHOWN", "CAP_NET_BIND_SERVICE"],
        "capabilities_refused": [],
        "memory_limit_bytes": 64 << 20,
        "memory_peak_bytes": 60 << 20,
        "oom_kills": 0,
        "oom_by_limit": None,
        "out_of_memory": False,
    }
    assert (second["ended"], second["exit_code"], second["signal"]) == (None, None, 9)
    assert (second["capture"], second["ring_size_bytes"]) == (None, None)  # recorded by an older version


def test_what_others_chose_cannot_reach_the_terminal(daemon, ctl):
    daemon.traces = [pb.Trace(id="a\x1b[2J\x9b\nb", node="n\x7f", image="\x1b]0;x\x07\x7f", started_ns=1)]
    daemon.traces[0].reason = "\x1b[31m\n\N{RIGHT-TO-LEFT OVERRIDE}"
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


def failed_filters():
    """The jq filters for what failed: in the help, and in the manual."""
    manual = (Path(__file__).parents[2] / "docs/man/traceloopctl.1.scd").read_text()
    lines = [line for line, purpose in EXAMPLES["list"] if purpose == "what failed"]
    lines += re.findall(r"^Print the ids of all containers that failed:\n\n```\n(.*\n.*)\n```", manual, re.MULTILINE)
    return [re.fullmatch(r"traceloopctl list -o json \|\s+jq -r '(.*)'", line)[1] for line in lines]


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq: `make setup` installs it")
def test_the_example_for_what_failed_lists_errors_and_signals_alone(daemon, ctl):
    """A container that exits with 0 did not fail, one that a signal killed did; of what is not known, nothing is said."""
    daemon.traces = [
        pb.Trace(id="well", exit_code=0, started_ns=1),
        pb.Trace(id="badly", exit_code=3, started_ns=1),
        pb.Trace(id="killed", signal=9, started_ns=1),
        pb.Trace(id="running", started_ns=1),
    ]
    objects = ctl("list", "-o", "json")
    filters = failed_filters()
    assert len(filters) == 2
    for one in filters:
        ended = subprocess.run(["jq", "-r", one], input=objects, capture_output=True, text=True, check=True, timeout=60)
        assert ended.stdout.split() == ["badly", "killed"]
