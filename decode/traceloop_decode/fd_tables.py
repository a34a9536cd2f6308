# SPDX-License-Identifier: Apache-2.0
"""What a process has open, and where its paths begin: tables that are replaced and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from traceloop_decode.fd_names import Known, Place
from traceloop_decode.model import Call

_ROOT: Final = Place(b"/", real=True)
_NOTHING: Final[Mapping[int, Known]] = {}


class Table:
    """Descriptors. blind: they may change without a call, so none is kept."""

    __slots__ = ("blind", "closed_by_exec", "fds")

    def __init__(self, fds: Mapping[int, Known] = _NOTHING, closed_by_exec: frozenset[int] = frozenset()) -> None:
        self.fds, self.closed_by_exec, self.blind = fds, closed_by_exec, False

    def copy(self) -> Table:
        copy = Table(self.fds, self.closed_by_exec)
        copy.blind = self.blind
        return copy

    def put(self, fd: int, known: Known | None, *, closed_by_exec: bool = False) -> None:
        """A descriptor is new."""
        if known is None or self.blind:
            self.drop(fd)
            return
        self.fds = {**self.fds, fd: known}
        self.mark(fd, closed_by_exec=closed_by_exec)

    def mark(self, fd: int, *, closed_by_exec: bool) -> None:
        """FD_CLOEXEC is set, or taken off."""
        if (fd in self.closed_by_exec) is not closed_by_exec:
            self.closed_by_exec = self.closed_by_exec ^ {fd}

    def drop(self, fd: int) -> None:
        """A descriptor is closed, or not known any more."""
        if fd in self.fds:
            self.fds = {number: known for number, known in self.fds.items() if number != fd}
        self.mark(fd, closed_by_exec=False)

    def forget(self) -> None:
        """Nothing is known any more."""
        self.fds, self.closed_by_exec = _NOTHING, frozenset()


class Directories:
    """Where a process's paths begin. None: not known."""

    __slots__ = ("cwd", "root")

    def __init__(self, cwd: Place | None = None, root: Place | None = _ROOT) -> None:
        self.cwd, self.root = cwd, root

    def copy(self) -> Directories:
        return Directories(self.cwd, self.root)


class Task(NamedTuple):
    table: Table
    at: Directories


class Begun(NamedTuple):
    """What a call's numbers meant when it began."""

    fds: Mapping[int, Known]
    cwd: Place | None


class Fork:
    """A clone whose child has not been seen. fds: what they were when it began and, if it has, when it returned."""

    __slots__ = ("at", "call", "ended_ns", "flags", "result", "task")

    def __init__(self, call: Call, flags: int, task: Task) -> None:
        self.call, self.flags, self.task, self.at = call, flags, task, Task(task.table.copy(), task.at.copy())
        self.result: int | None = None
        self.ended_ns: int | None = None

    def returned(self, call: Call) -> None:
        """From now on, its parent's changes are its parent's alone."""
        self.at = self.now()
        self.result, self.ended_ns = call.result, call.end_ns

    def now(self) -> Task:
        """What the child has: what did not change since the clone began."""
        return self.at if self.ended_ns is not None else common([self.at, self.task])


class World:
    """All processes of a trace. tasks: by thread. sockets: are their ends asked for?"""

    __slots__ = ("forks", "sockets", "tasks")

    def __init__(self, *, sockets: bool) -> None:
        self.tasks: dict[int, Task] = {}
        self.forks: list[Fork] = []
        self.sockets = sockets

    def task(self, pid: int, tid: int) -> Task:
        """A thread's; one that was not seen before is like its process's leader."""
        task = self.tasks.get(tid)
        if task is None:
            task = self.tasks.get(pid)
            if task is None:
                task = self.tasks[pid] = Task(Table(), Directories())
            self.tasks[tid] = task
        return task

    def unshared(self, call: Call, *, files: bool, directories: bool) -> Task:
        """The caller has copies of its own from now on."""
        table, at = self.task(call.pid, call.tid)
        self.task(call.pid, call.pid)
        task = Task(table.copy() if files else table, at.copy() if directories else at)
        self.tasks[call.tid] = task
        return task


def common(tasks: list[Task]) -> Task:
    # What they agree on. What only one of them has closed by exec, is.
    first = tasks[0]
    fds = {fd: found for fd, found in first.table.fds.items() if all(task.table.fds.get(fd) == found for task in tasks)}
    table = Table(fds, frozenset().union(*(task.table.closed_by_exec for task in tasks)))
    table.blind = any(task.table.blind for task in tasks)
    cwd = first.at.cwd if all(task.at.cwd == first.at.cwd for task in tasks) else None
    root = first.at.root if all(task.at.root == first.at.root for task in tasks) else None
    return Task(table, Directories(cwd, root))
