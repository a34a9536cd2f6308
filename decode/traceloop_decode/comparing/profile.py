# SPDX-License-Identifier: Apache-2.0
"""Describes what a run did in a form that can be compared: by process, each different thing once.

A thing done is (call, object, outcome). A process that reads a file a thousand times and one that reads it twice did
the same; so only first times are kept, in their order. Calls that depend on chance rather than on the program are left
out unless they fail: memory, waiting, clocks, signals' masks. So are exits, which `Process.end` tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from traceloop_decode import layout
from traceloop_decode.comparing.operand import argv, operand, variables
from traceloop_decode.comparing.steady import steady_line
from traceloop_decode.model import Call, Ignored, Lost, Signal, TaskExit
from traceloop_decode.printers.core import never_returns
from traceloop_decode.safe_text import printable
from traceloop_decode.syscalls import EXECS
from traceloop_decode.text.notes import exit_note
from traceloop_decode.timeline.kinds import error_of, kind_of
from traceloop_decode.whole_calls import Whole

OK: Final = "ok"
NO_RETURN: Final = "no return"
_BY_CHANCE: Final = ("memory", "waiting", "other")
_OUTPUT: Final = (1, 2)
_WRITES: Final = ("write", "writev")
_LINES_MAX: Final = 4096
_INT: Final = 0xFFFFFFFF


class Thing(NamedTuple):
    """A thing done: the call's name, its object, and an error's name, OK or NO_RETURN."""

    name: str
    on: str
    outcome: str


class Wait(NamedTuple):
    """The longest time that calls of one name on one object took; returned: False if the last of them never did."""

    took_ns: int
    returned: bool
    call: Call


@dataclass(slots=True)
class Process:
    """A process. title: its command line, else its name. did, waits: by first time. end: how it ended, or "".

    variables: the number of variables in the environment of its program, by the program's path and arguments.
    """

    pid: int
    comm: str
    title: str = ""
    end: str = ""
    did: dict[Thing, Call] = field(default_factory=dict)
    waits: dict[tuple[str, str], Wait] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Profile:
    """A run. processes: in the order in which they appear. said: lines of output -> as they were, by first time.

    Times are CLOCK_BOOTTIME; lost: events that are missing.
    """

    processes: list[Process] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)
    start_ns: int = 0
    end_ns: int = 0
    lost: int = 0


def profile(events: Iterable[Whole]) -> Profile:
    """Describes a run. Events must have passed through `descriptors.follow.known`, with sockets."""
    made = Profile()
    by_pid: dict[int, Process] = {}
    open_calls: list[tuple[Process, Call]] = []
    for event in events:
        if isinstance(event, Lost):
            made.lost += event.events
            continue
        made.start_ns = min(made.start_ns or event.ts_ns, event.ts_ns)
        made.end_ns = max(made.end_ns, event.ts_ns, (event.end_ns or 0) if isinstance(event, Call) else 0)
        process = by_pid.get(event.pid)
        if process is None:
            process = by_pid[event.pid] = Process(event.pid, event.comm)
            made.processes.append(process)
        if isinstance(event, Call):
            _call(made, process, event)
            if event.result is None and not never_returns(event):
                open_calls.append((process, event))
        elif isinstance(event, TaskExit) and event.group_dead:
            process.end = exit_note(event).strip("+ ")
        elif not isinstance(event, Signal | Ignored):
            continue
        process.comm = (event.end_comm if isinstance(event, Call) else None) or event.comm
    for process, call in open_calls:
        _wait(process, call, made.end_ns - call.ts_ns)
    for process in made.processes:
        process.title = process.title or printable(process.comm)
    return made


def _call(made: Profile, process: Process, call: Call) -> None:
    if call.entry_lost:
        return
    on, error = operand(call), error_of(call)
    if call.name in EXECS and call.result == 0:
        process.title = printable(" ".join(argv(call))) or process.title
        count = variables(call)
        if count:
            process.variables[on] = count
    if call.end_ns is not None:
        _wait(process, call, call.end_ns - call.ts_ns, on)
    if (error or kind_of(call) not in _BY_CHANCE) and not never_returns(call):
        unfinished = call.result is None and not call.by_seccomp
        process.did.setdefault(Thing(call.title, on, error or (NO_RETURN if unfinished else OK)), call)
    if call.name in _WRITES and call.registers and _is_output(call):
        for line in _lines(call):
            if len(made.said) < _LINES_MAX:
                made.said.setdefault(steady_line(line), line)


def _is_output(call: Call) -> bool:
    fd = call.registers[0] & _INT
    known = call.files.before.get(fd) if call.files is not None else None
    return fd in _OUTPUT and (known is None or known.socket is None)


def _wait(process: Process, call: Call, took_ns: int, on: str | None = None) -> None:
    key = call.title, operand(call) if on is None else on
    before = process.waits.get(key)
    if before is None or took_ns > before.took_ns:
        process.waits[key] = Wait(took_ns, call.result is not None, call)


def _lines(call: Call) -> Iterator[str]:
    data = b"".join(
        item.data + (b"..." + item.tail if item.tail else b"")
        for item in call.items.get(1, ())
        if item.kind == layout.KIND_BUFFER
    )
    for line in data.decode("utf-8", "backslashreplace").splitlines():
        if line.strip():
            yield printable(line.strip())
