# SPDX-License-Identifier: Apache-2.0
r"""The line format of ``strace -f -o``.

::

    31965 openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3
    31964 wait4(31965 <unfinished ...>
    31964 <... wait4 resumed>, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 31965
    31964 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, ...} ---
    31965 <... read resumed> <unfinished ...>) = ?       the thread ended during the call
    31965 --- io_uring openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3 ---     an io_uring request, which is no call
    31965 --- io_uring accept4(3, NULL, NULL, 0 <unfinished ...> ---         it completes later
    31965 +++ exited with 0 +++
    31965 /* SIGTERM {si_signo=SIGTERM, ...} ignored, sent by pid 7 [kill] */      which did not reach the thread

The recorder sees more than a tracer that uses ptrace(2). These events are left out: the arrival of SIGKILL, the
kernel's answer to a call that SIGKILL interrupts, and the return of clone in the child. It also sees earlier that the
leader of a process ends while other threads live. ptrace reports that when they have ended too; or, if one of them
executes a program, it reports that this thread took the leader's place::

    31967 execve("/bin/true", ["true"], NULL <pid changed to 31965 ...>
    31965 +++ superseded by execve in pid 31967 +++
    31965 <... execve resumed>) = 0

Where strace prints a call's number as its result, because seccomp refused the call by SIGSYS, the line ends in
``? (refused by seccomp)``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from traceloop_decode.following import Batches
from traceloop_decode.model import Call, Entered, Event, Ignored, Lost, Returned, Signal, TaskExit
from traceloop_decode.multiplexed_calls import kernel_number
from traceloop_decode.pairing import is_exec
from traceloop_decode.printers import core
from traceloop_decode.printers.view import View
from traceloop_decode.safe_text import printable
from traceloop_decode.syscalls import EXECS, FORKS
from traceloop_decode.text import dumps
from traceloop_decode.text.dumps import FdSet
from traceloop_decode.text.notes import exit_note, ignored_note, lost_note, seccomp_note, signal_note
from traceloop_decode.text.times import Clock, duration, no_clock
from traceloop_decode.values.options import Options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from traceloop_decode.snapshot import Snapshot

_BRACKETS: Final = str.maketrans({"<": "\\74", ">": "\\76"})
_SIGKILL: Final = 9
_SIGSTOP: Final = 19
_AHEAD_MAX: Final = 64
_UNFINISHED: Final = " <unfinished ...>"
_REGISTER_MASK: Final = (1 << 64) - 1
_RESTART_BLOCK: Final = -516  # ERESTART_RESTARTBLOCK of include/linux/errno.h
_DEFAULTS: Final = Options()
ALIGN: Final = 40
"""Column of the result, unless -a gives another."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Layout of lines. align: column of the result (-a). clock: time after the thread id (-t).

    duration_digits: digits of the fraction of a call's duration (-T), or None to leave durations out. numbers: show the
    calls' numbers (strace's -n). comms: show the thread's name after its id (-Y). old: split calls as strace 6.1 does.
    reads, writes: descriptors whose data are dumped (-e read=, -e write=).
    """

    align: int = ALIGN
    clock: Clock = no_clock
    duration_digits: int | None = None
    numbers: bool = False
    comms: bool = False
    old: bool = False
    reads: FdSet | None = None
    writes: FdSet | None = None


_LAYOUT: Final = Layout()


def lines(
    events: Iterable[Event], snapshot: Snapshot, options: Options = _DEFAULTS, layout: Layout = _LAYOUT
) -> Iterator[str]:
    """Yields one line per event, in the events' order; memory grows with the calls in flight."""
    writer, ahead = _Writer(options, layout, snapshot.arch), _Ahead(events)
    for event in ahead:
        yield from writer.write(event, ahead)
    yield from writer.rest()


