# SPDX-License-Identifier: Apache-2.0
"""Processes of a container as a tree, with command lines, times and ends (``traceloopctl processes``).

A child's parent is the process whose fork, vfork or clone returned the child's number. In a PID namespace that number
is not the one in the trace; then the parent is known if all forks by threads of the child's name that wait for their
child are one process's. Else the child is shown without a parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from traceloop_decode import layout
from traceloop_decode.forking import makes_thread
from traceloop_decode.model import Call, Entered, Event, Lost, Returned, TaskExit
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import EXECS, FORKS
from traceloop_decode.values.siginfo import signal_name
from traceloop_decode.views.table import Column, Table, Unit, Value
from traceloop_decode.wait_status import wait_status

_COLUMNS: Final = (
    Column("pid", "PID", Unit.NUMBER),
    Column("parent", "PARENT", Unit.NUMBER),
    Column("since_start_ns", "STARTED", Unit.SINCE_START),
    Column("lasted_ns", "LASTED", Unit.SPAN),
    Column("end", "END"),
    Column("depth", "", Unit.NUMBER),
    Column("command", "COMMAND"),
)
DEPTH: Final = "depth"
"""The column by which the next one is indented."""
_FORK_WITHIN_NS: Final = 1_000_000_000  # a fork whose child was not seen by then has lost it


@dataclass(slots=True)
class _Process:
    pid: int
    started_ns: int
    comm: str
    parent: int | None = None
    command: str = ""
    ended_ns: int | None = None
    end: str = ""
    children: list[_Process] = field(default_factory=list)


@dataclass(slots=True)
class _Fork:
    """A fork whose child was not seen. result: 0 until it returned."""

    call: Call
    result: int = 0
    ended_ns: int | None = None


class _Processes:
    def __init__(self) -> None:
        self.all: dict[int, _Process] = {}  # by pid, in the order of their first events
        self.ended: list[_Process] = []  # of pids that were used again
        self._forks: dict[int, _Fork] = {}  # by thread, while in it
        self._waiting: list[_Fork] = []

    def observe(self, event: Event) -> None:
        if isinstance(event, Lost):
            return
        call = event.call if isinstance(event, Entered | Returned) else event
        at_ns = call.ts_ns
        if isinstance(event, Returned) and isinstance(call, Call) and call.end_ns is not None and call.entry_lost:
            at_ns = call.end_ns
        process = self._process(call.pid, at_ns, call.comm)
        if isinstance(call, Call):
            process.comm = (call.end_comm or call.comm) if call.tid == call.pid else process.comm
            self._call(event, call, process)
        elif isinstance(call, TaskExit) and call.group_dead:
            process.ended_ns, process.end = call.ts_ns, _end(call)

    def _process(self, pid: int, at_ns: int, comm: str) -> _Process:
        process = self.all.get(pid)
        if process is not None and process.ended_ns is not None and at_ns > process.ended_ns:
            self.ended.append(self.all.pop(pid))
            process = None
        if process is None:
            process = self.all[pid] = _Process(pid, at_ns, comm)
        return process

    def _call(self, event: Event, call: Call, process: _Process) -> None:
        if call.name in EXECS and call.result == 0 and not isinstance(event, Entered):
            process.command = _command(call) or process.command
        if call.name not in FORKS or makes_thread(call):
            return
        if call.entry_lost:
            if call.result == 0 and call.tid == call.pid and process.parent is None:
                self._adopt(process, call)
        elif isinstance(event, Entered):
            self._forks[call.tid] = _Fork(call)
            self._waiting.append(self._forks[call.tid])
        else:
            self._forked(call)

    def _forked(self, call: Call) -> None:
        fork = self._forks.pop(call.tid, None)
        made = call.result or 0
        if fork is None:
            fork = _Fork(call)
            self._waiting.append(fork)
        if made <= 0:
            self._waiting = [one for one in self._waiting if one is not fork]
            return
        fork.result, fork.ended_ns = made, call.end_ns or call.ts_ns
        child = self.all.get(made)
        if child is not None and child.parent is None and child.started_ns >= fork.call.ts_ns and made != call.pid:
            self._take(fork, child)

    def _adopt(self, child: _Process, call: Call) -> None:
        now_ns = call.end_ns or call.ts_ns
        self._waiting = [f for f in self._waiting if f.ended_ns is None or now_ns - f.ended_ns < _FORK_WITHIN_NS]
        alike = [fork for fork in self._waiting if (fork.call.name, fork.call.comm) == (call.name, call.comm)]
        exact = [fork for fork in alike if fork.result == child.pid]
        parents = {fork.call.pid for fork in alike}
        if exact or len(parents) == 1:
            self._take((exact or alike)[0], child)

    def _take(self, fork: _Fork, child: _Process) -> None:
        child.parent = fork.call.pid
        self._waiting = [one for one in self._waiting if one is not fork]


def processes(events: Iterable[Event], snapshot: Snapshot) -> Table:
    """Returns a row per process, each after its parent, children in the order of their start. events: as decoded."""
    found = _Processes()
    for event in events:
        found.observe(event)
    everyone = sorted([*found.ended, *found.all.values()], key=lambda one: one.started_ns)
    return Table(_COLUMNS, tuple(_rows(everyone, snapshot.started_ns)))


def _rows(everyone: list[_Process], zero_ns: int) -> Iterator[tuple[Value, ...]]:
    by_pid: dict[int, _Process] = {}
    roots: list[_Process] = []
    for process in everyone:  # by start, so a parent is there before its children
        parent = by_pid.get(process.parent) if process.parent is not None else None
        (parent.children if parent is not None else roots).append(process)
        by_pid[process.pid] = process
    todo = [(process, 0) for process in reversed(roots)]
    while todo:
        process, depth = todo.pop()
        lasted_ns = None if process.ended_ns is None else process.ended_ns - process.started_ns
        command = process.command or f"[{process.comm}]"
        yield process.pid, process.parent, process.started_ns - zero_ns, lasted_ns, process.end, depth, command
        todo += [(child, depth + 1) for child in reversed(process.children)]


def _command(call: Call) -> str:
    items = call.items.get(1 + (call.name == "execveat"), ())
    words = [item for item in items if item.kind == layout.KIND_STRING]
    text = " ".join(_word(item.data.decode("utf-8", "backslashreplace")) for item in words)
    ends = [item for item in items if item.kind == layout.KIND_ARGV]
    cut = not ends or ends[-1].more or ends[-1].fault or any(item.more or item.fault for item in words)
    return f"{text} ..." if words and cut else text


def _word(text: str) -> str:
    # As one would type it, if it contains what a shell would divide.
    if text and not set(text) & set(" \t\n\"'\\$`;&|<>(){}*?[]#~"):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def _end(end: TaskExit) -> str:
    code, signal, core_dumped = wait_status(end.code)
    if signal is None:
        return f"exit {code}"
    return f"{signal_name(signal)}{' (core dumped)' if core_dumped else ''}"
