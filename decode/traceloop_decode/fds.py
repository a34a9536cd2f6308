# SPDX-License-Identifier: Apache-2.0
"""Which file each descriptor stands for, as far as the trace shows it.

Theory of operation. A wrong name is worse than none, so what is not certain is forgotten:

- A table of descriptors belongs to a process, as its directories do; threads share both, a child begins with copies.
  Which clone made a child is known by its result, or, where that is a number of another PID namespace, if the name of
  its thread leaves one alone. If it leaves several, the child gets what their tables agree on.
- What /proc said when recording began counts from then on, but for processes that were active meanwhile.
- Where events are missing, all is forgotten, and the trace begins anew.
- A name that is renamed or unlinked is forgotten wherever it is part of a path. So is all that a process has, once it
  has a ring of io_uring: that opens and closes without a call.

Tables are replaced and never changed, so that an event can keep the one of its moment (`model.Files`): of a
call's arguments what they meant when it began, of its result when it returned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Final

from traceloop_decode.fd_calls import ARGUMENTS, LEARN, data_of, makes_fd
from traceloop_decode.fd_names import NETLINK, Known, Place, in_brackets, of_link
from traceloop_decode.fd_tables import Begun, Directories, Fork, Table, Task, World, common
from traceloop_decode.model import Call, Entered, Event, Files, Lost, Returned, TaskExit
from traceloop_decode.open_files import OpenFiles

_ERROR_MAX: Final = 4095
_EBADF: Final = -9
_CLONE_FS: Final = 0x200
_CLONE_FILES: Final = 0x400
_CLONE_THREAD: Final = 0x10000
_CLONE_INTO_CGROUP: Final = 1 << 33
_FORK_WITHIN_NS: Final = 1_000_000_000
"""A child whose first event comes later than this after its clone is not taken for that clone's."""
_WORD: Final = Struct("<Q")
_INT: Final = 0xFFFFFFFF
_AF_NETLINK: Final = (16,)
_MESSAGES: Final = frozenset(("sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg"))
_EXEC: Final = frozenset(("execve", "execveat"))
_MAKERS: Final = frozenset(("clone", "clone3", "fork", "vfork"))


def known(events: Iterable[Event], start: OpenFiles | None = None, *, sockets: bool = False) -> Iterator[Event]:
    """The same events, calls with their `files`. start: what /proc said. sockets: with the ends of sockets (-yy)."""
    return map(FdTable(start, sockets=sockets).observe, events)


def unnamed(events: Iterable[Event]) -> Iterator[Event]:
    """The same events without the names that `known` gave; but with the protocol of a socket, where that is needed."""
    return map(_unnamed, events)


def protocols(events: Iterable[Event]) -> Iterator[Event]:
    """The same events, those on netlink sockets with what `known` says of these, and nothing more.

    Nothing is followed before a trace's first netlink socket: most have none.
    """
    table: FdTable | None = None
    for event in events:
        if table is None:
            call = event if isinstance(event, Call) else event.call if isinstance(event, Returned) else None
            if call is None or call.name != "socket" or call.registers[:1] != _AF_NETLINK:
                yield event
                continue
            table = FdTable()
        yield _unnamed(table.observe(event))


def _unnamed(event: Event) -> Event:
    if isinstance(event, Call):
        return event._replace(files=_protocol_alone(event))
    if isinstance(event, Entered | Returned):
        return type(event)(event.call._replace(files=_protocol_alone(event.call)))
    return event


def _protocol_alone(call: Call) -> Files | None:
    if call.files is None or call.name not in _MESSAGES or not call.registers:
        return None
    fd = call.registers[0] & _INT
    found = call.files.before.get(fd)
    if found is None or found.socket is None or found.socket.kind != NETLINK:
        return None
    return Files({fd: found._replace(text="")}, "", "")


