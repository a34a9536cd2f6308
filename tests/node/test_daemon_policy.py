# SPDX-License-Identifier: Apache-2.0
"""The real daemon applies its settings: which containers are recorded, what is withheld, what is blotted out."""

import json
import re

import pytest
from lab import Daemon
from recorded_cgroups import Cgroup
from test_daemon import calls, inside, listed, send, start, stop, trace_of, wait_state

from traceloop_decode.archive_file import unpack
from traceloop_decode.snapshot import Snapshot

pytestmark = pytest.mark.kernel

CONFIG = """
node = "node1"
[record]
exclude_namespaces = ["kube-*"]
images = ["*busybox*", ""]
[redact]
patterns = ["pin [0-9]+"]
[ring]
size = "64K"
max_size = "256K"
"""


@pytest.fixture(scope="module")
def daemon():
    with Daemon(config=CONFIG) as daemon:
        yield daemon


@pytest.fixture
def cgroup():
    with Cgroup() as cgroup:
        yield cgroup


def pod(namespace="default", image="busybox:1", **more):
    cri = {"sandbox-name": "pod", "sandbox-namespace": namespace, "container-name": "c", "image-name": image}
    return {f"io.kubernetes.cri.{key}": value for key, value in cri.items()} | more


REFUSED = {
    "opted-out": (pod(**{"io.traceloop.record": "false"}), "its annotation io.traceloop.record is 'false'"),
    "system": (pod("kube-system"), "its namespace 'kube-system' is in record.exclude_namespaces"),
    "other-image": (pod(image="nginx"), "its image 'nginx' is not in record.images"),
}


@pytest.mark.parametrize("container_id", REFUSED)
def test_who_is_not_to_be_recorded_is_not_and_one_line_says_why(daemon, cgroup, container_id):
    annotations, rule = REFUSED[container_id]
    with inside(cgroup, "cat") as process:
        assert start(daemon, container_id, process.pid, **annotations) == "ok\n"
    assert stop(daemon, container_id) == "ok\n"
    line = daemon.wait_for_log(lambda line: container_id in line).rstrip("\n")
    assert [line] == [one for one in daemon.log.splitlines() if container_id in one]
    assert line.startswith(f"traceloopd: container {container_id} (node1_")
    assert line.endswith(f"is not recorded: {rule}")
    assert not [trace for trace in listed(daemon) if trace["container_id"] == container_id]


def test_the_stop_of_one_that_an_earlier_daemon_did_not_record_is_no_error(daemon):
    state = {"id": "before", "annotations": pod(**{"io.traceloop.record": "false"})}
    assert send(daemon, b"stop\n" + json.dumps(state).encode()) == "ok\n"


def test_opt_in(cgroup):
    with Daemon(config='[record]\nmode = "opt-in"\n[capture]\npolicy = "no-payload"\n') as daemon:
        with inside(cgroup, "cat") as process:
            assert start(daemon, "no", process.pid) == "ok\n"
            asked = {"io.traceloop.record": "true", "io.traceloop.capture": "all"}
            assert start(daemon, "yes", process.pid, **asked) == "ok\n"
            process.stdin.write(b"Payload\n")
            process.stdin.close()
            process.wait(30)
        assert [trace["container_id"] for trace in listed(daemon)] == ["yes"]
        assert 'asks for "all", more than allowed: "no-payload" applies' in daemon.log
        trace_id = trace_of(daemon, "yes")["id"]
        wait_state(daemon, trace_id, "frozen")
        (write,) = calls(daemon, trace_id, "write")
        assert trace_of(daemon, "yes")["capture"] == "no-payload"
        assert "data" not in write["args"][1]
        assert write["args"][1]["text"] == hex(write["args"][1]["raw"])
        assert write["ret"] == len(b"Payload\n")


