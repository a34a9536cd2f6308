# SPDX-License-Identifier: Apache-2.0
"""The real daemon with the real recorder: good and bad hook messages, ends of containers, what remains afterwards."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from lab import Daemon
from recorded_cgroups import Cgroup

from traceloop_proto.traceloop_pb2 import TraceRequest

pytestmark = pytest.mark.kernel

HOOK = Path(sys.executable).with_name("traceloop-hook")


@pytest.fixture(scope="module")
def daemon():
    with Daemon(config='node = "node1"\n') as daemon:
        yield daemon


@pytest.fixture
def cgroup():
    with Cgroup() as cgroup:
        yield cgroup


@contextmanager
def inside(cgroup, *argv):
    """Runs a program that is in the cgroup when the block begins."""
    with cgroup.start("sh", "-c", 'echo; exec "$@"', "sh", *argv) as process:
        assert process.stdout.readline() == b"\n"
        yield process


def send(daemon, message):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(str(daemon.hook_socket))
        client.sendall(message)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while part := client.recv(4096):
            answer += part
    return answer.decode()


def start(daemon, container_id, pid, **annotations):
    state = {"ociVersion": "1.0.2", "id": container_id, "status": "creating", "pid": pid, "annotations": annotations}
    return send(daemon, b"start\n" + json.dumps(state).encode())


def stop(daemon, container_id):
    return send(daemon, b"stop\n" + json.dumps({"id": container_id, "status": "stopped"}).encode())


def trace_of(daemon, container_id):
    (found,) = [trace for trace in listed(daemon) if trace["container_id"] == container_id]
    return found


def listed(daemon):
    return json.loads(daemon.ctl("list", "-o", "json").stdout)


def calls(daemon, trace_id, name):
    lines = daemon.ctl("show", trace_id, "-o", "jsonl").stdout.splitlines()
    return [event for event in map(json.loads, lines) if event["syscall"] == name and not event["entry_lost"]]


def wait_state(daemon, trace_id, word):
    daemon.wait_for_log(lambda line: f"{word} {trace_id} " in line or f"{word} {trace_id}\n" in line)


BAD = {
    "empty stdin": (b"start\n", "no OCI state"),
    "half a JSON": (b'start\n{"id": "c1", "pi', "not JSON"),
    "noise": (b"start\n" + b"\xfe\x00{" * 300_000, "not JSON"),
    "a pid that is gone": (b'start\n{"id": "bad1", "pid": 4194305}', "is gone"),
    "the root cgroup": (b'start\n{"id": "bad2", "pid": 2}', "root cgroup"),
    "stop without start": (b'stop\n{"id": "bad3"}', "never registered"),
    "an unknown stage": (b'pause\n{"id": "bad4"}', "stage 'pause'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_messages_get_one_line_and_disturb_nothing(daemon, cgroup, case):
    message, reason = BAD[case]
    before, lines = listed(daemon), daemon.log.count("\n")
    answer = send(daemon, message)
    assert answer.startswith("error: ")
    assert reason in answer
    assert answer.count("\n") == 1
    assert listed(daemon) == before
    (line,) = daemon.log.splitlines()[lines:]
    assert reason in line
    with inside(cgroup, "cat") as process:
        assert start(daemon, f"after-{case}", process.pid) == "ok\n"
    assert stop(daemon, f"after-{case}") == "ok\n"


def test_ten_megabytes_of_noise_are_refused_and_the_hook_exits_0(daemon):
    noise = os.urandom(10 << 20)
    command = [HOOK, "start", "--wait", "--socket", str(daemon.hook_socket)]
    ended = subprocess.run(command, input=noise, capture_output=True, timeout=30, check=False)
    assert ended.returncode == 0
    assert ended.stderr.count(b"\n") == 1
    daemon.wait_for_log(lambda line: "more than 1048576 bytes" in line)


def test_a_container_that_is_started_twice_stays_recorded_once(daemon, cgroup):
    with inside(cgroup, "cat") as process:
        assert start(daemon, "twice", process.pid) == "ok\n"
        assert start(daemon, "twice", process.pid) == "ok\n"  # a hook whose daemon died before it answered
        assert "recorded already" in start(daemon, "another-id-same-cgroup", process.pid)
    trace = trace_of(daemon, "twice")
    wait_state(daemon, trace["id"], "frozen")
    assert len(calls(daemon, trace["id"], "exit_group")) == 1


def test_populated_0_freezes_without_a_poststop_and_keeps_the_exit_code(daemon, cgroup):
    with inside(cgroup, "sh", "-c", "read x; exit 42") as process:
        assert start(daemon, "ends", process.pid, **{"io.traceloop.name": "mine"}) == "ok\n"
        process.stdin.write(b"go\n")
    wait_state(daemon, "node1_mine", "frozen")
    trace = trace_of(daemon, "ends")
    assert (trace["id"], trace["node"], trace["container"]) == ("node1_mine", "node1", "mine")
    assert (trace["exit_code"], trace["signal"]) == (42, None)
    assert trace["state"] in ("frozen", "archived")
    (entry,) = calls(daemon, "node1_mine", "exit_group")
    assert entry["args"][0]["value"] == 42
    assert stop(daemon, "ends") == "ok\n"  # the poststop comes later, and changes nothing


def test_a_killed_container_shows_its_signal(daemon, cgroup):
    with inside(cgroup, "cat") as process:
        assert start(daemon, "killed", process.pid) == "ok\n"
        process.kill()
    trace = trace_of(daemon, "killed")
    wait_state(daemon, trace["id"], "frozen")
    trace = trace_of(daemon, "killed")
    assert (trace["exit_code"], trace["signal"]) == (None, 9)


def test_what_the_first_process_leaves_behind_is_recorded_until_it_ends(daemon, cgroup):
    with inside(cgroup, "sh", "-c", "read x; exec 3<&0; (read y <&3; echo later) & exit 3") as process:
        assert start(daemon, "leaves", process.pid) == "ok\n"
        process.stdin.write(b"go\n")
        process.stdin.flush()
        assert process.wait(30) == 3
        trace = trace_of(daemon, "leaves")
        assert (trace["state"], trace["exit_code"]) == ("recording", 3)
        process.stdin.write(b"go on\n")
        process.stdin.flush()
        assert process.stdout.read() == b"later\n"
    wait_state(daemon, trace["id"], "frozen")
    assert [w["args"][1]["data"] for w in calls(daemon, trace["id"], "write")] == ["later\n"]


def test_a_restarted_container_gets_an_id_of_its_own(daemon):
    ids = []
    for _ in range(2):
        with Cgroup() as cgroup, inside(cgroup, "cat") as process:
            assert start(daemon, "again", process.pid, **{"io.traceloop.name": "restarted"}) == "ok\n"
            process.stdin.close()
            process.wait(30)
        ids = [trace["id"] for trace in listed(daemon) if trace["container_id"] == "again"]
        wait_state(daemon, ids[-1], "frozen")
    assert ids == ["node1_restarted", "node1_restarted_2"]


def test_sandboxes_are_not_recorded(daemon, cgroup):
    annotations = {"io.kubernetes.cri.sandbox-name": "p", "io.kubernetes.cri.container-type": "sandbox"}
    with inside(cgroup, "cat") as process:
        assert start(daemon, "pause", process.pid, **annotations) == "ok\n"
    assert not [trace for trace in listed(daemon) if trace["container_id"] == "pause"]


def test_an_added_cgroup_may_be_empty_at_first(daemon, cgroup):
    trace_id = daemon.ctl("add", "--cgroup", str(cgroup.path), "--name", "by-hand").stdout.strip()
    assert trace_id == "node1_by-hand"
    again = daemon.ctl("add", "--cgroup", str(cgroup.path), "--name", "x", check=False)
    assert again.returncode == 1
    assert "recorded already" in again.stderr
    cgroup.run("echo", "hello")
    wait_state(daemon, trace_id, "frozen")
    assert [w["args"][1]["data"] for w in calls(daemon, trace_id, "write")] == ["hello\n"]


@pytest.mark.parametrize("path", ["/", "..", "no/such/cgroup", "/etc"])
def test_what_is_no_cgroup_is_not_added(daemon, path):
    ended = daemon.ctl("add", "--cgroup", path, "--name", "x", check=False)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "cgroup" in ended.stderr


def test_closing_a_live_trace_ends_its_recording(daemon, cgroup):
    with inside(cgroup, "cat") as process:
        assert start(daemon, "live", process.pid) == "ok\n"
        trace = trace_of(daemon, "live")
        assert daemon.ctl("close", trace["id"]).stdout == "closed\n"
        shown = daemon.ctl("show", trace["id"], check=False)
        assert (shown.returncode, shown.stdout) == (1, "")
        assert "closed" in shown.stderr
        # The next container must not get the closed one's calls.
        with Cgroup() as other, inside(other, "cat") as second:
            assert start(daemon, "next", second.pid) == "ok\n"
            process.stdin.write(b"to the closed one\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"to the closed one\n"
            second.stdin.write(b"to the next\n")
            second.stdin.close()
            second.wait(30)
    found = trace_of(daemon, "next")
    wait_state(daemon, found["id"], "frozen")
    assert [w["args"][1]["data"] for w in calls(daemon, found["id"], "write")] == ["to the next\n"]


def ask(daemon, method, request):
    """Returns the status and details of the answer to a request's bytes."""
    with grpc.insecure_channel(daemon.address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary(f"/traceloop.v1.Recorder/{method}")(request, timeout=30)
        return refused.value.code(), refused.value.details()


# Runs in a process of its own: gRPC's client keeps some connections after their channels are closed.
ASK_NONSENSE = """
import sys
import grpc
for _ in range(20):
    with grpc.insecure_channel(sys.argv[1]) as channel:
        call = channel.unary_unary("/traceloop.v1.Recorder/Get", bytes, bytes)
        try:
            call(b"\\x0a\\xff\\xff\\xff\\xff\\x0f", timeout=60)
        except grpc.RpcError as error:
            print(error.code().name, "is no" in error.details())
"""


def test_a_request_that_is_no_message_is_refused_and_leaves_no_descriptor(daemon):
    def held():
        return len(list(Path(f"/proc/{daemon.process.pid}/fd").iterdir()))

    before = held()
    words = [sys.executable, "-c", ASK_NONSENSE, daemon.address]
    asked = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    assert asked.stdout.splitlines() == ["INVALID_ARGUMENT True"] * 20, asked.stderr
    end = time.monotonic() + 60
    while held() > before + 5:  # the last connections end a little later
        assert time.monotonic() < end, f"{before} descriptors, then {held()}"
        time.sleep(0.05)


def test_an_answer_about_an_enormous_word_arrives(daemon):
    status, details = ask(daemon, "Get", TraceRequest(id="\N{SNOWMAN}" * 100_000).SerializeToString())
    assert status is grpc.StatusCode.NOT_FOUND
    assert details.startswith("no trace \N{SNOWMAN}")
    assert details.endswith("...")


def test_only_root_reaches_the_hook_socket(daemon):
    daemon.directory.chmod(0o755)
    hook = shutil.copy(HOOK, daemon.directory)  # the project's directory may be closed to other users
    words = ["setpriv", "--reuid=65534", "--clear-groups", hook, "start", "--wait", "--socket", str(daemon.hook_socket)]
    ended = subprocess.run(words, input=b'{"id": "x", "pid": 1}', capture_output=True, timeout=30, check=False)
    assert ended.returncode == 0
    assert b"Permission denied" in ended.stderr


def test_a_hook_that_says_nothing_does_not_hold_up_others(daemon, cgroup):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(daemon.hook_socket))
        silent.send(b"sta")
        with inside(cgroup, "cat") as process:
            assert start(daemon, "prompt", process.pid) == "ok\n"


