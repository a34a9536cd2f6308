# SPDX-License-Identifier: Apache-2.0
"""Processes of a trace, by their threads."""

from __future__ import annotations

from traceloop_decode.descriptors.forks import Forks
from traceloop_decode.descriptors.opened import Names
from traceloop_decode.descriptors.shown import Shown
from traceloop_decode.descriptors.tables import Begun, Directories, Table, Task
from traceloop_decode.model import Call


class World:
    """Processes of a trace. sockets: the ends of sockets and numbers of devices are wanted (-yy).

    requests: those of io_uring are recorded.
    """

    __slots__ = ("_tasks", "forks", "names", "requests", "shown", "sockets")

    def __init__(self, *, sockets: bool, requests: bool) -> None:
        self._tasks: dict[int, Task] = {}  # by thread
        self.names, self.sockets, self.requests = Names(), sockets, requests
        self.forks, self.shown = Forks(self.names), Shown(self.names)

    def new(self) -> Task:
        """Returns a task about which nothing is known."""
        return Task(Table(), Directories(self.names))

    def seen(self, tid: int) -> Task | None:
        """Returns a thread's task, or None if the thread was not seen before."""
        return self._tasks.get(tid)

    def task(self, pid: int, tid: int) -> Task:
        """Returns a thread's task; a thread not seen before shares its process's."""
        task = self._tasks.get(tid)
        if task is None:
            task = self._tasks.get(pid)
            if task is None:
                task = self.put(pid, self.new())
            self.put(tid, task)
        return task

    def put(self, tid: int, task: Task) -> Task:
        """Gives a thread this task."""
        self.drop(tid)
        self._tasks[tid] = task
        task.tids.add(tid)
        return task

    def drop(self, tid: int) -> None:
        """Removes a thread that has ended."""
        task = self._tasks.pop(tid, None)
        if task is not None:
            task.tids.discard(tid)

    def forget(self) -> None:
        """Forgets all processes."""
        self._tasks.clear()
        self.forks.forget()

    def begun(self, task: Task) -> Begun:
        """Returns the state at the start of a call that begins now."""
        return Begun(task.table.at(self.names.now), task.at.opened)

    def unshared(self, call: Call, *, files: bool, directories: bool) -> Task:
        """Gives the caller its own copies."""
        task = self.task(call.pid, call.tid)
        self.task(call.pid, call.pid)
        table, at = task.table, task.at
        return self.put(call.tid, Task(table.copy() if files else table, at.copy() if directories else at))
