# SPDX-License-Identifier: Apache-2.0
"""What becomes of traces, told as it happens: in order, without a gap, and without waiting for anyone."""

import json
import signal
import subprocess
import threading
from contextlib import contextmanager

import grpc
import pytest
from lab import Daemon
from lab.daemon import BIN
from recorder import Cgroup
from test_daemon import inside, start, trace_of

from traceloop_daemon import feed as feeds
from traceloop_daemon.calls import FOLLOWING
from traceloop_daemon.feed import LISTENERS_MAX, Feed, Happened, TooManyListeners
from traceloop_daemon.names import Names
from traceloop_daemon.registry import Trace
from traceloop_proto import recorder_pb2 as pb
from traceloop_proto import recorder_pb2_grpc as pb_grpc


def trace(number):
    return Trace(f"t{number}", Names(container="c"), "c", "/c", number, 0, None)


def test_listeners_get_changes_in_order_as_they_were():
    feed = Feed()
    feed.tell(Happened.STARTED, trace(0))  # nobody hears it
    listener, other = feed.listen(), feed.listen()
    one = trace(1)
    feed.tell(Happened.STARTED, one)
    one.advance("end")
    feed.tell(Happened.FROZEN, one)
    for each in (listener, other):
        told = [each.next(), each.next()]
        assert [(change.happened, change.trace.state.value) for change in told] == [
            (Happened.STARTED, "recording"),
            (Happened.FROZEN, "frozen"),
        ]
        assert {change.missed for change in told} == {0}


def test_a_slow_listener_misses_some_and_is_told_how_many(monkeypatch):
    monkeypatch.setattr(feeds, "_WAITING_MAX", 3)
    feed = Feed()
    slow, prompt = feed.listen(), feed.listen()
    for number in range(5):
        feed.tell(Happened.STARTED, trace(number))
        assert prompt.next().trace.id == f"t{number}"
    assert [slow.next().trace.id for _ in range(3)] == ["t0", "t1", "t2"]
    mark = slow.next()
    assert (mark.happened, mark.trace, mark.missed) == (None, None, 2)
    for number in range(5, 10):
        feed.tell(Happened.STARTED, trace(number))
    assert slow.next().trace.id == "t5"
    feed.tell(Happened.STARTED, trace(10))
    told = [slow.next() for _ in range(3)]
    assert [(change.trace.id, change.missed) for change in told] == [("t6", 0), ("t7", 0), ("t10", 2)]


def test_who_leaves_is_woken_and_makes_room():
    feed = Feed()
    listeners = [feed.listen() for _ in range(LISTENERS_MAX)]
    with pytest.raises(TooManyListeners):
        feed.listen()
    ended = threading.Thread(target=listeners[0].next)
    ended.start()
    feed.leave(listeners[0])
    ended.join(30)
    assert not ended.is_alive()
    feed.leave(feed.listen())
    feed.close()
    assert [each.next() for each in listeners] == [None] * LISTENERS_MAX


@pytest.fixture(scope="module")
def daemon():
    with Daemon(config='node = "node1"\n') as daemon:
        yield daemon


@contextmanager
def following(daemon, *words):
    command = [BIN / "traceloopctl", "--address", daemon.address, "list", "--follow", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.kernel
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


@pytest.mark.kernel
def test_more_clients_than_may_follow_are_refused_and_lists_are_still_answered(daemon):
    with grpc.insecure_channel(daemon.address) as channel:
        stub = pb_grpc.RecorderStub(channel)
        most = FOLLOWING.share.together  # for root
        streams = [stub.Watch(pb.WatchRequest()) for _ in range(most)]
        assert [next(stream).kind for stream in streams] == [pb.CHANGE_KIND_READY] * most
        with following(daemon) as refused:
            _, said = refused.communicate(timeout=60)
            assert refused.returncode == 1
            assert "are following already" in said
        assert daemon.ctl("list").returncode == 0
        for stream in streams:
            stream.cancel()
    # Who has gone makes room, and a client that reads nothing holds up no container.
    with grpc.insecure_channel(daemon.address) as channel, Cgroup() as cgroup, inside(cgroup, "cat") as process:
        silent = pb_grpc.RecorderStub(channel).Watch(pb.WatchRequest())
        assert next(silent).kind == pb.CHANGE_KIND_READY
        assert start(daemon, "unread", process.pid) == "ok\n"
        silent.cancel()


@pytest.mark.kernel
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