def test_an_annotation_lowers_the_capture_policy(daemon, cgroup):
    with inside(cgroup, "sh", "-c", "read x; exec cat /nonexistent/Path 2>&1") as process:
        assert start(daemon, "lowered", process.pid, **pod(**{"io.traceloop.capture": "paths"})) == "ok\n"
        process.stdin.write(b"go\n")
        process.stdin.close()
        process.wait(30)
    trace_id = trace_of(daemon, "lowered")["id"]
    wait_state(daemon, trace_id, "frozen")
    shown = daemon.ctl("show", trace_id).stdout
    strings = set(re.findall(r'"([^"]*)"', shown))
    assert "/nonexistent/Path" in strings
    assert not {string for string in strings if string not in ("", ".") and string[0] != "/"}
    assert " write(fd=2, buf=0x" in shown


def test_annotations_skip_calls_and_keep_no_new_ones(daemon, cgroup, workload, tmp_path):
    """The calls are counted, `info` says which are missing, and the log names the word that is no call."""
    container_id, program = "skipping", workload("count_calls", "-nostdlib", "-static")
    asked = {"io.traceloop.skip": "lseek,lseke", "io.traceloop.firsts-size": "0"}
    with inside(cgroup, "sh", "-c", 'read x; exec "$0" 3001 /dev/null', program) as process:
        assert start(daemon, container_id, process.pid, **pod(**asked)) == "ok\n"
        process.stdin.write(b"go\n")
        process.stdin.close()
        process.wait(30)
    assert "its annotation io.traceloop.skip names no system call and no class: 'lseke'" in daemon.log
    trace = trace_of(daemon, container_id)
    wait_state(daemon, trace["id"], "frozen")
    assert trace["skipped"] == ["lseek"]
    assert "skipped: lseek" in daemon.ctl("info", trace["id"]).stdout.splitlines()
    assert calls(daemon, trace["id"], "lseek") == []
    assert calls(daemon, trace["id"], "execve")
    daemon.ctl("dump", trace["id"], "--file", str(tmp_path / "dumped"))
    snapshot = Snapshot.decode(unpack((tmp_path / "dumped").read_bytes())[1])
    assert snapshot.totals.native[8].calls == 3001
    assert [area.name for area in snapshot.areas if area.name == "firsts"] == []


@pytest.mark.parametrize(
    ("asked", "note"), [("256K", ""), ("8M", "asks for '8M', more than ring.max_size: 256K applies")]
)
def test_an_annotation_asks_for_a_larger_ring(daemon, cgroup, workload, asked, note):
    container_id, program = f"larger-{asked}", workload("count_calls", "-nostdlib", "-static")
    with inside(cgroup, "sh", "-c", 'read x; exec "$0" 3001 /dev/null', program) as process:
        assert start(daemon, container_id, process.pid, **pod(**{"io.traceloop.ring-size": asked})) == "ok\n"
        trace = trace_of(daemon, container_id)
        assert trace["ring_size_bytes"] == 256 << 10
        assert 256 << 10 < trace["size_bytes"] < 1 << 20  # each of four rings has areas and totals, of 145 KiB
        process.stdin.write(b"go\n")
        process.stdin.close()
        assert process.wait(30) == 0
    wait_state(daemon, trace["id"], "frozen")
    lseeks = calls(daemon, trace["id"], "lseek")  # 190 KiB of them
    assert [call["args"][1]["raw"] for call in lseeks] == [*range(3001)]
    assert note in daemon.log
    assert trace_of(daemon, container_id)["lost"] == 0


def test_secrets_are_blotted_out_live_and_kept(daemon, cgroup):
    with inside(cgroup, "cat") as process:
        assert start(daemon, "secrets", process.pid, **pod()) == "ok\n"
        process.stdin.write(b"user=joe password=hunter2 pin 4711\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"user=joe password=hunter2 pin 4711\n"
        trace_id = trace_of(daemon, "secrets")["id"]
        texts = [daemon.ctl("show", trace_id).stdout]
        process.stdin.close()
        process.wait(30)
    wait_state(daemon, trace_id, "frozen")
    texts.append(daemon.ctl("show", trace_id).stdout)
    for text in texts:
        assert "user=joe password=******* ********\\n" in text
        assert "hunter2" not in text
        assert "4711" not in text
