# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F811 - fixtures
"""show --follow of a ring that grows while it is read."""

from __future__ import annotations

import subprocess
import threading

import pytest
from fake_daemon import KILLED, TIMEOUT_S, daemon, path, started  # noqa: F401 - fixtures
from ringwriter import RingWriter

from traceloop_decode.following import HOLD_NS
from traceloop_proto import traceloop_pb2 as pb

pytestmark = pytest.mark.installed

CLOSE, READ = 3, 0


class Live:
    """A container that runs, in a fake daemon."""

    def __init__(self, daemon):
        self.daemon, self.ring = daemon, RingWriter(1 << 20, 1 << 14)
        self.over = threading.Event()
        self.kind = pb.CHANGE_KIND_FROZEN
        daemon.traces, daemon.changes = [], self.changes
        self.publish(pb.STATE_RECORDING)

    def changes(self):
        yield pb.Change(kind=pb.CHANGE_KIND_READY)
        assert self.over.wait(TIMEOUT_S)
        yield pb.Change(kind=self.kind, trace=self.daemon.traces[0])

    def publish(self, state=pb.STATE_RECORDING):
        self.ring.now_ns += 2 * HOLD_NS
        self.daemon.snapshot = self.ring.snapshot().encode()
        events = sum(cpu.events for cpu in self.ring.cpus)
        self.daemon.traces = [pb.Trace(id=KILLED.id, node="node1", state=state, events=events)]

    def close(self, fd):
        self.ring.enter(0, 7, CLOSE, fd)
        self.ring.exit(0, 7, CLOSE, 0)

    def end(self, kind=pb.CHANGE_KIND_FROZEN):
        self.kind = kind
        self.publish(pb.STATE_FROZEN)
        self.over.set()


@pytest.fixture
def live(daemon):
    made = Live(daemon)
    yield made
    made.over.set()


def following(path, *words):
    return started(path, "show", KILLED.id, "-f", "-o", "strace", "-a0", *words, stdout=subprocess.PIPE, text=True)


def test_each_call_once_until_the_end(live, path):
    live.close(3)
    live.ring.enter(1, 8, READ, 5, 6, 7)
    live.publish()
    with following(path) as follower:
        assert follower.stdout.readline() == "7     close(3) = 0\n"
        assert follower.stdout.readline() == "8     read(5 <unfinished ...>\n"
        live.close(4)
        live.publish()
        assert follower.stdout.readline() == "7     close(4) = 0\n"
        live.ring.exit(1, 8, READ, 0)
        live.publish()
        assert follower.stdout.readline() == "8     <... read resumed>, 0x6, 7) = 0\n"
        live.close(9)
        live.end()
        out, err = follower.communicate(timeout=TIMEOUT_S)
    assert (out, err, follower.returncode) == ("7     close(9) = 0\n", "", 0)


def test_the_last_lines_first(live, path):
    for fd in range(5):
        live.close(fd)
    live.publish()
    with following(path, "-n", "2") as follower:
        assert [follower.stdout.readline() for _ in range(2)] == ["7     close(3) = 0\n", "7     close(4) = 0\n"]
        live.close(5)
        live.publish()
        assert follower.stdout.readline() == "7     close(5) = 0\n"
        live.end()
        assert follower.communicate(timeout=TIMEOUT_S)[0] == ""


def test_whole_calls_and_at_the_end_those_that_never_returned(live, path):
    live.ring.enter(1, 8, READ, 5, 6, 7)
    live.close(3)
    live.publish()
    with following(path, "--where", "pid > 0") as follower:
        assert follower.stdout.readline() == "7     close(3) = 0\n"
        live.end()
        assert follower.communicate(timeout=TIMEOUT_S)[0] == "8     read(5 <unfinished ...>\n"


def test_what_was_overwritten_unseen_is_told(live, path):
    live.ring = RingWriter(1 << 14, 1 << 11)
    live.close(3)
    live.publish()
    with following(path) as follower:
        assert follower.stdout.readline() == "7     close(3) = 0\n"
        for _ in range(1000):
            live.close(4)
        live.end()
        lost, *rest = follower.communicate(timeout=TIMEOUT_S)[0].splitlines()
    assert lost.startswith(f"--- {1000 - len(rest)} earlier events of cpu#0 were overwritten: ")


def test_a_trace_that_is_closed_is_an_error(live, path):
    live.close(3)
    live.publish()
    with following(path) as follower:
        follower.stdout.readline()
        live.end(pb.CHANGE_KIND_CLOSED)
        _, err = follower.communicate(timeout=TIMEOUT_S)
    assert follower.returncode == 1
    assert err == f"traceloopctl: trace {KILLED.id} was closed before its recording ended\n"
