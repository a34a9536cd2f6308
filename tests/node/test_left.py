# SPDX-License-Identifier: Apache-2.0
"""The daemon and a container whose first process leaves its cgroup: the trace goes on, and has the exit code."""

import json

import pytest
from lab import Daemon, Runc, hooks, make_bundle, make_root
from recorded_cgroups import TIMEOUT_S, Cgroup
from test_daemon import calls, inside, listed, start, trace_of, wait_state

pytestmark = pytest.mark.kernel

MOVED = "read go; mkdir /proc/after; exit 5"


@pytest.fixture(scope="module")
def daemon():
    with Daemon(config='node = "node1"\n') as daemon:
        yield daemon


def go(process):
    process.communicate(b"go\n", timeout=TIMEOUT_S)


def test_a_container_whose_engine_moves_it_is_recorded_on(daemon):
    with Cgroup() as first, Cgroup() as second, inside(first, "sh", "-c", MOVED) as process:
        assert start(daemon, "moved", process.pid) == "ok\n"
        (second.path / "cgroup.procs").write_text(str(process.pid))
        line = daemon.wait_for_log(lambda line: "is in cgroup" in line and "moved" in line).rstrip()
        assert line.endswith(
            f"its first process, {process.pid}, is in cgroup /{second.path.name} now: it is recorded there"
        )
        trace = trace_of(daemon, "moved")
        assert (trace["state"], trace["cgroup"]) == ("recording", f"/{second.path.name}")
        first.path.rmdir()
        go(process)
        wait_state(daemon, trace["id"], "frozen")
        first.path.mkdir()
    assert trace_of(daemon, "moved")["exit_code"] == 5
    assert [call["args"][0]["data"] for call in calls(daemon, trace["id"], "mkdir")] == ["/proc/after"]


def test_a_container_that_goes_where_others_are_is_told_to_be_there(daemon):
    with Cgroup() as first, Cgroup() as second, second.start("cat") as stranger:
        with inside(first, "sh", "-c", MOVED) as process:
            assert start(daemon, "away", process.pid) == "ok\n"
            (second.path / "cgroup.procs").write_text(str(process.pid))
            line = daemon.wait_for_log(lambda line: "is in cgroup" in line and "away" in line).rstrip()
            assert line.endswith("others are there, so what it does there is not recorded")
            assert trace_of(daemon, "away")["state"] == "recording"
            go(process)
        trace_id = trace_of(daemon, "away")["id"]
        wait_state(daemon, trace_id, "frozen")
        stranger.communicate(timeout=TIMEOUT_S)
    assert trace_of(daemon, "away")["exit_code"] == 5
    assert calls(daemon, trace_id, "mkdir") == []
    assert "left its cgroup: its calls in another are not recorded" in daemon.ctl("show", trace_id).stdout


def test_an_added_cgroup_has_the_exit_code_of_its_first_process(daemon):
    with Cgroup() as cgroup, inside(cgroup, "sh", "-c", "read go; exit 5") as process:
        trace_id = daemon.ctl("add", "--cgroup", str(cgroup.path)).stdout.strip()
        go(process)
        wait_state(daemon, trace_id, "frozen")
    (trace,) = [trace for trace in listed(daemon) if trace["id"] == trace_id]
    assert trace["exit_code"] == 5
    assert any(trace_id in line and "5" in line.split() for line in daemon.ctl("list").stdout.splitlines())


def test_an_empty_cgroup_that_was_added_has_the_exit_code_of_its_first_process(daemon):
    with Cgroup() as cgroup:
        trace_id = daemon.ctl("add", "--cgroup", str(cgroup.path)).stdout.strip()
        cgroup.run("sh", "-c", "exit 6", status=6)
        wait_state(daemon, trace_id, "frozen")
    (trace,) = [trace for trace in listed(daemon) if trace["id"] == trace_id]
    assert trace["exit_code"] == 6


@pytest.mark.runtime
def test_a_real_container_that_is_moved(daemon, tmp_path):
    with Cgroup() as other, Runc(tmp_path / "runc") as runc:
        words = ("sh", "-c", "echo ready; read x; mkdir /after; exit 42")
        bundle = make_bundle(tmp_path / "c", make_root(tmp_path / "root"), words, hooks=hooks(daemon.hook_socket))
        with runc.start(bundle, "real") as process:
            assert process.stdout.readline() == "ready\n"
            pid = json.loads(runc("state", "real").stdout)["pid"]
            (other.path / "cgroup.procs").write_text(str(pid))
            process.communicate("go\n", timeout=TIMEOUT_S)
        trace = trace_of(daemon, "real")
        wait_state(daemon, trace["id"], "frozen")
    assert trace_of(daemon, "real")["exit_code"] == 42
    assert [call["args"][0]["data"] for call in calls(daemon, trace["id"], "mkdir")][-1:] == ["/after"]
