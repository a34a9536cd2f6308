# SPDX-License-Identifier: Apache-2.0
"""Finds the clone that made a child: by its result or, if that is a number of another PID namespace, by elimination.

Clones whose child has not been seen are kept by the names of the call and of the thread, which the child shares. A
second after its return, a clone no longer counts.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import chain
from typing import Final

from traceloop_decode.descriptors.opened import Names
from traceloop_decode.descriptors.tables import Directories, Table, Task, common
from traceloop_decode.model import Call

CLONE_FS: Final = 0x200
CLONE_FILES: Final = 0x400
_FORK_WITHIN_NS: Final = 1_000_000_000
"""A child whose first event comes later than this after a clone is not that clone's."""
_COMPARED_MAX: Final = 16
"""Maximum number of candidate clones whose tables are compared."""


class Fork:
    """A clone whose child has not been seen. task: its caller's, which it may change."""

    __slots__ = ("_at", "_has_returned", "ended_ns", "flags", "result", "task", "tid")

    def __init__(self, call: Call, flags: int, task: Task) -> None:
        self.tid, self.flags, self.task, self._at = call.tid, flags, task, task.copy()
        self.result = self.ended_ns = 0
        self._has_returned = False

    @property
    def shares(self) -> bool:
        """Tells whether the child shares something with its parent."""
        return self.flags & (CLONE_FILES | CLONE_FS) != 0

    def returned(self, call: Call) -> None:
        """Notes the return: from now on, the parent's changes do not apply to the child."""
        self._at, self._has_returned = self.now(), True
        self.result, self.ended_ns = call.result or 0, call.end_ns or call.ts_ns

    def now(self) -> Task:
        """Returns what the child has for certain: what has not changed since the clone began."""
        return self._at if self._has_returned else common([self._at, self.task])

    def child(self) -> Task:
        """Returns the child's task, including the parts that it shares with its parent."""
        now = self.now()
        table = self.task.table if self.flags & CLONE_FILES else now.table
        return Task(table, self.task.at if self.flags & CLONE_FS else now.at)


class _Alike:
    """Clones of one name by threads of one name: those that have not returned, by thread; the others, oldest first."""

    __slots__ = ("begun", "by_result", "returned", "sharing", "unblinded")

    def __init__(self) -> None:
        self.begun: dict[int, Fork] = {}
        self.returned: OrderedDict[int, Fork] = OrderedDict()  # by id
        self.by_result: dict[int, Fork] = {}
        self.sharing = 0  # number of those that share something
        self.unblinded: dict[int, Fork] = {}  # by id: those added since a child last remained ambiguous

    def begin(self, fork: Fork) -> None:
        self.begun[fork.tid] = fork
        self.sharing += fork.shares
        self.unblinded[id(fork)] = fork

    def end(self, fork: Fork, call: Call) -> None:
        if call.result is None or call.result <= 0:
            self.drop(fork)
            return
        del self.begun[fork.tid]
        fork.returned(call)
        self.returned[id(fork)] = self.by_result[call.result] = fork
        self.expire(fork.ended_ns)

    def drop(self, fork: Fork) -> None:
        # The clone has its child, or will have none.
        self.sharing -= fork.shares
        self.unblinded.pop(id(fork), None)
        if self.returned.pop(id(fork), None) is None:
            del self.begun[fork.tid]
        elif self.by_result.get(fork.result) is fork:
            del self.by_result[fork.result]

    def expire(self, now_ns: int) -> None:
        while self.returned:
            fork = next(iter(self.returned.values()))
            if now_ns - fork.ended_ns < _FORK_WITHIN_NS:
                return
            self.drop(fork)

    @property
    def count(self) -> int:
        return len(self.begun) + len(self.returned)


class Forks:
    """Clones that wait for their child."""

    __slots__ = ("_alike", "_begun", "_names")

    def __init__(self, names: Names) -> None:
        self._names = names
        self._alike: dict[tuple[str, str], _Alike] = {}
        self._begun: dict[int, _Alike] = {}  # by thread whose clone has not returned

    def begin(self, call: Call, flags: int, task: Task) -> None:
        """Adds a clone that begins and makes a process."""
        before = self._begun.get(call.tid)
        if before is not None and call.tid in before.begun:  # the return of an earlier clone was lost
            before.drop(before.begun[call.tid])
        alike = self._alike.get((call.name, call.comm))
        if alike is None:
            alike = self._alike[call.name, call.comm] = _Alike()
        alike.begin(Fork(call, flags, task))
        self._begun[call.tid] = alike

    def end(self, call: Call) -> None:
        """Notes that a clone has returned."""
        alike = self._begun.pop(call.tid, None)
        if alike is not None and call.tid in alike.begun:  # else it has its child already
            alike.end(alike.begun[call.tid], call)

    def forget(self) -> None:
        """Forgets all clones."""
        self._alike.clear()
        self._begun.clear()

    def child(self, call: Call) -> Task | None:
        """Returns the task of the process that appears with this return; None if no waiting clone made it."""
        alike = self._alike.get((call.name, call.comm))
        if alike is None:
            return None
        alike.expire(call.end_ns or call.ts_ns)
        found = alike.by_result.get(call.tid)
        if found is None and alike.count == 1:
            found = next(chain(alike.begun.values(), alike.returned.values()))
        if found is None:
            return self._one_of(alike) if alike.count else None
        alike.drop(found)
        return found.child()

    def _one_of(self, alike: _Alike) -> Task:
        # The forks stay, because it remains unknown which of them made the child.
        forks = [*alike.begun.values(), *alike.returned.values()] if alike.count <= _COMPARED_MAX else []
        task = common([fork.now() for fork in forks]) if forks else Task(Table(), Directories(self._names))
        if alike.sharing:
            task.table.forget(blind=True)
            for fork in alike.unblinded.values():
                fork.task.table.forget(blind=True)
            alike.unblinded.clear()
        return task
