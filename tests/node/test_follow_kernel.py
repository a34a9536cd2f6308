# SPDX-License-Identifier: Apache-2.0
"""`list --follow` with the real daemon: changes to traces are reported at once, and no listener blocks anything."""

import json
import signal
import subprocess
from contextlib import contextmanager

import grpc
import pytest
from lab import Daemon
from lab.daemon import BIN
from recorded_cgroups import Cgroup
from test_daemon import inside, start, trace_of

from traceloop_daemon.service.calls import FOLLOWING
from traceloop_proto import traceloop_pb2 as pb
from traceloop_proto import traceloop_pb2_grpc as pb_grpc

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def daemon():
    with Daemon(config='node = "node1"\n') as daemon:
        yield daemon


@contextmanager
def following(daemon, *words):
    # In the background of a script SIGINT is ignored, which processes inherit.
    command = [
        "env",
        "--default-signal=INT",
        BIN / "traceloopctl",
        "--address",
        daemon.address,
        "list",
        "--follow",
        *words,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_container_is_followed_from_its_start_to_the_end(daemon):
    with Cgroup() as cgroup, inside(cgroup, "cat") as first:
        assert start(daemon, "first", first.pid) == "ok\n"
        with following(daemon, "-o", "json") as follower, following(daemon) as table:
            listed = json.loads(follower.stdout.readline())
            assert (listed["change"], listed["container_id"]) == ("listed", "first")
            assert table.stdout.readline().split()[:3] == ["NODE", "TRACE", "STATE"]
            assert table.stdout.readline().split()[:3] == ["node1", listed["id"], "recording"]
            with Cgroup() as other, inside(other, "sh", "-c", "read x; exit 7") as second:
                assert start(daemon, "second", second.pid) == "ok\n"
                second.stdin.write(b"go\n")
            told = [json.loads(follower.stdout.readline()) for _ in range(3)]
            daemon.ctl("close", trace_of(daemon, "second")["id"])
            told.append(json.loads(follower.stdout.readline()))
            assert [change["change"] for change in told] == ["started", "frozen", "archived", "closed"]
            assert {change["container_id"] for change in told} == {"second"}
            assert [change["exit_code"] for change in told] == [None, 7, 7, 7]
            rows = [table.stdout.readline().split() for _ in range(4)]
            assert [row[2] for row in rows] == ["recording", "frozen", "archived", "closed"]
            table.send_signal(signal.SIGINT)
            assert table.wait(30) == 130
            assert table.stderr.read().endswith("traceloopctl: interrupted\n")


def test_more_clients_than_may_follow_are_refused_and_lists_are_still_answered(daemon):
    with grpc.insecure_channel(daemon.address) as channel:
        stub = pb_grpc.RecorderStub(channel)
        most = FOLLOWING.share.together  # root's share
        streams = [stub.Watch(pb.WatchRequest()) for _ in range(most)]
        assert [next(stream).kind for stream in streams] == [pb.CHANGE_KIND_READY] * most
        with following(daemon) as refused:
            _, said = refused.communicate(timeout=60)
            assert refused.returncode == 1
            assert "are following already" in said
        assert daemon.ctl("list").returncode == 0
        for stream in streams:
            stream.cancel()
    # A client that leaves makes room, and one that reads nothing delays no container.
    with grpc.insecure_channel(daemon.address) as channel, Cgroup() as cgroup, inside(cgroup, "cat") as process:
        silent = pb_grpc.RecorderStub(channel).Watch(pb.WatchRequest())
        assert next(silent).kind == pb.CHANGE_KIND_READY
        assert start(daemon, "unread", process.pid) == "ok\n"
        silent.cancel()


def test_followers_are_told_when_the_daemon_stops():
    with Daemon() as daemon, following(daemon, "--no-legend", "-o", "json") as follower, Cgroup() as cgroup:
        with inside(cgroup, "cat") as process:
            assert start(daemon, "one", process.pid) == "ok\n"
            while json.loads(follower.stdout.readline())["change"] not in ("listed", "started"):
                pass
            daemon.stop()
            _, said = follower.communicate(timeout=60)
        assert follower.returncode == 3
        assert said.startswith("traceloopctl: the daemon stopped")
