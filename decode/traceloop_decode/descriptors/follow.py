# SPDX-License-Identifier: Apache-2.0
"""Follows which file each descriptor stands for, as far as the trace shows it.

Theory of operation. A wrong name is worse than none, so anything uncertain is forgotten:

- A table of descriptors belongs to a process, as its directories do; a thread shares its maker's, a child has copies.
  The clone that made a child is known by its result. If the result is a number of another PID namespace, the clone is
  known if only one is left with the name of the child's thread; if several are left, the child gets what their tables
  have in common.
- What /proc said when recording began, or when a process came from outside, counts from then on, except for what may
  have changed while it was read (`reads`). What the kernel side told of a program's standard streams counts at once.
- What a container's runtime did before it executed the program is not followed, and forgotten then.
- After a loss everything is forgotten, and following begins anew.
- A renamed or unlinked name is forgotten wherever it is part of a path, unless it is known to be no symbolic link: then
  the file has another name, or none (`opened`). Everything about a process is forgotten once it has an io_uring whose
  requests are not recorded, as these open and close files.
- What the ring's areas kept tells nothing: calls between it and the ring's beginning were overwritten.
- A direct descriptor of io_uring is no descriptor of the process.

An event keeps the files of its numbers (`model.Files`): of a call's arguments when it began, of its result when it
returned. The cost does not depend on the number of open files (`numbered`, `opened`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from struct import Struct
from typing import Final

from traceloop_decode.descriptors.calls import LEARN, makes_fd
from traceloop_decode.descriptors.forks import CLONE_FILES, CLONE_FS
from traceloop_decode.descriptors.making import data_of
from traceloop_decode.descriptors.names import NETLINK, Known, of_link
from traceloop_decode.descriptors.opened import Opened
from traceloop_decode.descriptors.passed import SENDS
from traceloop_decode.descriptors.paths import PATH_MAX, Place
from traceloop_decode.descriptors.reads import Reading, Reads
from traceloop_decode.descriptors.tables import Begun, Task
from traceloop_decode.descriptors.world import World
from traceloop_decode.errnos import is_error
from traceloop_decode.model import Call, Entered, Event, Files, KnownFile, Lost, Returned, TaskExit, event_source
from traceloop_decode.open_files import OpenFiles
from traceloop_decode.program_start import is_runtimes
from traceloop_decode.syscalls import EXECS, FORKS, MESSAGES, argument_count

_EBADF: Final = -9
_CLONE_THREAD: Final = 0x10000
_CLONE_INTO_CGROUP: Final = 1 << 33
_WORD: Final = Struct("<Q")
_INT: Final = 0xFFFFFFFF
_NO_FILES: Final[Mapping[int, KnownFile]] = {}
_AF_NETLINK: Final = (16,)
_INET: Final = (2, 10)
_TYPE_MASK: Final = 0xF
_SOCK_DGRAM: Final = 2
_RESOLVER: Final = ":53"


def known(
    events: Iterable[Event], start: OpenFiles | None = None, *, sockets: bool = False, requests: bool = False
) -> Iterator[Event]:
    """Adds `files` to the calls of events. start: what /proc said. sockets: include the ends of sockets (-yy).

    requests: the events include the requests of io_uring.
    """
    return map(FdTable(start, sockets=sockets, requests=requests).observe, events)


def unnamed(events: Iterable[Event]) -> Iterator[Event]:
    """Removes the names that `known` added, but keeps a socket's protocol where printers need it."""
    return map(_unnamed, events)


def protocols(events: Iterable[Event], *, dns: bool = False) -> Iterator[Event]:
    """Adds `files` to calls on netlink sockets and, with `dns`, on sockets of name servers: only what tells of these.

    Following begins at a trace's first netlink socket, or first datagram socket of IP: most traces have none.
    """
    table: FdTable | None = None
    for event in events:
        if table is None:
            call = event if isinstance(event, Call) else event.call if isinstance(event, Returned) else None
            if call is None or call.source or call.name != "socket" or not _is_followed(call, dns=dns):
                yield event
                continue
            table = FdTable()
        yield _unnamed(table.observe(event))


