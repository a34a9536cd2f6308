# SPDX-License-Identifier: Apache-2.0
"""Members of the group, who may only query, against the real daemon: they take nothing from hooks, root or others."""

import json
import os
import socket
import stat
import statistics
import subprocess
import sys
import time

import pytest
from lab import Daemon
from lab.members import IDLE, LOOPING, STOPPED, UID, admit, members, said_before_ready
from recorded_cgroups import Cgroup
from test_daemon import inside, start, trace_of

from traceloop_daemon.service.calls import LARGE
from traceloop_proto import traceloop_pb2 as pb

pytestmark = pytest.mark.kernel

OTHER = 65533
MEDIAN_MS, LONGEST_MS = 250, 1500  # a hook waits for 2 s; bench/ has the real times
UNIT_FDS = 16384  # LimitNOFILE of the unit
FILL = "dd if=/dev/zero of=/dev/null bs=64 count=90000 status=none; echo; cat"


@pytest.fixture
def daemon():
    config = 'node = "node1"\n[ring]\nmax_size = "8M"\n'
    with Daemon(config=config, wrapper=["prlimit", f"--nofile={UNIT_FDS}"]) as daemon:
        admit(daemon)
        yield daemon


@pytest.fixture
def full(daemon):
    """The id of a live trace whose ring is full."""
    with Cgroup() as cgroup, inside(cgroup, "sh", "-c", f"read x; {FILL}") as process:
        # More than a socket and gRPC buffer of an unread answer
        assert start(daemon, "full", process.pid, **{"io.traceloop.ring-size": "8M"}) == "ok\n"
        process.stdin.write(b"go\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"\n"
        yield trace_of(daemon, "full")["id"]
        process.stdin.close()


def hooks_ms(daemon, count=30):
    """Registers `count` containers; returns how many milliseconds each waited for its answer."""
    waited = []
    for number in range(count):
        with Cgroup() as cgroup, inside(cgroup, "cat") as process:
            began_s = time.monotonic()
            assert start(daemon, f"hook-{number}-{began_s}", process.pid) == "ok\n"
            waited.append(1000 * (time.monotonic() - began_s))
            process.stdin.close()
    return waited


def stats(daemon):
    return json.loads(daemon.ctl("stats", "-o", "json").stdout)


def words(count, method, request):
    return str(count), method, request.SerializeToString().hex()


def closed(daemon, trace_id):
    return daemon.ctl("close", trace_id, check=False).returncode == 0


def test_idle_connections_take_nothing_from_hooks_and_root(daemon, full):
    path = daemon.runtime_dir / "traceloop.sock"
    before = path.stat().st_ino
    with members(daemon, IDLE, "6000", count=3) as idle:
        for one in idle:
            assert said_before_ready(one) == []
        waited = hooks_ms(daemon)
        assert statistics.median(waited) < MEDIAN_MS
        assert max(waited) < LONGEST_MS
        assert full in daemon.ctl("list").stdout
        with members(daemon, STOPPED, *words(1, "Watch", pb.WatchRequest()), uids=[OTHER]) as (other,):
            assert said_before_ready(other) == []  # another member is served, too
        held = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))  # noqa: PTH208
        assert held < UNIT_FDS / 4
        assert 17_000 < stats(daemon)["connections_refused"] <= 18_000
        assert closed(daemon, full)
    lines = [line for line in daemon.log.splitlines() if "traceloop.sock was refused" in line]
    assert len(lines) == 1
    assert f"uid {UID}: a connection to traceloop.sock was refused: " in lines[0]
    assert "removed" not in daemon.log
    assert path.stat().st_ino == before


