# SPDX-License-Identifier: Apache-2.0
"""The cost of an explanation grows with the trace, and its memory does not, whatever a container does and says."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from costs import GROWTH_MAX, exhaust, growth, peak_bytes
from madeevents import OPEN, args, call, string

from traceloop_decode.causes.ranking import ranked
from traceloop_decode.causes.story import Story
from traceloop_decode.model import Call

WRITE = (("fd", "unsigned int"), ("buf", "const char *"), ("count", "size_t"))
EACCES = -13
CALLS = 2000


def different_files(count: int) -> Iterator[Call]:
    for n in range(count):
        yield call("open", args(OPEN, (1, string(b"/data/%d/file%d" % (n, n))), 0, 0), EACCES, at_ns=n)


def one_process_each(count: int) -> Iterator[Call]:
    for n in range(count):
        yield call("open", args(OPEN, (1, string(b"/data/file")), 0, 0), EACCES, tid=10 + n, at_ns=n)


def long_words(count: int) -> Iterator[Call]:
    for n in range(count):
        yield call("write", args(WRITE, 2, (1, string(b"file1/" * 170)), 1020), 1020, at_ns=n)
        yield call("open", args(OPEN, (1, string(b"/x/%d/file1" % n)), 0, 0), EACCES, at_ns=n)


def forks(count: int) -> Iterator[Call]:
    for n in range(count):
        yield call("fork", (), 11 + n, comm=f"a{n}", at_ns=n)
        yield call("getpid", (), 1, tid=11 + n, comm="b", at_ns=n)


SHAPES = [different_files, one_process_each, long_words, forks]


def explained(events: list[Call]) -> None:
    story = Story()
    story.watch(iter(events))
    exhaust(ranked(story, {10}))


@pytest.mark.parametrize("shape", SHAPES)
def test_time(shape: Callable[[int], Iterator[Call]]) -> None:
    assert growth(lambda count: list(shape(count)), explained, CALLS) < GROWTH_MAX


@pytest.mark.parametrize("shape", SHAPES)
def test_memory(shape: Callable[[int], Iterator[Call]]) -> None:
    def watched(count: int) -> Story:
        story = Story()
        story.watch(shape(count))
        return story

    most = 8 * CALLS  # more than any collector keeps
    assert peak_bytes(watched, 2 * most) < 1.2 * peak_bytes(watched, most)
