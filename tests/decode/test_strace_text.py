# SPDX-License-Identifier: Apache-2.0
"""`-o strace` for everything around calls: halves, ends, signals, children, restarts."""

from __future__ import annotations

import re
import struct

import pytest

from traceloop_decode import layout
from traceloop_decode.model import Call, Entered, Event, Item, Lost, Returned, Sender, Signal, TaskExit
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import X86_64, table
from traceloop_decode.text import strace

SNAPSHOT = Snapshot("x86_64", 1, 1 << 20, 1 << 14, 2, 0, 0, 0, (), b"")
NUMBERS = {syscall.name: number for number, syscall in table(compat=False).items()}
RESTART_BLOCK, RESTARTSYS, SIGKILL = -516, -512, 9
PATH = {0: (Item(0, layout.KIND_STRING, b"/bin/true", 9, more=False, fault=False, out=False),)}


def call(tid: int, name: str, *registers: int, result: int | None = None, pid: int = 100, **more) -> Call:
    begun = (1, 0, pid, tid, "sh", X86_64)
    made = Call(*begun, NUMBERS[name], name, registers, more.pop("items", {}), result, **more)
    return made if result is None else made._replace(end_ns=2, end_cpu=0, end_comm="sh")


def ended(tid: int, code: int, pid: int = 100) -> TaskExit:
    return TaskExit(4, 0, pid, tid, "sh", code, group_dead=True)


def leads(pid: int, code: int) -> TaskExit:
    """The end of a process's leader while another thread lives."""
    return TaskExit(4, 0, pid, pid, "sh", code, group_dead=False)


def halves(made: Call) -> list[Event]:
    return [Entered(made._replace(result=None, end_ns=None)), Returned(made)]


read = call(101, "read", 5, 0x1000, 9, result=0)
SENT = struct.pack("<iii4xii", SIGKILL, 0, 0, 9, 0).ljust(48, b"\0")
execve = call(101, "execve", 16, 0, 0, result=0, items=PATH)

RANGE, COUNTS = struct.pack("<2Q", 4096, 0), struct.pack("<5Q", 3, 1, 0, 2, 2)
SHOWN = "{nr_cache=3, nr_dirty=1, nr_writeback=0, nr_evicted=2, nr_recently_evicted=2}"
CACHE = {
    1: (Item(1, layout.KIND_BUFFER, RANGE, 16, more=False, fault=False, out=False),),
    2: (Item(2, layout.KIND_BUFFER, COUNTS, 40, more=False, fault=False, out=True),),
}

