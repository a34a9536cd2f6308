# SPDX-License-Identifier: Apache-2.0
"""The processes of a trace, by their threads."""

from __future__ import annotations

from traceloop_decode.descriptors.forks import Forks
from traceloop_decode.descriptors.opened import Names
from traceloop_decode.descriptors.tables import Begun, Directories, Table, Task
from traceloop_decode.model import Call


class World:
    """All processes of a trace. sockets: are their ends asked for?"""

    __slots__ = ("_tasks", "forks", "names", "sockets")

    def __init__(self, *, sockets: bool) -> None:
        self._tasks: dict[int, Task] = {}  # by thread
        self.names, self.sockets = Names(), sockets
        self.forks = Forks(self.names)

    def new(self) -> Task:
        """Of which nothing is known."""
        return Task(Table(), Directories(self.names))

    def seen(self, tid: int) -> Task | None:
        """A thread's; None: it was not seen before."""
        return self._tasks.get(tid)

    def task(self, pid: int, tid: int) -> Task:
        """A thread's; one that was not seen before is like its process's leader."""
        task = self._tasks.get(tid)
        if task is None:
            task = self._tasks.get(pid)
            if task is None:
                task = self.put(pid, self.new())
            self.put(tid, task)
        return task

    def put(self, tid: int, task: Task) -> Task:
        """A thread has this from now on."""
        self.drop(tid)
        self._tasks[tid] = task
        task.tids.add(tid)
        return task

    def drop(self, tid: int) -> None:
        """A thread is gone."""
        task = self._tasks.pop(tid, None)
        if task is not None:
            task.tids.discard(tid)

    def forget(self) -> None:
        """Nothing is known of any."""
        self._tasks.clear()
        self.forks.forget()

    def begun(self, task: Task) -> Begun:
        """What a call that begins now has."""
        return Begun(task.table.at(self.names.now), task.at.opened)

    def unshared(self, call: Call, *, files: bool, directories: bool) -> Task:
        """The caller has copies of its own from now on."""
        task = self.task(call.pid, call.tid)
        self.task(call.pid, call.pid)
        table, at = task.table, task.at
        return self.put(call.tid, Task(table.copy() if files else table, at.copy() if directories else at))
