# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F811 - fixtures
"""traceloopctl wait: it awaits the end of a recording, whatever the stream of changes leaves out."""

from __future__ import annotations

import subprocess
import threading

import pytest
from fake_daemon import BUSYBOX, KILLED, TIMEOUT_S, daemon, path, started  # noqa: F401 - fixtures

from traceloop_proto import traceloop_pb2 as pb

pytestmark = pytest.mark.installed

READY = pb.Change(kind=pb.CHANGE_KIND_READY)
OTHER = pb.Trace(id="node1_default_otherwise", state=pb.STATE_FROZEN)


def waited(path, trace):
    """Returns the exit status, the output and the error of `wait`."""
    with started(path, "wait", trace, stdout=subprocess.PIPE, text=True) as process:
        out, err = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, out, err


def watched(daemon, *changes):
    """Makes the daemon stream these changes, once it was asked for a trace.

    One that is a trace replaces the listed one of its id before the next.
    """
    asked, find = threading.Event(), daemon.find

    def finding(word, context):
        found = find(word, context)
        asked.set()
        return found

    def stream():
        yield READY
        assert asked.wait(TIMEOUT_S)
        for change in changes:
            if isinstance(change, pb.Trace):
                daemon.traces = [trace for trace in daemon.traces if trace.id != change.id] + [change]
            else:
                yield change

    daemon.changes, daemon.find = stream, finding


def ended_as(**how):
    trace = pb.Trace()
    trace.CopyFrom(KILLED)
    trace.ClearField("signal")
    return pb.Trace(**{"id": trace.id, "node": trace.node, "state": pb.STATE_FROZEN, **how})


def test_a_trace_that_has_ended(daemon, path):
    watched(daemon)
    assert waited(path, "node1_default_m") == (BUSYBOX.exit_code, "1\n", "")


@pytest.mark.parametrize(
    ("how", "status", "out"),
    [({"exit_code": 0}, 0, "0\n"), ({"exit_code": 17}, 17, "17\n"), ({"signal": 9}, 137, "SIGKILL\n")],
)
def test_one_that_ends(daemon, path, how, status, out):
    end = ended_as(**how)
    other = pb.Change(kind=pb.CHANGE_KIND_FROZEN, trace=OTHER)
    watched(daemon, other, end, pb.Change(kind=pb.CHANGE_KIND_FROZEN, trace=end))
    assert waited(path, "node1_default_o") == (status, out, "")


def test_an_end_among_missed_changes(daemon, path):
    watched(daemon, ended_as(exit_code=5), pb.Change(kind=pb.CHANGE_KIND_MISSED, missed=3))
    assert waited(path, KILLED.id) == (5, "5\n", "")


def test_an_end_that_is_not_known(daemon, path):
    watched(daemon, ended_as(), pb.Change(kind=pb.CHANGE_KIND_ARCHIVED, trace=ended_as()))
    error = f"traceloopctl: trace {KILLED.id}: how its container ended is not known\n"
    assert waited(path, KILLED.id) == (1, "-\n", error)


@pytest.mark.parametrize(
    ("kind", "why"), [(pb.CHANGE_KIND_CLOSED, "was closed"), (pb.CHANGE_KIND_DROPPED, "was removed to make room")]
)
def test_a_trace_that_is_removed(daemon, path, kind, why):
    watched(daemon, pb.Change(kind=kind, trace=KILLED))
    error = f"traceloopctl: trace {KILLED.id} {why} before its recording ended\n"
    assert waited(path, KILLED.id) == (1, "", error)


def test_a_daemon_that_stops(daemon, path):
    watched(daemon)
    error = "traceloopctl: the daemon stopped: see `systemctl status traceloopd`\n"
    assert waited(path, KILLED.id) == (3, "", error)
