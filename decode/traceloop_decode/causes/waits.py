# SPDX-License-Identifier: Apache-2.0
"""Calls in which threads were blocked at the end, for how long, and on what; and whether that was a deadlock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from traceloop_decode.causes import subject
from traceloop_decode.causes.processes import Process
from traceloop_decode.causes.report import Finding, Sure, Wait
from traceloop_decode.causes.story import Blocked, Story
from traceloop_decode.safe_text import printable
from traceloop_decode.spans import SECOND_NS

_LONG_NS: Final = SECOND_NS // 4
_SHOWN: Final = 6
_DEPTH_MAX: Final = 8
_FUTEX: Final = frozenset(("futex", "futex_wait", "futex_waitv"))
_TIMEOUT: Final = 3
_SLEEPS: Final = frozenset(("clock_nanosleep", "nanosleep", "pause", "rt_sigsuspend", "rt_sigtimedwait"))
_WAIT_CHILD: Final = frozenset(("wait4", "waitid", "waitpid"))
_MANY: Final = frozenset(("epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect6"))
_FOR: Final = {
    **dict.fromkeys(("accept", "accept4"), "a client to connect"),
    **dict.fromkeys(("read", "readv", "recvfrom", "recvmsg", "recvmmsg"), "another process to write to it"),
    **dict.fromkeys(("write", "writev", "sendto", "sendmsg", "sendmmsg"), "another process to read from it"),
}
"""Things that a call waits for whose descriptor's file is not known: a pipe's, a socket pair's."""
_INT: Final = 0xFFFFFFFF
_SCORE: Final = 120


def waits(story: Story, main: Process | None) -> tuple[Wait, ...]:
    """Returns the waits of the processes that a signal ended or that still run: the first process's, then by length."""
    found = [one for one in story.blocked if _long(one) and _stopped(one, story)]
    order = sorted(
        found, key=lambda one: (main is None or one.call.pid != main.pid, one.call.name in _FUTEX, -_waited(one))
    )
    return tuple(
        Wait(printable(one.call.comm), printable(_what(one, story)), _waited(one), subject.evidence(one.call))
        for one in order[:_SHOWN]
    )


def hung(story: Story, process: Process, depth: int = 0) -> Iterator[Finding]:
    """Yields what a process hung in when a signal from outside ended it; or its children, if it waited for them."""
    now = _blocked(story, process)
    if len(now) > 1 and len(now) == process.killed_threads and all(_is_endless(one) for one in now):
        waited = min(_waited(one) for one in now) / SECOND_NS
        sentence = (
            f"All {len(now)} threads of {process.name} waited for each other (futex) for {waited:.1f} s, and none was "
            "left to wake them: a deadlock."
        )
        evidence = tuple(subject.evidence(one.call) for one in now[:_SHOWN])
        yield Finding("deadlock", printable(sentence), Sure.LIKELY, _SCORE + 10, evidence)
    elif any(one.call.name in _WAIT_CHILD for one in now):
        for child in story.processes.children(process.pid) if depth < _DEPTH_MAX else ():
            if child.status.signal is not None:
                yield from hung(story, child, depth + 1)
    else:
        waiting = [one for one in now if one.call.name not in _FUTEX | _MANY | _SLEEPS]
        for one in waiting[:1]:
            sentence = f"{process.name} was waiting for {_waited(one) / SECOND_NS:.1f} s {_what(one, story)}."
            yield Finding("hung", printable(sentence), Sure.LIKELY, _SCORE - 10, (subject.evidence(one.call),))


def _blocked(story: Story, process: Process) -> list[Blocked]:
    # The calls in which its threads had been for long when it ended.
    ended_ns = process.end.ts_ns if process.end is not None else story.ended_ns
    own = (one for one in story.blocked if one.call.pid == process.pid and _long(one))
    return [one for one in own if one.until_ns >= ended_ns - SECOND_NS]


def _is_endless(one: Blocked) -> bool:
    registers = one.call.registers
    return one.call.name in _FUTEX and (len(registers) <= _TIMEOUT or not registers[_TIMEOUT])


def _long(one: Blocked) -> bool:
    return _waited(one) >= _LONG_NS


def _waited(one: Blocked) -> int:
    return max(one.until_ns - one.call.ts_ns, 0)


def _stopped(one: Blocked, story: Story) -> bool:
    process = story.processes.by_pid.get(one.call.pid)
    return process is None or process.end is None or process.status.signal is not None


def _what(one: Blocked, story: Story) -> str:
    call = one.call
    if call.name in _FUTEX:
        return "for a lock or another thread (futex)"
    if call.name in _SLEEPS:
        return f"for time to pass or a signal ({call.name})"
    if call.name in _WAIT_CHILD:
        return f"for a child process ({call.name})"
    if call.name in _MANY:
        return f"for events ({call.name})"
    peer = story.names.named(subject.peer(call))
    about = peer or subject.path(call) or subject.descriptor(call)
    if not about and call.name in _FOR and call.registers:
        return f"for {_FOR[call.name]} ({call.name} of descriptor {call.registers[0] & _INT})"
    return f"in {call.name}{f' on {about}' if about else ''}"
