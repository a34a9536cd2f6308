# SPDX-License-Identifier: Apache-2.0
"""Processes of a trace, by their threads."""

from __future__ import annotations

from traceloop_decode.descriptors.forks import Forks
from traceloop_decode.descriptors.opened import Names
from traceloop_decode.descriptors.passed import Passed
from traceloop_decode.descriptors.shown import Shown
from traceloop_decode.descriptors.tables import Begun, Directories, Table, Task
from traceloop_decode.model import Call


class _Threads:
    """Threads of a process that were not seen yet. making: for each task, how many clones wait for a thread of it.

    first: the task of threads older than the trace, once the process has more than one; until then None.
    """

    __slots__ = ("first", "making")

    def __init__(self) -> None:
        self.first: Task | None = None
        self.making: dict[Task, int] = {}

    def made(self, task: Task) -> None:
        """Notes that one of the clones has its thread, or will have none."""
        left = self.making.pop(task, 0) - 1
        if left > 0:
            self.making[task] = left

    def one_of(self, tasks: set[Task]) -> Task:
        """Returns what a thread has for certain that shares one of these tasks: the parts that all of them share.

        Of the other parts nothing is known any more, as the thread may change them.
        """
        if len(tasks) == 1:
            return next(iter(tasks))
        one = next(iter(tasks))
        found = Task(one.table, one.at)
        if any(task.table is not one.table for task in tasks):
            found.table = Table()
            for task in (*tasks, found):
                task.table.forget(blind=True)
        if any(task.at is not one.at for task in tasks):
            found.at = one.at.copy()
            for task in (*tasks, found):
                task.at.forget()
        # Those that come later may be of any of the tasks, too.
        self.making = {found: sum(self.making.values())}
        self.first = found if self.first in tasks else self.first
        return found


class World:
    """Processes of a trace. sockets: the ends of sockets and numbers of devices are wanted (-yy).

    requests: those of io_uring are recorded.
    """

    __slots__ = ("_tasks", "_threads", "forks", "names", "passed", "requests", "shown", "sockets")

    def __init__(self, *, sockets: bool, requests: bool) -> None:
        self._tasks: dict[int, Task] = {}  # by thread
        self._threads: dict[int, _Threads] = {}  # by process
        self.names, self.sockets, self.requests = Names(), sockets, requests
        self.forks, self.shown = Forks(self.names), Shown(self.names)
        self.passed = Passed()

    def new(self) -> Task:
        """Returns a task about which nothing is known."""
        return Task(Table(), Directories(self.names))

    def seen(self, tid: int) -> Task | None:
        """Returns a thread's task, or None if the thread was not seen before."""
        return self._tasks.get(tid)

    def task(self, pid: int, tid: int) -> Task:
        """Returns a thread's task; a thread not seen before shares its process's, or one of them."""
        task = self._tasks.get(tid)
        if task is None:
            threads = self._threads.get(pid)
            if threads is not None and threads.first is not None:
                task = threads.one_of({*threads.making, threads.first})
            else:
                task = self._tasks.get(pid) or self.put(pid, self.new())
            self.put(tid, task)
        return task

    def make_thread(self, pid: int, task: Task) -> None:
        """Notes that a clone begins which makes a thread. task: its caller's, which the thread shares."""
        making = self._threads.setdefault(pid, _Threads()).making
        making[task] = making.get(task, 0) + 1

    def make_no_thread(self, pid: int, task: Task) -> None:
        """Notes that such a clone failed."""
        if (threads := self._threads.get(pid)) is not None:
            threads.made(task)

    def made_thread(self, pid: int, tid: int) -> None:
        """Notes that a thread returns from the clone that made it."""
        threads = self._threads.get(pid)
        if threads is not None and threads.making and tid not in self._tasks:
            task = threads.one_of({*threads.making})
            threads.made(task)
            self.put(tid, task)

    def executed(self, pid: int, task: Task) -> Task:
        """Gives a process that executed a program, and has one thread, this task."""
        self._threads.pop(pid, None)
        return self.put(pid, task)

    def ended(self, pid: int) -> None:
        """Removes a process that has ended."""
        self._threads.pop(pid, None)
        self.drop(pid)

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
        self._threads.clear()
        self.forks.forget()
        self.shown.forget()
        self.passed.forget()

    def begun(self, task: Task) -> Begun:
        """Returns the state at the start of a call that begins now."""
        return Begun(task.table.at(self.names.now), task.at.opened)

    def unshared(self, call: Call, *, files: bool, directories: bool) -> Task:
        """Gives the caller its own copies."""
        task, first = self.task(call.pid, call.tid), self.task(call.pid, call.pid)
        if not files and not directories:
            return task
        threads = self._threads.setdefault(call.pid, _Threads())
        threads.first = threads.first or first
        table, at = task.table, task.at
        return self.put(call.tid, Task(table.copy() if files else table, at.copy() if directories else at))