class FdTable:
    """What is known after the events observed, all of a trace's in their order."""

    def __init__(self, start: OpenFiles | None = None, *, sockets: bool = False) -> None:
        self._start, self._world = start, World(sockets=sockets)
        self._active: set[int] = set()  # processes that were, while /proc was read
        self._begun: dict[int, Begun] = {}  # by thread in a call

    def text(self, tid: int, fd: int) -> str:
        """What stands behind a number now, with its brackets; "" where it is not known."""
        task = self._world.tasks.get(tid)
        found = task.table.fds.get(fd) if task is not None else None
        return found.text if found is not None else ""

    def observe(self, event: Event) -> Event:
        """Learns from an event; gives it back, a call with its `files`."""
        if self._start is not None:
            self._look_at_start(self._start, event)
        if isinstance(event, Call):
            return self._whole(event)
        if isinstance(event, Entered):
            return Entered(self._entered(event.call))
        if isinstance(event, Returned):
            return Returned(self._returned(event.call))
        if isinstance(event, TaskExit):
            self._ended(event)
        elif isinstance(event, Lost):
            self._start = None
            self._world.tasks.clear()
            self._begun.clear()
            self._world.forks.clear()
        return event

    # -- events

    def _whole(self, call: Call) -> Call:
        task = self._world.task(call.pid, call.tid)
        begun = Begun(task.table.fds, task.at.cwd)
        if call.name in _MAKERS:
            self._fork_begins(call, task)
        return self._learn(call, task, begun)

    def _entered(self, call: Call) -> Call:
        task = self._world.task(call.pid, call.tid)
        begun = self._begun[call.tid] = Begun(task.table.fds, task.at.cwd)
        if call.name in _MAKERS:
            self._fork_begins(call, task)
        return call._replace(files=_files(begun))

    def _returned(self, call: Call) -> Call:
        if call.entry_lost and call.result == 0 and call.name in _MAKERS:
            self._child(call)
        task = self._world.task(call.pid, call.tid)
        begun = self._begun.pop(call.tid, None) or Begun(task.table.fds, task.at.cwd)
        if call.entry_lost and not call.registers:
            if call.name in LEARN or call.name in _EXEC:
                self._world.tasks[call.tid] = Task(Table(), Directories())
            return call
        return self._learn(call, task, begun)

    def _learn(self, call: Call, task: Task, begun: Begun) -> Call:
        result = call.result
        name = call.name
        if result is not None and (not -_ERROR_MAX <= result < 0 or (name == "close" and result != _EBADF)):
            learn = LEARN.get(name)
            if learn is not None and len(call.registers) < ARGUMENTS[name]:
                task.table.forget()
                task.at.cwd = None
            elif learn is not None:
                learn(self._world, task, call, begun)
            elif name in _EXEC:
                task = self._exec(call, task)
        if name in _MAKERS:
            self._fork_returns(call)
        made = task.table.fds.get(call.result or 0) if makes_fd(call) else None
        return call._replace(files=_files(begun, made))

    def _ended(self, end: TaskExit) -> None:
        self._begun.pop(end.tid, None)
        if end.tid != end.pid:
            self._world.tasks.pop(end.tid, None)
        if end.group_dead:
            self._world.tasks.pop(end.pid, None)

    # -- processes

    def _look_at_start(self, start: OpenFiles, event: Event) -> None:
        now_ns = event.call.end_ns or event.call.ts_ns if isinstance(event, Entered | Returned) else event.ts_ns
        if isinstance(event, Call) and event.end_ns is not None and event.ts_ns <= start.until_ns <= event.end_ns:
            self._active.add(event.pid)
        if now_ns <= start.until_ns:
            if now_ns >= start.from_ns and not isinstance(event, Lost):
                self._active.add(event.call.pid if isinstance(event, Entered | Returned) else event.pid)
            return
        self._start = None
        for pid, process in start.processes.items():
            if pid in self._active:
                continue
            task = self._world.task(pid, pid)
            links = {fd: of_link(name) for fd, (name, _) in process.fds.items()}
            task.table.fds = {**links, **task.table.fds}
            task.table.closed_by_exec |= {fd for fd, (_, closed) in process.fds.items() if closed}
            task.at.root = Place(process.root, real=True) if process.root is not None else None
            task.at.cwd = Place(process.cwd, real=True) if process.cwd is not None else None

    def _fork_begins(self, call: Call, task: Task) -> None:
        flags = _clone_flags(call)
        if flags & _CLONE_THREAD:
            if flags & (_CLONE_FILES | _CLONE_FS) != _CLONE_FILES | _CLONE_FS:
                task.table.forget()
                task.table.blind = True
        elif not flags & _CLONE_INTO_CGROUP:
            self._world.forks.append(Fork(call, flags, task))

    def _fork_returns(self, call: Call) -> None:
        for fork in self._world.forks:
            if fork.call.tid == call.tid and fork.result is None:
                if call.result is None or call.result <= 0:
                    self._world.forks.remove(fork)
                else:
                    fork.returned(call)
                return

    def _child(self, call: Call) -> None:
        # A new process: of which clone?
        if call.pid != call.tid or call.tid in self._world.tasks:
            return
        now_ns = call.end_ns or call.ts_ns
        self._world.forks = [fork for fork in self._world.forks if now_ns - (fork.ended_ns or now_ns) < _FORK_WITHIN_NS]
        alike = [fork for fork in self._world.forks if (fork.call.name, fork.call.comm) == (call.name, call.comm)]
        found = [fork for fork in alike if fork.result == call.tid] or alike
        if not found:
            return
        if len(found) > 1:
            self._world.tasks[call.tid] = common([fork.now() for fork in found])
            if any(fork.flags & (_CLONE_FILES | _CLONE_FS) for fork in found):
                for task in (self._world.tasks[call.tid], *(fork.task for fork in found)):
                    task.table.forget()
                    task.table.blind = True
            return
        fork = found[0]
        self._world.forks.remove(fork)
        table, at = fork.now()
        shares_files, shares_fs = fork.flags & _CLONE_FILES, fork.flags & _CLONE_FS
        self._world.tasks[call.tid] = Task(
            fork.task.table if shares_files else table, fork.task.at if shares_fs else at
        )

    def _exec(self, call: Call, task: Task) -> Task:
        # It ends the other threads, and has a table of its own from now on.
        for tid in [tid for tid, other in self._world.tasks.items() if other is task and tid != call.pid]:
            del self._world.tasks[tid]
        table = Table() if task.table.blind else task.table.copy()
        for fd in table.closed_by_exec:
            table.drop(fd)
        task = self._world.tasks[call.pid] = Task(table, task.at.copy())
        return task


def _files(begun: Begun, made: Known | None = None) -> Files:
    cwd = in_brackets(begun.cwd.path) if begun.cwd is not None else ""
    return Files(begun.fds, cwd, made.text if made is not None else "")


def _clone_flags(call: Call) -> int:
    if call.name == "clone":
        return call.registers[0] if call.registers else _CLONE_INTO_CGROUP
    if call.name == "clone3":
        data = data_of(call, 0)
        # Not readable: a child that shares everything, and is not here.
        return _WORD.unpack_from(data)[0] if data is not None and len(data) >= _WORD.size else _CLONE_INTO_CGROUP
    return 0
