# SPDX-License-Identifier: Apache-2.0
"""The daemon's statistics agree with what is known to have happened."""

import json
import subprocess
import sys

import pytest
from lab import Daemon
from recorded_cgroups import Cgroup
from test_daemon import inside, send, start, stop, trace_of, wait_state

pytestmark = pytest.mark.kernel

CALLS = 20_011  # a prime, and more than the ring holds


@pytest.fixture(scope="module")
def daemon():
    with Daemon(config='node = "node1"\n[record]\nexclude_namespaces = ["quiet"]\n[ring]\nsize = "64K"\n') as daemon:
        yield daemon


@pytest.fixture
def cgroup():
    with Cgroup() as cgroup:
        yield cgroup


def stats(daemon):
    return json.loads(daemon.ctl("stats", "-o", "json").stdout)


def grown(before, after):
    """Returns the numbers that changed, with their differences."""
    return {name: after[name] - value for name, value in before.items() if type(value) is int and after[name] != value}


def test_a_container_is_counted_from_its_start_to_its_file(daemon, cgroup, workload):
    before = stats(daemon)
    program = workload("count_calls", "-nostdlib", "-static")
    words = ("sh", "-c", 'read x; exec "$@"', "sh", program, str(CALLS), str(cgroup.path / "cgroup.procs"))
    with inside(cgroup, *words) as process:
        assert start(daemon, "counted", process.pid) == "ok\n"
        live = stats(daemon)
        assert (live["traces"]["recording"], live["rings_in_use"]) == (1, before["rings_in_use"] + 1)
        assert live["ring_bytes_in_use"] > 64 << 10
        assert live["started_by_hook"] == before["started_by_hook"] + 1
        process.stdin.write(b"go\n")
        process.stdin.close()
        assert process.wait(30) == 0
    trace = trace_of(daemon, "counted")
    wait_state(daemon, trace["id"], "frozen")
    trace = trace_of(daemon, "counted")
    ended = stats(daemon)
    assert CALLS < trace["events"] < CALLS + 200  # and the shell's events
    assert trace["lost"] > 0
    assert ended["events"] - before["events"] == trace["events"]
    assert ended["overwritten"] + ended["dropped"] - before["overwritten"] - before["dropped"] == trace["lost"]
    assert stop(daemon, "counted") == "ok\n"
    assert daemon.ctl("close", trace["id"]).stdout == "closed\n"
    closed = stats(daemon)
    assert grown(ended, closed).keys() <= {
        "hooks_served",
        "archive_traces",
        "archive_bytes",
        "memory_left_bytes",
        "rings_in_use",
        "ring_bytes_in_use",
        "rings_in_stock",
        "ring_bytes_in_stock",
    }
    assert closed["events"] == ended["events"]


def test_a_live_trace_that_is_closed_stays_counted(daemon, cgroup):
    with inside(cgroup, "cat") as process:
        assert start(daemon, "closed", process.pid) == "ok\n"
        before = stats(daemon)
        for _ in range(3):
            process.stdin.write(b"x\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"x\n"
        daemon.ctl("close", trace_of(daemon, "closed")["id"])
    assert 6 <= stats(daemon)["events"] - before["events"] <= 9


def test_hooks_and_snapshots_are_counted(daemon, cgroup):
    before = stats(daemon)
    assert send(daemon, b"start\n").startswith("error: ")
    excluded = {"io.kubernetes.cri.sandbox-name": "p", "io.kubernetes.cri.sandbox-namespace": "quiet"}
    with inside(cgroup, "cat") as process:
        assert start(daemon, "left-out", process.pid, **excluded) == "ok\n"
        assert start(daemon, "kept", process.pid) == "ok\n"
    trace = trace_of(daemon, "kept")
    daemon.ctl("show", trace["id"])
    after = grown(before, stats(daemon))
    named = ("hooks_served", "hooks_refused", "excluded", "started_by_hook", "snapshots")
    assert {name: after[name] for name in named} == dict(zip(named, (2, 1, 1, 1, 1), strict=True))
    now = stats(daemon)["hook_durations"]
    waited = {name: now[name] for name in ("sum_s", "longest_s")}
    assert 0 < waited["longest_s"] <= waited["sum_s"]
    assert sum(now["counts"]) - sum(before["hook_durations"]["counts"]) == 3
    assert len(now["counts"]) == len(now["bounds_s"]) + 1


def test_the_table_tells_the_same(daemon):
    lines = daemon.ctl("stats").stdout.splitlines()
    table = {line[:20].strip(): line[20:].strip() for line in lines}
    assert table["node"] == "node1"
    assert table["events"] == str(stats(daemon)["events"])
    assert table["hooks served"] == str(stats(daemon)["hooks_served"])
    assert "longest" in table["waited"]
    assert "50th at most" in table["percentiles"]


def test_programs_are_timed(daemon, cgroup, workload):
    with inside(cgroup, "sh", "-c", "while :; do : </dev/null; done") as process:
        assert start(daemon, "busy", process.pid) == "ok\n"
        found = json.loads(daemon.ctl("stats", "--programs", "--seconds", "0.5", "-o", "json").stdout)
        process.kill()
    by_name = {one["program"]: one for one in found}
    assert by_name.keys() >= {"on_sys_enter", "on_sys_exit", "on_cgroup_mkdir"}
    for name in ("on_sys_enter", "on_sys_exit"):
        assert 0 < by_name[name]["runs"] < by_name[name]["time_ns"]
    table = daemon.ctl("stats", "--programs", "--seconds", "0.1").stdout.splitlines()
    assert table[0].split() == ["PROGRAM", "RUNS", "TIME_MS", "NS_A_RUN", "CPU"]
    assert len(table) == 1 + len(found)


def test_only_root_has_programs_timed(daemon):
    # The queries' socket refuses it, whoever asks.
    code = (
        "import grpc, sys\n"
        "from traceloop_proto import traceloop_pb2 as pb, traceloop_pb2_grpc as stubs\n"
        "stub = stubs.RecorderStub(grpc.insecure_channel(sys.argv[1]))\n"
        "try:\n    stub.RunTimes(pb.RunTimesRequest(for_ms=1))\n"
        "except grpc.RpcError as error:\n    print(error.code().name)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, daemon.address], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == "PERMISSION_DENIED\n"
