# SPDX-License-Identifier: Apache-2.0
r"""What ``strace -f -o`` writes.

::

    31965 openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3
    31964 wait4(31965,  <unfinished ...>
    31964 <... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 31965
    31964 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, ...} ---
    31965 <... read resumed> <unfinished ...>) = ?       its thread was ended in the middle of it
    31965 +++ exited with 0 +++

The recorder sees more than a tracer by ptrace(2) does, which is left out: that SIGKILL arrives, that it interrupts a
call, and that a clone returns in the child.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

from traceloop_decode.events import is_exec
from traceloop_decode.model import Call, Entered, Event, Lost, Returned, Signal, TaskExit
from traceloop_decode.printers import core
from traceloop_decode.printers.view import View
from traceloop_decode.text.notes import exit_note, lost_note, signal_note
from traceloop_decode.text.times import Clock, no_clock
from traceloop_decode.values.options import Options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from traceloop_decode.snapshot import Snapshot

_SIGKILL: Final = 9
# ERESTARTSYS to ERESTART_RESTARTBLOCK of include/linux/errno.h
_RESTART_FIRST: Final = -512
_RESTART_BLOCK: Final = -516
_CHILD_MAKERS: Final = frozenset(("clone", "clone3", "fork", "vfork"))
_EXEC: Final = frozenset(("execve", "execveat"))
_DEFAULTS: Final = Options()
ALIGN: Final = 40
"""The column of the result, unless -a says another."""


@dataclass(frozen=True, slots=True)
class Layout:
    """align: the column of the result (-a). clock: what stands behind the thread's number (-t). durations: -T."""

    align: int = ALIGN
    clock: Clock = no_clock
    durations: bool = False


_LAYOUT: Final = Layout()


def lines(
    events: Iterable[Event], snapshot: Snapshot, options: Options = _DEFAULTS, layout: Layout = _LAYOUT
) -> Iterator[str]:
    """One line an event, in its order; memory holds the calls in flight."""
    writer = _Writer(options, layout, snapshot.arch)
    following = iter(events)
    event = next(following, None)
    for after in chain(following, (None,)):
        if event is not None:  # None: there are no events
            yield from writer.write(event, after)
        event = after


class _Writer:
    """Knows what was begun, and how it looks when it ends."""

    def __init__(self, options: Options, layout: Layout, arch: str) -> None:
        self._options, self._arch = options, arch
        self._align, self._clock, self._durations = layout.align, layout.clock, layout.durations
        self._begun: dict[int, Call] = {}  # by thread
        self._execs: dict[int, int] = {}  # process -> the first of its threads that are in an execve, or was
        self._interrupted: dict[int, str] = {}  # thread -> the call that restart_syscall will go on with

    def write(self, event: Event, after: Event | None) -> tuple[str, ...]:
        """The lines of an event; after: the next one."""
        if isinstance(event, Call):
            return (self._whole(event, after),)
        if isinstance(event, Entered):
            call = event.call
            if core.never_returns(call) or _ends(call.tid, after):
                return (self._whole(call, after),)
            self._begun[call.tid] = call
            if call.name in _EXEC and not is_exec(self._begun.get(self._execs.get(call.pid, 0)), call.pid):
                self._execs[call.pid] = call.tid
            return (self._unfinished(call),)
        if isinstance(event, Returned):
            call = event.call
            if call.entry_lost:
                if call.result == 0 and call.name in _CHILD_MAKERS:
                    return ()
                if call.registers:
                    return (self._whole(call, after),)
            self._begun.pop(call.tid, None)
            return (self._resumed(call, after),)
        if isinstance(event, Signal):
            return (
                ()
                if event.number == _SIGKILL
                else (self._note(event, signal_note(event, self._options.constants, self._arch)),)
            )
        if isinstance(event, TaskExit):
            return self._ended(event)
        return (self._note(event, lost_note(event)),)

    def _whole(self, call: Call, after: Event | None) -> str:
        view = core.view_of(call, self._options)
        if call.name == "restart_syscall":
            args = f"<... resuming interrupted {self._interrupted.pop(call.tid, 'system call')} ...>"
        else:
            args = ", ".join(core.marking_printer_of(call).args(view))
        head = f"{call.tid:<5} {self._clock(call.ts_ns)}{call.name}({args}) "
        return f"{head:<{self._align}}= {self._result(view, after)}"

    def _unfinished(self, call: Call) -> str:
        view, printer = core.view_of(call, self._options), core.printer_of(call)
        args = printer.early(view)
        begun = ", ".join(args) + (", " if args and printer.has_late else "")
        if call.name == "restart_syscall":
            begun = f"<... resuming interrupted {self._interrupted.pop(call.tid, 'system call')} ...>"
        return f"{call.tid:<5} {self._clock(call.ts_ns)}{call.name}({begun} <unfinished ...>"

    def _resumed(self, call: Call, after: Event | None) -> str:
        view = core.view_of(call, self._options)
        late = ", ".join(core.marking_printer_of(call).late(view))
        # A thread that is not its process's leader becomes it by execve.
        tid = call.pid if call.result == 0 and call.name in _EXEC else call.tid
        head = f"{tid:<5} {self._clock(call.end_ns or 0)}<... {call.name} resumed>{late}) "
        return f"{head:<{self._align}}= {self._result(view, after)}"

    def _result(self, view: View, after: Event | None) -> str:
        call = view.call
        if _never_learnt(call, after):
            return "?"
        if call.result == _RESTART_BLOCK:
            self._interrupted[call.tid] = call.name
        result = core.printer_of(call).result(view)
        if self._durations and call.end_ns is not None and not call.entry_lost:
            return f"{result} <{(call.end_ns - call.ts_ns) / 1e9:.6f}>"
        return result

    def _ended(self, end: TaskExit) -> tuple[str, ...]:
        self._interrupted.pop(end.tid, None)
        call = self._begun.pop(end.tid, None)
        begun: tuple[str, ...] = ()
        if call is not None:
            rest = " <unfinished ...>" if core.printer_of(call).has_late else ""
            head = f"{end.tid:<5} {self._clock(end.ts_ns)}<... {call.name} resumed>{rest}) "
            begun = (f"{head:<{self._align}}= ?",)
        if end.tid == end.pid:
            other = self._execs.pop(end.pid, 0)
            if is_exec(self._begun.get(other), end.pid):
                return (*begun, self._note(end, f"+++ superseded by execve in pid {other} +++"))
        return (*begun, self._note(end, exit_note(end)))

    def _note(self, event: Signal | TaskExit | Lost, note: str) -> str:
        if isinstance(event, Lost):
            return note
        return f"{event.tid:<5} {self._clock(event.ts_ns)}{note}"


def _ends(tid: int, after: Event | None) -> bool:
    # Is the next event the end of a thread that is in a call?
    return isinstance(after, TaskExit) and after.tid == tid


def _never_learnt(call: Call, after: Event | None) -> bool:
    # Was the call interrupted by the thread's end, so that the kernel's answer reached nobody?
    killed = isinstance(after, Signal) and after.number == _SIGKILL and after.tid == call.tid
    return killed and call.result is not None and _RESTART_BLOCK <= call.result <= _RESTART_FIRST