class _Ahead:
    """Iterates over events, and shows which event follows the current one."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._events, self._following = iter(events), deque[Event]()

    def __iter__(self) -> Iterator[Event]:
        while self._pull(1):
            yield self._following.popleft()

    def next(self) -> Event | None:
        """Returns the next event that has a line."""
        for n in range(_AHEAD_MAX):
            if not self._pull(n + 1, wait=False):
                break
            event = self._following[n]
            if not (isinstance(event, Signal) and event.number == _SIGKILL):
                return event
        return None

    def _pull(self, count: int, *, wait: bool = True) -> bool:
        while len(self._following) < count:
            if not wait and isinstance(self._events, Batches) and not self._events.ready:
                return False
            event = next(self._events, None)
            if event is None:
                return False
            self._following.append(event)
        return True


class _Writer:
    """Writes events as lines and remembers each thread's call until it returns."""

    def __init__(self, options: Options, layout: Layout, arch: str) -> None:
        self._options, self._arch = options, arch
        self._align, self._layout = layout.align, layout
        self._numbers: dict[int, int] = {}  # thread -> the number of its last call
        self._begun: dict[int, Call] = {}  # by thread
        self._execs: dict[int, int] = {}  # process -> the first of its threads that is, or was, in an execve
        self._interrupted: dict[int, str] = {}  # thread -> the call that restart_syscall will resume
        self._leaders: dict[int, TaskExit] = {}  # process -> its leader's end, while other threads live

    def write(self, event: Event, after: _Ahead) -> tuple[str, ...]:
        """Returns the lines of an event; after: the events that follow."""
        if isinstance(event, Call | Entered | Returned):
            call = event if isinstance(event, Call) else event.call
            if call.request is not None:
                return (self._request(call, event),)
        if isinstance(event, Call):
            if _replaces_leader(event) and event.pid in self._leaders:
                begun = self._unfinished(event, f"pid changed to {event.pid}")
                return begun, self._superseded(event), self._resumed(event)
            return (self._whole(event), *self._dumped(event))
        if isinstance(event, Entered):
            return self._entered(event.call, after)
        if isinstance(event, Returned):
            call = event.call
            if call.entry_lost:
                if call.result == 0 and call.name in FORKS:
                    return ()
                if call.registers:
                    return (self._whole(call), *self._dumped(call))
            self._begun.pop(call.tid, None)
            if _replaces_leader(call) and call.pid in self._leaders:
                return self._superseded(call), self._resumed(call)
            return (self._resumed(call), *self._dumped(call))
        if isinstance(event, Signal | Ignored):
            return self._signal(event)
        if isinstance(event, TaskExit):
            return self._ended(event)
        return (self._note(event, lost_note(event)),)

    def _entered(self, call: Call, after: _Ahead) -> tuple[str, ...]:
        following = after.next()
        if core.never_returns(call) or _ends(call.tid, following):
            ended_ns = following.ts_ns if isinstance(following, TaskExit) else None
            return (self._whole(call._replace(end_ns=ended_ns)),)
        self._begun[call.tid] = call
        if call.name in EXECS and not is_exec(self._begun.get(self._execs.get(call.pid, 0)), call.pid):
            self._execs[call.pid] = call.tid
        changes = call.name in EXECS and call.tid != call.pid and _ends(call.pid, following)
        return (self._unfinished(call, f"pid changed to {call.pid}" if changes else "unfinished"),)

    def _signal(self, signal: Signal | Ignored) -> tuple[str, ...]:
        if isinstance(signal, Ignored):
            return (self._note(signal, ignored_note(signal, self._options.constants, self._arch)),)
        if signal.number == _SIGKILL:
            return ()
        note = self._note(signal, signal_note(signal, self._options.constants, self._arch))
        stops = signal.number == _SIGSTOP  # the other stop signals do not stop an orphaned process group
        return (note, self._note(signal, "--- stopped by SIGSTOP ---")) if stops else (note,)

    def rest(self) -> Iterator[str]:
        """Yields the lines of leaders whose processes live on."""
        for end in self._leaders.values():
            yield self._note(end, exit_note(end))

    def _superseded(self, call: Call) -> str:
        end = replace(self._leaders.pop(call.pid), ts_ns=call.end_ns or call.ts_ns, superseded_by=call.tid)
        return self._note(end, exit_note(end))

    def _dumped(self, call: Call) -> Iterator[str]:
        layout = self._layout
        return dumps.lines(call, layout.reads, layout.writes) if layout.reads or layout.writes else iter(())

    def _whole(self, call: Call) -> str:
        view = core.view_of(call, self._options)
        if call.name == "restart_syscall":
            args = f"<... resuming interrupted {self._interrupted.pop(call.tid, 'system call')} ...>"
        elif call.unlearnt or (call.result is None and not core.never_returns(call)):
            has_late = core.traced_printer_of(call, self._options).has_late
            args = self._begun_arguments(call, view) + (_UNFINISHED if has_late else "")
        else:
            args = ", ".join(core.traced_printer_of(call, self._options).args(view))
        head = f"{self._head(call, call.tid, call.ts_ns)}{call.name}({args}) "
        return f"{head:<{self._align}}= {self._result(view)}"

    def _request(self, call: Call, event: Event) -> str:
        # A note, as a signal is: strace shows no requests.
        view, printer = core.view_of(call, self._options), core.traced_printer_of(call, self._options)
        if isinstance(event, Entered):
            at_ns, args, end = call.ts_ns, printer.early(view), " <unfinished ...>"
        else:
            at_ns, args = call.ts_ns if isinstance(event, Call) else call.end_ns or 0, printer.args(view)
            end = f") = {self._result(view)}"
        return f"{self._head(call, call.tid, at_ns)}--- {call.title}({', '.join(args)}{end} ---"

    def _begun_arguments(self, call: Call, view: View) -> str:
        # What is known of the arguments when the call begins.
        printer = core.traced_printer_of(call, self._options)
        args = printer.early(view)
        return ", ".join(args) + (", " if args and printer.has_late and self._layout.old else "")

    def _unfinished(self, call: Call, how: str) -> str:
        begun = self._begun_arguments(call, core.view_of(call, self._options))
        if call.name == "restart_syscall":
            begun = f"<... resuming interrupted {self._interrupted.pop(call.tid, 'system call')} ...>"
        return f"{self._head(call, call.tid, call.ts_ns)}{call.name}({begun} <{how} ...>"

    def _resumed(self, call: Call) -> str:
        view = core.view_of(call, self._options)
        printer = core.traced_printer_of(call, self._options)
        late = ", ".join(printer.late(view)) if not call.unlearnt else _UNFINISHED if printer.has_late else ""
        if late and not call.unlearnt and not self._layout.old and not call.entry_lost and printer.early(view):
            late = f", {late}"
        # By execve, a thread that does not lead its process becomes the leader.
        tid = call.pid if call.result == 0 and call.name in EXECS else call.tid
        head = f"{self._head(call, tid, call.end_ns or 0)}<... {call.name} resumed>{late}) "
        return f"{head:<{self._align}}= {self._result(view)}"

    def _result(self, view: View) -> str:
        call = view.call
        if call.unlearnt:
            return f"?{self._took(call)}"
        if call.result == _RESTART_BLOCK:
            self._interrupted[call.tid] = call.name
        result = core.printer_of(call).result(view)
        if call.by_seccomp and call.result is None:
            return result + seccomp_note(call)
        return result + self._took(call)

    def _took(self, call: Call) -> str:
        # How long the call took, until its return or, if it never returned, until its thread's end.
        digits = self._layout.duration_digits
        if digits is None or call.duration_ns is None or core.never_returns(call):
            return ""
        return f" {duration(call.duration_ns, digits)}"

    def _ended(self, end: TaskExit) -> tuple[str, ...]:
        self._interrupted.pop(end.tid, None)
        call = self._begun.pop(end.tid, None)
        begun: tuple[str, ...] = ()
        if call is not None:
            rest = _UNFINISHED if core.printer_of(call).has_late else ""
            head = f"{self._head(end, end.tid, end.ts_ns)}<... {call.name} resumed>{rest}) "
            begun = (f"{head:<{self._align}}= ?{self._took(call._replace(end_ns=end.ts_ns))}",)
        if end.tid == end.pid:
            other = self._execs.pop(end.pid, 0)
            if not end.superseded_by and is_exec(self._begun.get(other), end.pid):
                end = replace(end, superseded_by=other)
            if not end.superseded_by and not end.group_dead:
                self._leaders[end.pid] = end
                return begun
        leader = self._leaders.pop(end.pid, None) if end.group_dead else None
        last = (self._note(replace(leader, ts_ns=end.ts_ns), exit_note(leader)),) if leader is not None else ()
        return (*begun, self._note(end, exit_note(end)), *last)

    def _note(self, event: Signal | Ignored | TaskExit | Lost, note: str) -> str:
        if isinstance(event, Lost):
            return note
        return f"{self._head(event, event.tid, event.ts_ns)}{note}"

    def _head(self, event: Call | Signal | Ignored | TaskExit, tid: int, ts_ns: int) -> str:
        # What stands before each line.
        layout = self._layout
        who = f"{tid}<{printable(event.comm).translate(_BRACKETS)}>" if layout.comms else f"{tid:<5}"
        when = layout.clock(ts_ns)
        if not layout.numbers:
            return f"{who} {when}"
        if isinstance(event, Call) and event.request is None:
            self._numbers[tid] = kernel_number(event.number)
        return f"{who} {when}[{self._numbers.get(tid, 0) & _REGISTER_MASK:4}] "


def _replaces_leader(call: Call) -> bool:
    return call.name in EXECS and call.result == 0 and call.tid != call.pid


def _ends(tid: int, after: Event | None) -> bool:
    # Tells whether the next event is the end of this thread, which is in a call.
    return isinstance(after, TaskExit) and after.tid == tid
