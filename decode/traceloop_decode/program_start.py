# SPDX-License-Identifier: Apache-2.0
"""Finds where the container's own program begins: a trace starts with what the runtime does to set the container up.

A runtime names its processes so that its stages can be told apart: ``runc:[0:PARENT]``, ``runc:[1:CHILD]`` and
``runc:[2:INIT]`` (libcontainer/nsenter/nsexec.c of runc), ``youki:[2:INIT]``, or plain ``crun``. The last stage, which
is one process, executes the program::

    first event is        then                                         the program begins
    the runtime's         its last stage executes a program            STARTED: that execve
    the runtime's         it never does, or not yet                    NEVER: all that is recorded is the runtime's
    the runtime's         a process comes that no runtime made         EARLIER: an engine's `exec` of another program
    another process's,                                                 EARLIER: the program ran before, or there is no
    or a loss                                                          runtime, as in a systemd unit

runc begins by executing a copy of itself (``/proc/self/exe``, then a descriptor; ensure_cloned_binary() in
libcontainer/dmz/cloned_binary.c), so its first process, which is recorded from a cgroup's birth, is called ``exe``, and
then ``runc``, or before Linux 6.14 by the descriptor's number.

The processes of hooks are the runtime's children and bear its name until they execute the hook, so they are no
strangers here. A runtime that executes itself again (``/proc/self/exe``, a file in memory) has not begun the program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final, NamedTuple

from traceloop_decode.model import Call, Entered, Event, Lost, Returned
from traceloop_decode.syscalls import EXECS
from traceloop_decode.whole_calls import Whole

_RUNTIMES: Final = "runc|crun|youki"
_OF_RUNTIME: Final = re.compile(rf"(?:{_RUNTIMES})(?::\[\d:\w+\])?")
_COPY: Final = re.compile(r"exe|\d+")
_LAST_STAGE: Final = re.compile(rf"crun|(?:{_RUNTIMES}):\[2:INIT\]")
_ITSELF: Final = re.compile(rb"/proc/(?:self|\d+)/(?:exe|fd/\d+)|/dev/fd/\d+|(?:.*/)?(?:runc|crun|youki)")
_OVERWRITTEN: Final = "overwritten"


class Begins(Enum):
    """The place of the start: an execve of the trace, before the trace, or nowhere in it."""

    STARTED = "started"
    EARLIER = "earlier"
    NEVER = "never"


class ProgramStart(NamedTuple):
    """The start of the container's program.

    call: the execve that began it, whole; None unless STARTED. before: the number of events that came before the event
    of its return; 0 unless STARTED. first_ns: time of the first event, or 0 if there is none.
    """

    begins: Begins
    call: Call | None = None
    before: int = 0
    first_ns: int = 0


def is_runtimes(comm: str) -> bool:
    """Tells whether a thread of this name is a container runtime's, also when an engine executes another program."""
    return _OF_RUNTIME.fullmatch(comm) is not None


def _may_be_runtimes(comm: str) -> bool:
    # A program of a copy's name is found out by the last stage, which it does not have.
    return is_runtimes(comm) or _COPY.fullmatch(comm) is not None


def program_start(events: Iterable[Event]) -> ProgramStart:
    """Finds the start; reads no further than to it, but all events if there is none."""
    init = first_ns = 0  # the process of the last stage
    ours: set[int] = set()  # processes that the runtime made
    for n, event in enumerate(events):
        if isinstance(event, Lost):
            if not ours and event.reason == _OVERWRITTEN:
                return ProgramStart(Begins.EARLIER, first_ns=event.ts_ns)
            continue
        call = event.call if isinstance(event, Entered | Returned) else event
        first_ns = first_ns or call.ts_ns
        if call.pid not in ours:
            if not _may_be_runtimes(call.comm):
                return ProgramStart(Begins.EARLIER, first_ns=first_ns)
            ours.add(call.pid)
        if not init and _LAST_STAGE.fullmatch(call.comm):
            init = call.pid
        if call.pid == init and isinstance(call, Call) and _begins(call) and not isinstance(event, Entered):
            return ProgramStart(Begins.STARTED, call, n, first_ns)
    return ProgramStart(Begins.NEVER if init else Begins.EARLIER, first_ns=first_ns)


def _begins(call: Call) -> bool:
    if call.name not in EXECS or call.result != 0:
        return False
    path = next((item.data for item in call.items.get(call.name == "execveat", ())), b"")
    return _ITSELF.fullmatch(path) is None


def since_program(events: Iterable[Whole]) -> Iterator[Whole]:
    """Yields the events from the execve on that began the program; all of them if that is not there.

    Memory holds those before it.
    """
    held: list[Whole] = []
    init = 0  # the process of the last stage
    following = iter(events)
    for event in following:
        if isinstance(event, Lost):
            yield event
            continue
        if not _may_be_runtimes(event.comm):
            yield from held
            yield event
            break
        if not init and _LAST_STAGE.fullmatch(event.comm):
            init = event.pid
        if event.pid == init and isinstance(event, Call) and _begins(event):
            yield event
            break
        held.append(event)
    else:
        yield from held
    yield from following
