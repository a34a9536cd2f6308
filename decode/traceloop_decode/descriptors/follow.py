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

An event keeps what its numbers meant (`model.Files`): a call's arguments when it began, its result when it returned.
That costs nothing, however much is open (`numbered`, `opened`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Final

from traceloop_decode.descriptors.calls import ARGUMENTS, LEARN, data_of, makes_fd
from traceloop_decode.descriptors.forks import CLONE_FILES, CLONE_FS
from traceloop_decode.descriptors.names import NETLINK, Known, of_link
from traceloop_decode.descriptors.opened import Opened
from traceloop_decode.descriptors.paths import PATH_MAX, Place
from traceloop_decode.descriptors.tables import Begun, Task
from traceloop_decode.descriptors.world import World
from traceloop_decode.model import Call, Entered, Event, Files, Lost, Returned, TaskExit
from traceloop_decode.open_files import OpenFiles

_ERROR_MAX: Final = 4095
_EBADF: Final = -9
_CLONE_THREAD: Final = 0x10000
_CLONE_INTO_CGROUP: Final = 1 << 33
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
    return Files({fd: Known("", socket=found.socket)}, None, None)


class FdTable:
    """What is known after the events observed, all of a trace's in their order."""

    def __init__(self, start: OpenFiles | None = None, *, sockets: bool = False) -> None:
        self._start, self._world = start, World(sockets=sockets)
        self._active: set[int] = set()  # processes that were, while /proc was read
        self._begun: dict[int, Begun] = {}  # by thread in a call

    def text(self, tid: int, fd: int) -> str:
        """What stands behind a number now, with its brackets; "" where it is not known."""
        task = self._world.seen(tid)
        found = task.table.get(fd) if task is not None else None
        known = found.now if found is not None else None
        return known.text if known is not None else ""

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
            self._world.forget()
            self._begun.clear()
        return event

    # -- events

    def _whole(self, call: Call) -> Call:
        task = self._world.task(call.pid, call.tid)
        begun = self._world.begun(task)
        if call.name in _MAKERS:
            self._fork_begins(call, task)
        return self._learn(call, task, begun)

    def _entered(self, call: Call) -> Call:
        task = self._world.task(call.pid, call.tid)
        begun = self._begun[call.tid] = self._world.begun(task)
        if call.name in _MAKERS:
            self._fork_begins(call, task)
        return call._replace(files=_files(begun))

    def _returned(self, call: Call) -> Call:
        if call.entry_lost and call.result == 0 and call.name in _MAKERS:
            self._child(call)
        task = self._world.task(call.pid, call.tid)
        begun = self._begun.pop(call.tid, None) or self._world.begun(task)
        if call.entry_lost and not call.registers:
            if call.name in LEARN or call.name in _EXEC:
                self._world.put(call.tid, self._world.new())
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
            self._world.forks.end(call)
        made = task.table.get(call.result or 0) if makes_fd(call) else None
        return call._replace(files=_files(begun, made))

    def _ended(self, end: TaskExit) -> None:
        self._begun.pop(end.tid, None)
        if end.tid != end.pid:
            self._world.drop(end.tid)
        if end.group_dead:
            self._world.drop(end.pid)

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
            for fd, (name, closed) in process.fds.items():
                found = task.table.get(fd)
                if found is None:
                    known = of_link(name)
                    found = Opened(known, self._world.names) if known is not None else None
                elif not closed:
                    continue
                task.table.put(fd, found, closed_by_exec=closed)
            task.at.root, task.at.cwd = _place(process.root), _place(process.cwd)

    def _fork_begins(self, call: Call, task: Task) -> None:
        flags = _clone_flags(call)
        if flags & _CLONE_THREAD:
            if flags & (CLONE_FILES | CLONE_FS) != CLONE_FILES | CLONE_FS:
                task.table.forget(blind=True)
        elif not flags & _CLONE_INTO_CGROUP:
            self._world.forks.begin(call, flags, task)

    def _child(self, call: Call) -> None:
        # A new process: of which clone?
        if call.pid == call.tid and self._world.seen(call.tid) is None:
            task = self._world.forks.child(call)
            if task is not None:
                self._world.put(call.tid, task)

    def _exec(self, call: Call, task: Task) -> Task:
        # It ends the other threads, and has a table of its own from now on.
        for tid in task.tids - {call.pid}:
            self._world.drop(tid)
        return self._world.put(call.pid, Task(task.table.executed(), task.at.copy()))


def _files(begun: Begun, made: Opened | None = None) -> Files:
    return Files(begun.fds, begun.directory, made.now if made is not None else None)


def _place(said: bytes | None) -> Place | None:
    return Place.of(said, real=True) if said is not None and said.startswith(b"/") and len(said) <= PATH_MAX else None


def _clone_flags(call: Call) -> int:
    if call.name == "clone":
        return call.registers[0] if call.registers else _CLONE_INTO_CGROUP
    if call.name == "clone3":
        data = data_of(call, 0)
        # Not readable: a child that shares everything, and is not here.
        return _WORD.unpack_from(data)[0] if data is not None and len(data) >= _WORD.size else _CLONE_INTO_CGROUP
    return 0
