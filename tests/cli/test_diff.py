# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""traceloopctl diff: two traces of the daemon or of files, as text and as an object."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from archives import INFO
from fake_daemon import NO_DAEMON, ctl, daemon, path
from golden.record import read

from traceloop_decode.archive_file import pack

pytestmark = pytest.mark.installed


@pytest.fixture
def files(tmp_path):
    for name, info in {"a": replace(INFO, status=0), "b": replace(INFO, trace_id="other", image="busybox:2")}.items():
        (tmp_path / name).write_bytes(pack(info, read("process_children").encode()))
    (tmp_path / "c").write_bytes(pack(replace(INFO, status=9), read("files_open").encode()))
    return [f"file:{tmp_path}/{name}" for name in "abc"]


def test_two_runs_that_did_the_same(ctl, files):
    assert ctl(*NO_DAEMON, "diff", *files[:2]).splitlines() == [
        "A  node1_default_mypod: exited with 0, ran 1 s",
        "B  other: exited with 42, ran 1 s",
        r"The images differ: busybox:1 \342\230\203 and busybox:2.",
        "",
        "Both did the same: no difference in calls, files, peers, output, environment or ends.",
        "Ran for         10.5 ms -> 10.5 ms",
    ]


def test_two_runs_that_differ(ctl, files):
    text = ctl("diff", files[0], files[2])
    assert text.splitlines()[1] == "B  node1_default_mypod: killed by SIGKILL, ran 1 s"
    assert "Processes of B" in text or "First difference" in text
    made = json.loads(ctl("diff", files[0], files[2], "-o", "json"))
    assert made["traces"] == {"a": "node1_default_mypod", "b": "node1_default_mypod"}
    assert made["same"] is False


def test_a_trace_of_the_daemon_and_a_file(daemon, ctl, files):
    assert json.loads(ctl("diff", "node1_default_mypod", files[0], "-o", "json"))["processes"]["only_a"]
    assert ctl("diff", "nothing", files[0], status=1).startswith("no trace nothing: ")
    assert "Missing argument 'B'" in ctl("diff", "node1_default_mypod", status=2)
