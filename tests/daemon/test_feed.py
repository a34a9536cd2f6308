# SPDX-License-Identifier: Apache-2.0
"""What becomes of traces, told as it happens: in order, without a gap, and without waiting for anyone."""

import threading

import pytest

from traceloop_daemon.naming.names import Names
from traceloop_daemon.recording import feed as feeds
from traceloop_daemon.recording.feed import LISTENERS_MAX, Feed, Happened, TooManyListeners
from traceloop_daemon.recording.registry import Trace


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
