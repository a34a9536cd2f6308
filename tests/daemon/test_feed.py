# SPDX-License-Identifier: Apache-2.0
"""The feed of changes to traces: complete, in order, and never blocked by a listener."""

import threading

import pytest

from traceloop_daemon.recording import feed as feeds
from traceloop_daemon.recording.feed import LISTENERS_MAX, Feed, Happened, TooManyListeners
from traceloop_daemon.recording.trace import Trace, TraceEvent
from traceloop_decode.trace_facts import TraceFacts


def trace(number):
    return Trace(TraceFacts(f"t{number}", container="c", container_id="c", cgroup="/c", started_ns=number))


def test_listeners_get_changes_in_order_as_they_were():
    feed = Feed()
    feed.tell(Happened.STARTED, trace(0).view())  # before any listener
    listener, other = feed.listen(), feed.listen()
    one = trace(1)
    feed.tell(Happened.STARTED, one.view())
    one.advance(TraceEvent.END)
    feed.tell(Happened.FROZEN, one.view())
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
        feed.tell(Happened.STARTED, trace(number).view())
        assert prompt.next().trace.id == f"t{number}"
    assert [slow.next().trace.id for _ in range(3)] == ["t0", "t1", "t2"]
    mark = slow.next()
    assert (mark.happened, mark.trace, mark.missed) == (None, None, 2)
    for number in range(5, 10):
        feed.tell(Happened.STARTED, trace(number).view())
    assert slow.next().trace.id == "t5"
    feed.tell(Happened.STARTED, trace(10).view())
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
