# SPDX-License-Identifier: Apache-2.0
"""Calls in which threads were blocked at the end, for how long, and on what."""

from __future__ import annotations

from typing import Final

from traceloop_decode.causes import subject
from traceloop_decode.causes.processes import Process
from traceloop_decode.causes.report import Wait
from traceloop_decode.causes.story import Blocked, Story
from traceloop_decode.safe_text import printable
from traceloop_decode.spans import SECOND_NS

_LONG_NS: Final = SECOND_NS // 4
_SHOWN: Final = 6
FUTEX: Final = frozenset(("futex", "futex_wait", "futex_waitv"))
SLEEPS: Final = frozenset(("clock_nanosleep", "nanosleep", "pause", "rt_sigsuspend", "rt_sigtimedwait"))
WAIT_CHILD: Final = frozenset(("wait4", "waitid", "waitpid"))
_POLLS: Final = ("epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect6")
MANY: Final = frozenset((*_POLLS, "io_uring_enter", "io_getevents", "io_pgetevents"))
_FOR: Final = {
    **dict.fromkeys(("accept", "accept4"), "a client to connect"),
    **dict.fromkeys(("read", "readv", "recvfrom", "recvmsg", "recvmmsg"), "another process to write to it"),
    **dict.fromkeys(("write", "writev", "sendto", "sendmsg", "sendmmsg"), "another process to read from it"),
}
"""Things that a call waits for whose descriptor's file is not known: a pipe's, a socket pair's."""
_INT: Final = 0xFFFFFFFF


def waits(story: Story, main: Process | None) -> tuple[Wait, ...]:
    """Returns the waits of the processes that a signal ended or that still run: the first process's, then by length."""
    found = [one for one in story.blocked if is_long(one) and _stopped(one, story)]
    order = sorted(
        found, key=lambda one: (main is None or one.call.pid != main.pid, one.call.name in FUTEX, -_waited(one))
    )
    return tuple(
        Wait(printable(one.call.comm), printable(what(one, story)), _waited(one), subject.evidence(one.call))
        for one in order[:_SHOWN]
    )


def is_long(one: Blocked) -> bool:
    """Tells whether a thread was blocked for so long that it is worth a word."""
    return _waited(one) >= _LONG_NS


def _waited(one: Blocked) -> int:
    return max(one.until_ns - one.call.ts_ns, 0)


def _stopped(one: Blocked, story: Story) -> bool:
    process = story.processes.by_pid.get(one.call.pid)
    return process is None or process.end is None or process.status.signal is not None


def what(one: Blocked, story: Story) -> str:
    """Returns what a call waited for: ``for events (epoll_wait)``, ``in recvfrom on 10.0.0.5:5432``."""
    call = one.call
    if call.name in FUTEX:
        return "for a lock or another thread (futex)"
    if call.name in SLEEPS:
        return f"for time to pass or a signal ({call.name})"
    if call.name in WAIT_CHILD:
        return f"for a child process ({call.name})"
    if call.name in MANY:
        return f"for events ({call.name})"
    peer = story.names.named(subject.peer(call))
    about = peer or subject.path(call) or subject.descriptor(call)
    if not about and call.name in _FOR and call.registers:
        return f"for {_FOR[call.name]} ({call.name} of descriptor {call.registers[0] & _INT})"
    return f"in {call.name}{f' on {about}' if about else ''}"