CASES = {
    "cachestat": (  # as strace's src/cachestat.c prints it; strace 6.1 lacks it
        [call(100, "cachestat", 3, 0x1000, 0x2000, 0, result=0, items=CACHE)],
        [f"100   cachestat(3, {{off=0x1000, len=0}}, {SHOWN}, 0) = 0"],
    ),
    "whole": ([call(100, "getpid", result=100)], ["100   getpid() = 100"]),
    "a long line": (
        [call(100, "rt_sigprocmask", 2, 0, 0, 8, result=-22)],
        ["100   rt_sigprocmask(SIG_SETMASK, NULL, NULL, 8) = -1 EINVAL (Invalid argument)"],
    ),
    "halves": (
        [halves(read)[0], call(100, "getpid", result=100), halves(read)[1]],
        [
            "101   read(5 <unfinished ...>",
            "100   getpid() = 100",
            "101   <... read resumed>, 0x1000, 9) = 0",
        ],
    ),
    "nothing is left for the return": (
        halves(call(100, "pause", result=-4)),
        ["100   pause( <unfinished ...>", "100   <... pause resumed>) = -1 EINTR (Interrupted system call)"],
    ),
    "a call that never returns": (
        [Entered(call(100, "exit_group", 3)), ended(101, 3 << 8), ended(100, 3 << 8)],
        ["100   exit_group(3) = ?", "101   +++ exited with 3 +++", "100   +++ exited with 3 +++"],
    ),
    "killed in mid-call": (
        [Entered(read._replace(result=None)), call(100, "getpid", result=100), ended(101, SIGKILL)],
        [
            "101   read(5 <unfinished ...>",
            "100   getpid() = 100",
            "101   <... read resumed> <unfinished ...>) = ?",
            "101   +++ killed by SIGKILL +++",
        ],
    ),
    "killed in mid-call that has no outputs": (
        [Entered(call(101, "pause")), call(100, "getpid", result=100), ended(101, SIGKILL)],
        [
            "101   pause( <unfinished ...>",
            "100   getpid() = 100",
            "101   <... pause resumed>) = ?",
            "101   +++ killed by SIGKILL +++",
        ],
    ),
    "what the kernel answered to the killed is not known to a tracer": (
        [call(100, "pause", result=RESTARTSYS, unlearnt=True), ended(100, SIGKILL)],
        ["100   pause() = ?", "100   +++ killed by SIGKILL +++"],
    ),
    "who killed it": (
        [Signal(3, 0, 100, 101, "sh", SIGKILL, SENT, 0, 0, Sender(9, "killer")), ended(101, SIGKILL)],
        ["101   +++ killed by SIGKILL +++"],
    ),
    "a call that had returned before, although nothing else is shown of its thread": (
        [
            call(100, "getpid", result=100),
            ended(100, 0),
            call(101, "getpid", result=100),
            ended(101, SIGKILL),
        ],
        [
            "100   getpid() = 100",
            "100   +++ exited with 0 +++",
            "101   getpid() = 100",
            "101   +++ killed by SIGKILL +++",
        ],
    ),
    "a clone returns once": (
        [
            Returned(call(102, "clone", result=0, pid=102, entry_lost=True)),
            Returned(call(100, "clone", result=102, entry_lost=True)),
        ],
        ["100   <... clone resumed>) = 102"],
    ),
    "a call that seccomp refused": (
        [Returned(call(100, "chroot", 16, result=-1, items=PATH, entry_lost=True))],
        ['100   chroot("/bin/true") = -1 EPERM (Operation not permitted)'],
    ),
    "execve of a thread that is not the leader": (
        [halves(execve)[0], ended(100, 0), halves(execve)[1]],
        [
            '101   execve("/bin/true", NULL, NULL <pid changed to 100 ...>',
            "100   +++ superseded by execve in pid 101 +++",
            "100   <... execve resumed>) = 0",
        ],
    ),
    "execve of a thread whose leader had ended before": (
        [Entered(call(100, "exit", 42)), leads(100, 42 << 8), execve],
        [
            "100   exit(42) = ?",
            '101   execve("/bin/true", NULL, NULL <pid changed to 100 ...>',
            "100   +++ superseded by execve in pid 101 +++",
            "100   <... execve resumed>) = 0",
        ],
    ),
    "a leader that ended before other threads": (
        [Entered(call(100, "exit", 42)), leads(100, 42 << 8), call(101, "getpid", result=100), ended(101, 0)],
        [
            "100   exit(42) = ?",
            "101   getpid() = 100",
            "101   +++ exited with 0 +++",
            "100   +++ exited with 42 +++",
        ],
    ),
    "what a call would have answered that its thread's end interrupted": (
        [call(100, "nanosleep", 0, 0, result=RESTART_BLOCK, unlearnt=True), ended(100, SIGKILL)],
        ["100   nanosleep(NULL <unfinished ...>) = ?", "100   +++ killed by SIGKILL +++"],
    ),
    "an interrupted call goes on": (
        [
            call(100, "nanosleep", 0, 0, result=RESTART_BLOCK),
            call(100, "restart_syscall", result=0),
            call(100, "restart_syscall", result=-4),
        ],
        [
            "100   nanosleep(NULL, NULL) = ? ERESTART_RESTARTBLOCK (Interrupted by signal)",
            "100   restart_syscall(<... resuming interrupted nanosleep ...>) = 0",
            "100   restart_syscall(<... resuming interrupted system call ...>) = -1 EINTR (Interrupted system call)",
        ],
    ),
    "losses": (
        [Lost(1, 1, 5, 5, "dropped")],
        [
            (
                "--- 5 events of cpu#1 were not recorded, because another record was being written there: this is rare and "
                "has no remedy ---"
            )
        ],
    ),
    "nothing": ([], []),
}


@pytest.mark.parametrize(("events", "lines"), CASES.values(), ids=CASES)
def test_lines(events: list[Event], lines: list[str]) -> None:
    found = list(strace.lines(iter(events), SNAPSHOT))
    assert [re.sub(r"\) += ", ") = ", line) for line in found] == lines
    # The result stands in the 41st column, or after a longer line.
    assert all(line.index(" = ") >= 39 for line in found if " = " in line)


def test_it_streams() -> None:
    """A line comes as soon as the event after its own is known."""

    def events():
        yield call(100, "getpid", result=100)
        yield call(100, "gettid", result=100)
        raise AssertionError("read ahead")

    assert "getpid" in next(iter(strace.lines(events(), SNAPSHOT)))


def test_halves_as_strace_6_1_divides_them() -> None:
    between = [halves(read)[0], call(100, "getpid", result=100), halves(read)[1]]
    found = list(strace.lines(iter(between), SNAPSHOT, layout=strace.Layout(old=True)))
    assert found[0] == "101   read(5,  <unfinished ...>"
    assert found[2].startswith("101   <... read resumed>0x1000, 9) ")


def test_a_first_argument_that_is_an_output_has_no_comma_before_it() -> None:
    pair = Item(0, layout.KIND_BUFFER, struct.pack("<ii", 3, 4), 8, more=False, fault=False, out=True)
    begun, ended_ = halves(call(100, "pipe", 0x1000, result=0, items={0: (pair,)}))
    first, _, third = strace.lines(iter([begun, call(101, "getpid", result=100), ended_]), SNAPSHOT)
    assert first == "100   pipe( <unfinished ...>"
    assert third.startswith("100   <... pipe resumed>[3, 4])")
