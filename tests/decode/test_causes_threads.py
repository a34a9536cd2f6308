# SPDX-License-Identifier: Apache-2.0
"""Failures of the thread that ended its process, and of those that it waited for, against those of other threads."""

from __future__ import annotations

import pytest
from madeevents import OPEN, STARTED_NS, args, call, string

from traceloop_decode.causes.ranking import ranked
from traceloop_decode.causes.story import Story
from traceloop_decode.model import Call, Entered, Event, Returned, TaskExit

SECOND = 10**9
ENOENT = -2
WAIT, WAKE, PRIVATE = 0, 1, 128
LOCK, OTHER_LOCK = 0x1000, 0x2000
MAIN, WORKER, OTHER = 10, 11, 12


def opened(path: bytes, tid: int, at_ns: int = 95) -> Call:
    return call("open", args(OPEN, (1, string(path)), 0, 0), ENOENT, tid=tid, pid=MAIN, at_ns=at_ns * SECOND // 100)


def futex(tid: int, op: int, at_ns: int, end_ns: int | None = None, *, lock: int = LOCK) -> Call:
    words = args((("n", "int"),) * 4, lock, op, 0, 0)
    begun = at_ns * SECOND // 100
    end = None if end_ns is None else end_ns * SECOND // 100
    return call("futex", words, None if end is None else op & 1, tid=tid, pid=MAIN, at_ns=begun, end_ns=end)


def exits(tid: int) -> list[Event]:
    at_ns = 99 * SECOND // 100
    ended = [TaskExit(STARTED_NS + SECOND, 0, MAIN, one, "sh", 1 << 8, group_dead=one == MAIN) for one in (OTHER, MAIN)]
    return [Entered(call("exit_group", (), tid=tid, pid=MAIN, at_ns=at_ns)), *ended]


def order(*events: Event, by: int = MAIN) -> list[int]:
    # The threads of the failures that are named, most likely first.
    story = Story()
    story.watch([call("getpid", (), 1), *events, *exits(by)])
    found = sorted(ranked(story, {MAIN}), key=lambda one: -one.score)
    return [one.evidence[0].tid for one in found]


def test_the_thread_that_ended_its_process_ranks_before_others() -> None:
    failures = opened(b"/etc/a.conf", OTHER), opened(b"/etc/b.conf", MAIN)
    assert order(*failures) == [MAIN, OTHER]
    assert order(*failures[::-1], by=OTHER) == [OTHER, MAIN]


@pytest.mark.parametrize(
    "joined",
    [
        (
            Entered(futex(MAIN, PRIVATE, 10)),
            futex(WORKER, WAKE | PRIVATE, 96, 96),
            Returned(futex(MAIN, PRIVATE, 10, 97)),
        ),
        (
            Entered(futex(MAIN, WAIT, 10)),
            Returned(futex(MAIN, WAIT, 10, 97)),
            TaskExit(STARTED_NS + 97 * SECOND // 100 + 9, 0, MAIN, WORKER, "sh", 0, group_dead=False),
        ),
    ],
    ids=["woken", "ended"],
)
def test_a_thread_that_it_waited_for_ranks_as_it_does(joined: tuple[Event, ...]) -> None:
    failures = opened(b"/etc/a.conf", OTHER), opened(b"/etc/b.conf", WORKER)
    assert order(*failures) == [OTHER, WORKER]
    assert order(*failures, *joined) == [WORKER, OTHER]


@pytest.mark.parametrize(
    "other",
    [
        (Entered(futex(MAIN, PRIVATE, 10)), futex(WORKER, WAKE | PRIVATE, 96, 96, lock=OTHER_LOCK)),
        (
            Entered(futex(OTHER, PRIVATE, 10)),
            futex(WORKER, WAKE | PRIVATE, 96, 96),
            Returned(futex(OTHER, PRIVATE, 10, 97)),
        ),
        (
            Entered(futex(MAIN, PRIVATE, 96)),
            futex(WORKER, WAKE | PRIVATE, 96, 96),
            Returned(futex(MAIN, PRIVATE, 96, 97)),
        ),
        (TaskExit(STARTED_NS + 97 * SECOND // 100, 0, MAIN, WORKER, "sh", 0, group_dead=False),),
    ],
    ids=["another lock", "another thread", "for a moment", "ended alone"],
)
def test_other_waits_tie_no_thread_to_the_end(other: tuple[Event, ...]) -> None:
    failures = opened(b"/etc/a.conf", OTHER), opened(b"/etc/b.conf", WORKER)
    assert order(*failures, *other) == [OTHER, WORKER]


@pytest.mark.parametrize("last", [(), (Entered(call("exit", (), tid=WORKER, pid=MAIN, at_ns=SECOND // 2)),)])
def test_a_process_whose_ending_thread_is_not_known_is_judged_as_a_whole(last: tuple[Event, ...]) -> None:
    story = Story()
    story.watch(last)
    story.watch(
        [call("getpid", (), 1), opened(b"/etc/a.conf", OTHER), opened(b"/etc/b.conf", WORKER), *exits(MAIN)[1:]]
    )
    assert len({one.score for one in ranked(story, {MAIN})}) == 1
