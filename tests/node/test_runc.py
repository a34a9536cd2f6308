# SPDX-License-Identifier: Apache-2.0
"""Real containers, from their hook to `show`: the original demos line by line, many at once, many in a row."""

import json
import os
import re
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import grpc
import pytest
from lab import Daemon, Runc, hooks, make_bundle, make_root, pod_annotations

from traceloop_proto import traceloop_pb2, traceloop_pb2_grpc

pytestmark = [pytest.mark.kernel, pytest.mark.runtime]

MULTIPLICATION = 'RANDOM=output ; echo "3*7*2" | bc > /tmp/file-$RANDOM ; cat /tmp/file-$RANDOM'
LINE = re.compile(r"(\d\d:\d\d\.\d{9}) cpu#(\d+) pid (\d+) \[(.*?)\] ((?:\.\.\.)?\w+\(.*|--- .*|\+\+\+ .*)")


class Node:
    """A daemon, runc, and a busybox root that all containers share."""

    def __init__(self, directory, daemon, runc):
        self.directory, self.daemon, self.runc = directory, daemon, runc
        self.root = make_root(directory / "root")

    def bundle(self, container_id, *args, pod="", wired=True):
        return make_bundle(
            self.directory / container_id,
            self.root,
            args,
            hooks=hooks(self.daemon.hook_socket) if wired else {},
            annotations=pod_annotations(pod) if pod else {},
        )

    def run(self, container_id, *args, pod=""):
        return self.runc.run(self.bundle(container_id, *args, pod=pod), container_id)

    @contextmanager
    def ended(self, container_id, process):
        """Kills the container at the block's end, whatever happened in it."""
        try:
            yield
        finally:
            self.runc("kill", container_id, "KILL")
            process.wait(60)

    def show(self, trace_id, style):
        self.daemon.wait_for_log(lambda line: f"frozen {trace_id} " in line)
        return self.daemon.ctl("show", trace_id, "-o", style, "--runtime").stdout.splitlines()

    def calls(self, trace_id, *names):
        return [event for event in map(json.loads, self.show(trace_id, "jsonl")) if event["syscall"] in names]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    directory = tmp_path_factory.mktemp("node")
    with Daemon(config='node = "10.0.30.247"\n') as daemon, Runc(directory / "runc") as runc:
        yield Node(directory, daemon, runc)


def whole_calls(lines):
    """Returns (comm, line) of each call, in the order of the returns; a call in two lines is joined."""
    begun, whole = {}, []
    for line in lines:
        tid, comm, text = line[3], line[4], line[5]
        if text.endswith(")..."):
            begun[tid] = comm, text.removesuffix("...")
        elif text.startswith("...") and tid in begun:
            comm, entry = begun.pop(tid)
            whole.append((comm, entry + text.rpartition(")")[2]))
        else:
            whole.append((comm, text))
    return whole


@pytest.mark.vm
def test_the_lost_multiplication(node):
    ended = node.run("c-multiplication", "sh", "-c", MULTIPLICATION, pod="mypod")
    assert ended.returncode == 1
    missing = re.fullmatch(r"cat: can't open '(/tmp/file-\d+)': No such file or directory\n", ended.stderr)[1]
    assert "c-multiplication" not in [container["id"] for container in node.runc.containers()]

    trace_id = "10.0.30.247_default_mypod"
    lines = [LINE.fullmatch(line) for line in node.show(trace_id, "classic") if "--- calls of the runtime" not in line]
    assert None not in lines
    said = whole_calls(lines)
    # sh gives bc its output file; the name differs from the one that cat opens, which is the mistake
    written = [
        re.fullmatch(r'openat\(dfd=\d+, filename=\d+ "(/tmp/file-\d+)", flags=577, mode=438\) = 3', text)
        for comm, text in said
        if comm == "sh"
    ]
    (written,) = [match[1] for match in written if match]
    assert written != missing
    (write,) = [text for comm, text in said if comm == "bc" and text.startswith("write(")]
    assert re.fullmatch(r'write\(fd=1, buf=\d+ "42\\n", count=3\) = 3', write)
    opened = [text for comm, text in said if comm == "cat" and missing in text and text.startswith("openat(")]
    assert [
        re.fullmatch(rf'openat\(dfd=\d+, filename=\d+ "{missing}", flags=0, mode=0\) = 18446744073709551614', text)
        is not None
        for text in opened
    ] == [True]
    (complaint,) = [text for comm, text in said if comm == "cat" and text.startswith("write(")]
    assert re.fullmatch(
        rf'write\(fd=2, buf=\d+ "cat: can\'t open \'{missing}\': No such file or directory\\n", count=60\) = 60',
        complaint,
    )
    # recorded from before the container's own program on
    assert "runc:[2:INIT]" in {comm for comm, _ in said}
    assert sorted(line[1] for line in lines) == [line[1] for line in lines]

    short = "\n".join(node.show(trace_id, "short"))
    assert f'filename="{missing}"' in short
    assert "= -1 ENOENT (No such file or directory)" in short
    (listed,) = [t for t in json.loads(node.daemon.ctl("list", "-o", "json").stdout) if t["id"] == trace_id]
    assert (listed["namespace"], listed["pod"], listed["exit_code"], listed["lost"]) == ("default", "mypod", 1, 0)

    assert node.daemon.ctl("close", trace_id).stdout == "closed\n"
    closed = node.daemon.ctl("show", trace_id, check=False)
    assert closed.returncode == 1
    assert "closed" in closed.stderr


