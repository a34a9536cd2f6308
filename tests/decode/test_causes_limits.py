# SPDX-License-Identifier: Apache-2.0
"""A process that may open no more files: how many it has open, and its limit, as far as the trace tells."""

from __future__ import annotations

from struct import pack

import pytest
from madeevents import STARTED_NS, args, call, item

from traceloop_decode.causes.ranking import ranked
from traceloop_decode.causes.story import Story
from traceloop_decode.descriptors.names import Known
from traceloop_decode.model import Call, Event, Files, TaskExit

SECOND = 10**9
NO_FILES = -24
NOFILE, STACK = 7, 3
UNLIMITED = (1 << 64) - 1
PRLIMIT = (("pid", "pid_t"), ("resource", "unsigned int"), ("new_rlim", "x"), ("old_rlim", "x"))
RLIMIT = (("resource", "unsigned int"), ("rlim", "struct rlimit *"))
PREFIX = "sh may not open more files or sockets: its limit"


def failed(files: dict[int, str], name: str = "openat", tid: int = 10) -> Call:
    known = Files({fd: Known(text) for fd, text in files.items()}, None, None)
    return call(name, (), NO_FILES, at_ns=SECOND - 9, tid=tid)._replace(files=known)


def leaked(count: int, first: int = 3) -> dict[int, str]:
    return dict.fromkeys(range(first, first + count), "</etc/hosts>")


def limit(soft: int, *, old: int | None = None, resource: int = NOFILE, pid: int = 0, tid: int = 10) -> Call:
    """A prlimit64 that sets a limit, or reads it if there is an old one."""
    values = (item(pack("<QQ", soft, soft)) if old is None else item(pack("<QQ", old, UNLIMITED), out=True),)
    new, was = ((4096, *values), 0) if old is None else (0, (4096, *values))
    return call("prlimit64", args(PRLIMIT, pid, resource, new, was), 0, tid=tid)


def said(*before: Event) -> str:
    story = Story()
    story.watch([*before, TaskExit(STARTED_NS + SECOND, 0, 10, 10, "sh", 1 << 8, group_dead=True)])
    (found,) = (finding for finding in ranked(story, {10}) if finding.kind == "too-many-files")
    return found.sentence


def test_all_numbers_below_the_highest_are_used_when_none_is_free() -> None:
    """After a loss only the last files are known, but their numbers tell how many are open."""
    assert said(failed(leaked(24, first=1000))) == (
        f"{PREFIX} is reached (at least 1,024 are open; of those known, it has open 24 times /etc/hosts)."
    )


@pytest.mark.parametrize("name", ["pipe2", "fcntl", "fanotify_init"])
def test_calls_that_want_other_numbers_tell_only_of_those_known(name: str) -> None:
    assert "(at least 24 are open; of those known, it has open 24 times" in said(failed(leaked(24, first=1000), name))


def test_a_few_that_are_known_are_no_number() -> None:
    assert said(failed({3: "</a>", 4: "</b>"})) == f"{PREFIX} is reached."


@pytest.mark.parametrize(
    "call",
    [
        limit(64),
        limit(0, old=64),
        call("setrlimit", args(RLIMIT, NOFILE, (4096, item(pack("<QQ", 64, 128)))), 0),
        call("getrlimit", args(RLIMIT, NOFILE, (4096, item(pack("<QQ", 64, 128), out=True))), 0),
    ],
)
def test_the_limit_that_the_process_set_or_read(call: Call) -> None:
    assert said(call, failed(leaked(61))) == (
        f"{PREFIX} of 64 is reached (at least 64 are open; of those known, it has open 61 times /etc/hosts)."
    )


@pytest.mark.parametrize(
    "before",
    [
        (limit(64, resource=STACK),),
        (limit(64, pid=12),),  # another process's, or its own by a number that the trace does not know
        (limit(64, tid=11),),  # another process, which did not make this one
        (limit(64), limit(32, pid=12)),
        (limit(64), limit(UNLIMITED)),
        (limit(64), limit(32)._replace(items={})),
        (limit(64)._replace(source="firsts"),),  # it may have set another since
        (limit(64)._replace(result=-1),),
        (limit(64)._replace(items={}),),
    ],
)
def test_what_is_not_known_to_be_its_limit_is_not_told(before: tuple[Call, ...]) -> None:
    assert said(*before, failed(leaked(61))).startswith(f"{PREFIX} is reached (at least 64 ")


def test_a_limit_below_numbers_in_use_tells_nothing_of_those_between() -> None:
    assert said(limit(32), failed(leaked(20, first=1000))).startswith(f"{PREFIX} of 32 is reached (at least 20 ")


def test_a_child_has_the_limit_that_its_parent_had() -> None:
    forked = call("fork", (), 2, at_ns=5, tid=9)
    before = (limit(64, tid=9), forked, call("getpid", (), 2, at_ns=20))
    assert said(*before, failed(leaked(61))).startswith(f"{PREFIX} of 64 is reached")
    later = limit(32, tid=9)._replace(ts_ns=STARTED_NS + 30)
    assert said(*before, later, failed(leaked(61))).startswith(f"{PREFIX} is reached")