def _is_followed(call: Call, *, dns: bool) -> bool:
    if call.registers[:1] == _AF_NETLINK:
        return True
    return (
        dns and len(call.registers) > 1 and call.registers[0] in _INET and call.registers[1] & _TYPE_MASK == _SOCK_DGRAM
    )


def _unnamed(event: Event) -> Event:
    if isinstance(event, Call):
        return event._replace(files=_protocol_alone(event))
    if isinstance(event, Entered | Returned):
        return type(event)(event.call._replace(files=_protocol_alone(event.call)))
    return event


def _protocol_alone(call: Call) -> Files | None:
    if call.files is None or call.name not in MESSAGES or not call.registers:
        return None
    fd = call.registers[0] & _INT
    found = call.files.before.get(fd)
    if found is None or found.socket is None:
        return None
    if found.socket.kind != NETLINK and not found.socket.remote.endswith(_RESOLVER):
        return None
    return Files({fd: Known("", socket=found.socket)}, None, None)


class FdTable:
    """State of all descriptors after the observed events; events are observed in the order of the trace."""

    def __init__(self, start: OpenFiles | None = None, *, sockets: bool = False, requests: bool = False) -> None:
        self._world = World(sockets=sockets, requests=requests)
        self._reads = Reads(start)
        self._begun: dict[int, Begun] = {}  # by thread in a call

    def text(self, tid: int, fd: int) -> str:
        """Returns what a thread's descriptor stands for now, as it is printed; "" if it is not known."""
        task = self._world.seen(tid)
        found = task.table.get(fd) if task is not None else None
        known = found.now if found is not None else None
        return known.shown if known is not None else ""

    def observe(self, event: Event) -> Event:
        """Updates the state by an event and returns the event; a call gets its `files`."""
        if event_source(event):
            return event
        if self._reads:
            for read in self._reads.until(event):
                self._apply(read)
        if isinstance(event, Call):
            return self._whole(event)
        if isinstance(event, Entered):
            return Entered(self._entered(event.call))
        if isinstance(event, Returned):
            return Returned(self._returned(event.call))
        if isinstance(event, TaskExit):
            self._ended(event)
        elif isinstance(event, Lost):
            self._reads.lose(event)
            self._world.forget()
            self._begun.clear()
        return event

    # -- events

    def _whole(self, call: Call) -> Call:
        task = self._world.task(call.pid, call.tid)
        begun = self._world.begun(task)
        if call.name in FORKS:
            self._fork_begins(call, task)
        elif call.name in SENDS:
            self._world.passed.begin(call, task, begun)
        return self._learn(call, task, begun)

    def _entered(self, call: Call) -> Call:
        task = self._world.task(call.pid, call.tid)
        begun = self._begun[call.key] = self._world.begun(task)
        if call.name in FORKS:
            self._fork_begins(call, task)
        elif call.name in SENDS:
            self._world.passed.begin(call, task, begun)
        return call._replace(files=_files_of(call, begun))

    def _returned(self, call: Call) -> Call:
        if call.entry_lost and call.result == 0 and call.name in FORKS:  # in the child, or the thread, that was made
            self._child(call)
            self._begun.pop(call.key, None)
            return call._replace(files=_files(self._world.begun(self._world.task(call.pid, call.tid))))
        task = self._world.task(call.pid, call.tid)
        begun = self._begun.pop(call.key, None) or self._world.begun(task)
        if call.entry_lost and (not call.registers or call.name in EXECS):
            if call.name in LEARN or call.name in EXECS:
                self._world.put(call.tid, self._world.new())
            return call
        return self._learn(call, task, begun)

    def _learn(self, call: Call, task: Task, begun: Begun) -> Call:
        result = call.result
        name = call.name
        if call.request is not None and (call.request.slot or call.request.direct):
            return call._replace(files=_files_of(call, begun))
        if result is not None and (not is_error(result) or (name == "close" and result != _EBADF)):
            learn = LEARN.get(name)
            if learn is not None and len(call.registers) < argument_count(name):
                task.table.forget()
                task.at.cwd = None
            elif learn is not None:
                learn(self._world, task, call, begun)
            elif name in EXECS:
                task = self._exec(call, task)
        if name in FORKS:
            self._fork_ends(call, task)
        elif name in SENDS:
            self._world.passed.end(call)
        made = task.table.get(call.result or 0) if makes_fd(call) else None
        return call._replace(files=_files(begun, made))

    def _ended(self, end: TaskExit) -> None:
        self._begun.pop(end.tid, None)
        if end.tid != end.pid:
            self._world.drop(end.tid)
        if end.group_dead:
            self._world.ended(end.pid)

    # -- processes

    def _apply(self, read: Reading) -> None:
        for pid, process in read.processes.items():
            task = self._world.task(pid, pid)
            for fd, (name, closed) in process.fds.items():
                if read.is_stale(pid, fd):
                    continue
                found = task.table.get(fd)
                if found is None:
                    device = process.devices.get(fd, "") if self._world.sockets else ""
                    known = of_link(name, device, outside=fd in process.outside)
                    found = Opened(known, self._world.names) if known is not None else None
                elif not closed:
                    continue
                task.table.put(fd, found, closed_by_exec=closed)
            if not read.moved(pid) and (process.root, process.cwd) != (None, None):
                task.at.root, task.at.cwd = _place(process.root), _place(process.cwd)

    def _fork_begins(self, call: Call, task: Task) -> None:
        flags = _clone_flags(call)
        if flags & _CLONE_THREAD:
            self._world.make_thread(call.pid, task)
            if flags & (CLONE_FILES | CLONE_FS) != CLONE_FILES | CLONE_FS:
                task.table.forget(blind=True)
        elif not flags & _CLONE_INTO_CGROUP:
            self._world.forks.begin(call, flags, task)

    def _fork_ends(self, call: Call, task: Task) -> None:
        self._world.forks.end(call)
        if (call.result is None or is_error(call.result)) and _clone_flags(call) & _CLONE_THREAD:
            self._world.make_no_thread(call.pid, task)

    def _child(self, call: Call) -> None:
        # Finds the clone of a new process or thread.
        if call.pid != call.tid:
            self._world.made_thread(call.pid, call.tid)
        elif self._world.seen(call.tid) is None:
            task = self._world.forks.child(call)
            if task is not None:
                self._world.put(call.tid, task)

    def _exec(self, call: Call, task: Task) -> Task:
        # execve ends the other threads and gives the process its own table.
        for tid in task.tids - {call.pid}:
            self._world.drop(tid)
        if is_runtimes(call.comm):  # its calls before are not followed
            return self._world.executed(call.pid, self._world.new())
        return self._world.executed(call.pid, Task(task.table.executed(), task.at.copy()))


def _files_of(call: Call, begun: Begun) -> Files:
    files = _files(begun)
    direct = call.request is not None and call.request.direct
    return files._replace(before=_NO_FILES) if direct else files


def _files(begun: Begun, made: Opened | None = None) -> Files:
    return Files(begun.fds, begun.directory, made.now if made is not None else None)


def _place(said: bytes | None) -> Place | None:
    return Place.of(said, real=True) if said is not None and said.startswith(b"/") and len(said) <= PATH_MAX else None


def _clone_flags(call: Call) -> int:
    if call.name == "clone":
        return call.registers[0] if call.registers else _CLONE_INTO_CGROUP
    if call.name == "clone3":
        data = data_of(call, 0)
        # Unreadable flags are treated as those of a child that shares everything and is not in this trace.
        return _WORD.unpack_from(data)[0] if data is not None and len(data) >= _WORD.size else _CLONE_INTO_CGROUP
    return 0