@pytest.mark.vm
def test_the_listing_that_grep_hid(node):
    ended = node.run("c-listing", "sh", "-c", "ls -l /bin | grep wget", pod="lister")
    assert ended.returncode == 0
    assert len(ended.stdout.splitlines()) == 1
    assert ended.stdout.endswith(" wget\n")
    shown = node.show("10.0.30.247_default_lister", "classic")
    lines = [LINE.fullmatch(line) for line in shown if "--- calls of the runtime" not in line]
    looked_at = set()
    for comm, text in whole_calls(lines):
        match = re.fullmatch(r'\w*stat\w*\((?:dfd=\d+, )?filename=\d+ "(/bin/w\w*)", .*\) = 0', text)
        if match and comm == "ls":
            looked_at.add(match[1])
    there = {f"/bin/{path.name}" for path in (node.root / "bin").glob("w*")}
    assert looked_at == there
    assert {"/bin/wget", "/bin/wc", "/bin/who", "/bin/which"} <= looked_at


def test_containers_side_by_side_never_see_each_others_calls(node):
    with ExitStack() as stack:
        started = []
        for name in ("left", "right"):
            script = f'i=0; while [ $i -lt 300 ]; do echo "{name}-$i"; i=$((i+1)); done'
            bundle = node.bundle(f"c-{name}", "sh", "-c", script, pod=name)
            started.append((name, stack.enter_context(node.runc.start(bundle, f"c-{name}"))))
        for _, process in started:
            process.communicate(timeout=60)
            assert process.returncode == 0
    for name, _ in started:
        writes = node.calls(f"10.0.30.247_default_{name}", "write")
        texts = [write["args"][1]["data"] for write in writes if write["comm"] == "sh"]
        assert texts == [f"{name}-{number}\n" for number in range(300)]


def test_a_container_is_shown_while_it_works_hard(node):
    bundle = node.bundle("c-busy", "sh", "-c", "while :; do echo x; done >/dev/null", pod="busy")
    trace_id = "10.0.30.247_default_busy"
    with node.runc.start(bundle, "c-busy") as process, node.ended("c-busy", process):
        node.daemon.wait_for_log(lambda line: f"recording {trace_id}:" in line)
        seen = []
        for _ in range(5):
            lines = [json.loads(line) for line in node.daemon.ctl("show", trace_id, "-o", "jsonl").stdout.splitlines()]
            writes = [
                line
                for line in lines
                if line["syscall"] == "write"
                and line["comm"] == "sh"
                and line["ret"] is not None
                and not line["entry_lost"]
            ]
            assert {(w["args"][1]["data"], w["ret"]) for w in writes if w["args"][0]["value"] == 1} <= {("x\n", 2)}
            assert [line for line in lines if line["event"] == "lost" and line["reason"] == "rejected"] == []
            seen.append(max(line["ts_ns"] for line in lines))
        assert seen == sorted(set(seen))  # the recording never stopped
    node.show(trace_id, "short")
    (trace,) = [t for t in json.loads(node.daemon.ctl("list", "-o", "json").stdout) if t["id"] == trace_id]
    assert trace["signal"] == 9
    assert trace["lost"] > 0


def test_a_container_starts_whatever_the_hook_meets(node, tmp_path):
    for number, socket in enumerate((tmp_path / "absent.sock", Path("/dev/null"))):
        bundle = make_bundle(tmp_path / f"b{number}", node.root, ["echo", "started"], hooks=hooks(socket))
        ended = node.runc.run(bundle, f"c-hookless-{number}")
        assert (ended.returncode, ended.stdout) == (0, "started\n")


def test_two_hundred_containers_in_a_row_leave_nothing(node):
    bundle = node.bundle("c-row", "/bin/true", pod="row")
    usage = []
    stub = traceloop_pb2_grpc.RecorderStub(grpc.insecure_channel(f"unix:{node.daemon.runtime_dir}/control.sock"))
    for number in range(201):
        assert node.runc.run(bundle, "c-row").returncode == 0
        trace_id = "10.0.30.247_default_row" + (f"_{number + 1}" if number else "")
        node.daemon.wait_for_log(lambda line, trace_id=trace_id: f"frozen {trace_id} " in line)
        assert stub.Close(traceloop_pb2.TraceRequest(id=trace_id)).id == trace_id
        if number in (100, 200):
            usage.append(_usage(node.daemon.process.pid))
    before, after = usage
    # A ring may be on its way into the stock, with a descriptor and a duplicate that maps it. A leak in each container
    # would give a hundred.
    assert after["fds"] <= before["fds"] + 2
    assert after["maps"] <= before["maps"] + 2
    assert after["threads"] <= before["threads"]
    assert after["rss_kib"] <= before["rss_kib"] + 1024


def _usage(pid):
    proc = Path("/proc") / str(pid)
    targets = []
    for fd in (proc / "fd").iterdir():
        with suppress(FileNotFoundError):  # another thread has closed it
            targets.append(os.readlink(fd))  # noqa: PTH115 - "anon_inode:bpf-map" is no path
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    return {
        "fds": len(targets),
        "maps": targets.count("anon_inode:bpf-map"),
        "threads": int(status["Threads"]),
        "rss_kib": int(status["VmRSS"].split()[0]),
    }