def test_two_daemons_do_not_share_a_directory(daemon):
    command = [HOOK.with_name("traceloopd"), "--runtime-dir", daemon.runtime_dir]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "another traceloopd serves" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert listed(daemon) is not None


def test_a_daemon_follows_one_that_was_killed():
    with Daemon() as first:
        first.process.kill()
        first.process.wait()
        command = [HOOK.with_name("traceloopd"), "--runtime-dir", first.runtime_dir, "--state-dir", first.state_dir]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as second:
            assert "ready" in second.stderr.readline()
            second.send_signal(signal.SIGTERM)
        assert second.returncode == 0
        assert not list(first.runtime_dir.iterdir())


def test_the_oldest_trace_makes_room():
    with Daemon(config="[archive]\nmax_traces = 1\n") as daemon:
        for number in range(3):
            with Cgroup() as cgroup, inside(cgroup, "cat") as process:
                assert start(daemon, f"c{number}", process.pid, **{"io.traceloop.name": f"c{number}"}) == "ok\n"
                process.stdin.close()
                process.wait(30)
        daemon.wait_for_log(lambda line: "dropped" in line and "_c1 to keep within max_traces, 1" in line)
        assert [trace["container"] for trace in listed(daemon)] == ["c2"]
        assert [file.name for file in daemon.state_dir.glob("*.trace")] == [listed(daemon)[0]["id"] + ".trace"]


def test_sockets_that_someone_removes_are_put_back(cgroup):
    with Daemon() as daemon:
        for name in ("hook.sock", "traceloop.sock", "control.sock"):
            path = daemon.runtime_dir / name
            mode = path.stat().st_mode
            path.unlink()
            daemon.wait_for_log(lambda line, path=path: f"{path} had been removed" in line)
            assert path.stat().st_mode == mode
        with inside(cgroup, "cat") as process:
            assert start(daemon, "later", process.pid) == "ok\n"
        trace = trace_of(daemon, "later")
        assert daemon.ctl("close", trace["id"]).stdout == "closed\n"
        assert len(os.listdir(daemon.runtime_dir)) == 6  # noqa: PTH208 - these, gRPC's, the lock, live traces
