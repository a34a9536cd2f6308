# SPDX-License-Identifier: Apache-2.0
"""Processes of a container: which made which, what each executed, and how each ended.

A fork's result is a number of the container's own PID namespace, which the events do not use. So a new process is taken
for the child of the process that forked last among those with the name that the new one's thread has.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from traceloop_decode import layout
from traceloop_decode.causes.subject import text
from traceloop_decode.forking import makes_thread
from traceloop_decode.model import Call, Signal, TaskExit
from traceloop_decode.program_start import is_runtimes
from traceloop_decode.syscalls import EXECS
from traceloop_decode.wait_status import WaitStatus, wait_status

_FORKS_MAX: Final = 256
_PROCESSES_MAX: Final = 4096
_WORDS_MAX: Final = 64
STOPS: Final = (2, 3, 15)  # SIGINT, SIGQUIT, SIGTERM; SIGHUP is most daemons' signal to read their configuration


@dataclass(slots=True)
class Process:
    """A process. execve: the last one that succeeded. end: of its last thread. exits: its exit_group, if recorded.

    killed: the last unhandled signal. asked: the last signal to stop that it handled.
    killed_threads: how many of its threads a signal ended.
    """

    pid: int
    parent: int
    comm: str
    begun_ns: int
    execve: Call | None = None
    end: TaskExit | None = None
    killed: Signal | None = None
    asked: Signal | None = None
    exits: Call | None = None
    killed_threads: int = 0

    @property
    def by_engine(self) -> bool:
        """True if a container's runtime executed its program: the first one, or a probe or another `exec` later."""
        return self.execve is not None and is_runtimes(self.execve.comm)

    @property
    def status(self) -> WaitStatus:
        """The status that it ended with; nothing is known while it runs."""
        return wait_status(self.end.code if self.end is not None else None)

    @property
    def failed(self) -> bool:
        """True if it ended with another status than 0."""
        return self.end is not None and self.end.code != 0

    @property
    def name(self) -> str:
        """The name of its program: of the file that it executed, else of its thread."""
        words = argv(self.execve) if self.execve is not None else ()
        return (words[0].rpartition("/")[2] if words else "") or self.comm


class Processes:
    """The processes of a trace, by pid."""

    def __init__(self) -> None:
        self.by_pid: dict[int, Process] = {}
        self._forking: deque[tuple[str, int]] = deque(maxlen=_FORKS_MAX)

    def seen(self, pid: int, comm: str, ts_ns: int) -> Process:
        """Returns the process of an event, a new one if it was not seen before."""
        process = self.by_pid.get(pid)
        if process is None or (process.end is not None and ts_ns > process.end.ts_ns):
            process = Process(pid, self._take(comm), comm, ts_ns)
            if len(self.by_pid) >= _PROCESSES_MAX:
                del self.by_pid[next(iter(self.by_pid))]
            self.by_pid[pid] = process
        return process

    def fork(self, call: Call) -> None:
        """Observes a clone or fork that begins, or that has returned unless its entry was observed."""
        if makes_thread(call) or (call.result is not None and call.result <= 0):  # 0: it is the child that returns
            return
        self._forking.append((call.comm, call.pid))

    def not_forked(self, call: Call) -> None:
        """Observes that a clone or fork failed whose beginning was observed."""
        if not makes_thread(call):
            self._take(call.comm, call.pid)

    def executed(self, call: Call) -> None:
        """Observes an execve that succeeded."""
        process = self.seen(call.pid, call.comm, call.ts_ns)
        process.execve, process.comm = call, call.end_comm or call.comm

    def exit(self, call: Call) -> None:
        """Observes exit_group as it begins."""
        self.seen(call.pid, call.comm, call.ts_ns).exits = call

    def signal(self, signal: Signal) -> None:
        """Observes a signal."""
        process = self.by_pid.get(signal.pid)
        if process is not None and not signal.handler:
            process.killed = signal
        elif process is not None and signal.number in STOPS:
            process.asked = signal

    def end(self, end: TaskExit) -> None:
        """Observes a thread's end."""
        process = self.seen(end.pid, end.comm, end.ts_ns)
        process.killed_threads += wait_status(end.code).signal is not None
        if end.group_dead:
            process.end = end

    def children(self, pid: int) -> list[Process]:
        """Returns the processes that a process made, in the order in which they began."""
        return [process for process in self.by_pid.values() if process.parent == pid]

    def _take(self, comm: str, pid: int | None = None) -> int:
        # Forgets the last fork of a thread of this name, or of this process, and returns whose it was.
        for n in range(len(self._forking) - 1, -1, -1):
            name, parent = self._forking[n]
            if name == comm and pid in (None, parent):
                del self._forking[n]
                return parent
        return 0


def argv(call: Call) -> tuple[str, ...]:
    """Returns the strings of an execve's argv, as far as they were recorded; its path if there are none."""
    items = call.items.get(2 if call.name == "execveat" else 1, ())
    words = tuple(text(item) for item in items if item.kind == layout.KIND_STRING)[:_WORDS_MAX]
    path = next((text(item) for item in call.items.get(call.name == "execveat", ())), "")
    return words or ((path,) if path else ())


def is_exec(call: Call) -> bool:
    """Tells whether a call executed a program."""
    return call.name in EXECS and call.result == 0