def test_stopped_readers_end_and_keep_nobody_from_asking(daemon, full):
    request = words(8, "Snapshot", pb.TraceRequest(id=full))
    with members(daemon, STOPPED, *request, count=2) as stopped:
        refused = [line for one in stopped for line in said_before_ready(one)]
        assert len(refused) == 16 - LARGE.share.each
        assert {line.split()[0] for line in refused} == {"RESOURCE_EXHAUSTED"}
        assert f"uid {UID} has {LARGE.share.each} readers of traces: wait" in refused[0]
        began_s = time.monotonic()
        assert full in daemon.ctl("list").stdout
        assert daemon.ctl("show", full).returncode == 0
        with members(daemon, STOPPED, *words(1, "Snapshot", pb.TraceRequest(id=full)), uids=[OTHER]) as (other,):
            assert said_before_ready(other) == []
        assert time.monotonic() - began_s < LARGE.deadline_s / 2
        ended = daemon.wait_for_log(lambda line: "reader of a trace was ended" in line, timeout_s=60)
        assert f"uid {UID}: a reader of a trace was ended: it did not read the answer in time" in ended
        end_s = time.monotonic() + 60
        while stats(daemon)["calls_ended"] < LARGE.share.each:  # they began one after the other
            assert time.monotonic() < end_s
        for one in stopped:
            said = one.communicate("\n", timeout=60)[0].splitlines()
            assert len(said) == 8  # one end each: none is left
        found = stats(daemon)
        assert (found["calls_refused"], found["calls_ended"]) == (16 - LARGE.share.each, LARGE.share.each)


@pytest.mark.parametrize("method", ["Snapshot", "List"])
def test_hooks_do_not_wait_for_readers(daemon, full, method):
    request = pb.TraceRequest(id=full) if method == "Snapshot" else pb.ListRequest()
    with members(daemon, LOOPING, *words(8, method, request), count=4, uids=[UID, OTHER]) as reading:
        for one in reading:
            said_before_ready(one)
        waited = hooks_ms(daemon, 60)
    assert statistics.median(waited) < MEDIAN_MS, waited
    assert max(waited) < LONGEST_MS, waited


def test_a_refusal_is_one_clear_line_of_traceloopctl(daemon, full):
    mine = words(LARGE.share.together, "Snapshot", pb.TraceRequest(id=full))
    with members(daemon, STOPPED, *mine, uids=[0]) as (stopped,):
        assert said_before_ready(stopped) == []
        shown = daemon.ctl("show", full, check=False)
        assert shown.returncode == 1
        text = f"uid 0 has {LARGE.share.together} readers of traces: wait until one has ended, or end one of them"
        assert shown.stderr == f"traceloopctl: {text}, then try again\n"
        assert closed(daemon, full)


CONNECT = """
import os, socket, sys
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
for path in sys.argv[1:]:
    with socket.socket(socket.AF_UNIX) as one:
        try:
            one.connect(path)
            print("connected", path)
        except PermissionError:
            pass
"""


def test_strangers_connect_to_nothing():
    with Daemon() as daemon:
        daemon.directory.chmod(0o755)
        modes = {path: path.lstat().st_mode for path in daemon.runtime_dir.rglob("*")}
        sockets = [str(path) for path, mode in modes.items() if stat.S_ISSOCK(mode)]
        assert len(sockets) == 4
        ended = subprocess.run([sys.executable, "-c", CONNECT, *sockets], capture_output=True, text=True, check=True)
        assert ended.stdout == ""
        assert not [path for path, mode in modes.items() if mode & 0o077 and path.name != "traceloop.sock"], modes


def test_no_descriptors_is_no_removed_socket(daemon):
    # Connections of root's hooks take all descriptors.
    limit = 200
    subprocess.run(["prlimit", f"--nofile={limit}:{limit}", f"--pid={daemon.process.pid}"], check=True)
    held = []
    try:
        for _ in range(limit):
            held.append(socket.socket(socket.AF_UNIX))
            held[-1].connect(str(daemon.hook_socket))
        daemon.wait_for_log(lambda line: "cannot accept hooks" in line)
        time.sleep(2.5)  # nothing must happen: the daemon checks its sockets every second
        assert "removed" not in daemon.log
    finally:
        for one in held:
            one.close()
    assert statistics.median(hooks_ms(daemon, 3)) < 1000
