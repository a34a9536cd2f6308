# SPDX-License-Identifier: Apache-2.0
"""The start of the container's program, in events as runc, crun and an engine's `exec` make them."""

from __future__ import annotations

from madeevents import EXECVE, STARTED_NS, args, call, string

from traceloop_decode.model import Call, Entered, Lost, Returned, TaskExit
from traceloop_decode.program_start import Begins, ProgramStart, is_runtimes, program_start, since_program

INIT = "runc:[2:INIT]"


def execve(path: bytes, *, pid: int, comm: str, result: int | None = 0, at_ns: int = 0, tid: int = 0) -> Call:
    arguments = args(EXECVE, (1, string(path)), 2, 3)
    return call("execve", arguments, result, pid=pid, tid=tid or pid, comm=comm, at_ns=at_ns)


def work(pid: int, comm: str, at_ns: int = 0) -> Call:
    return call("getpid", (), 1, pid=pid, tid=pid, comm=comm, at_ns=at_ns)


PROGRAM = execve(b"/bin/sh", pid=7, comm=INIT, at_ns=50)


def test_the_execve_of_runcs_last_stage() -> None:
    events = (work(7, INIT, 10), PROGRAM, work(7, "sh"), execve(b"/bin/ls", pid=7, comm="sh"))
    assert program_start(events) == ProgramStart(Begins.STARTED, PROGRAM, 1, STARTED_NS + 10)


def test_an_execve_that_other_events_interrupt_is_whole() -> None:
    begun = execve(b"/bin/sh", pid=7, comm=INIT, result=None)
    events = (Entered(begun), work(8, INIT), Returned(PROGRAM), work(7, "sh"))
    assert program_start(events) == ProgramStart(Begins.STARTED, PROGRAM, 2, STARTED_NS)


def test_stages_before_the_last_hooks_and_the_runtime_itself_are_not_the_program() -> None:
    events = (
        work(5, "runc:[0:PARENT]"),
        execve(b"/proc/self/exe", pid=5, comm="runc"),
        execve(b"/usr/bin/before", pid=6, comm="runc:[1:CHILD]"),
        work(7, INIT),
        execve(b"/proc/self/fd/6", pid=7, comm=INIT),
        work(8, INIT),
        execve(b"/usr/bin/hook", pid=8, comm=INIT),
        work(8, "hook"),
        execve(b"/bin/nothing", pid=7, comm=INIT, result=-2),
        PROGRAM,
    )
    assert program_start(events)[:3] == (Begins.STARTED, PROGRAM, 9)


def test_runc_begins_as_a_copy_of_itself() -> None:
    for copy in ("runc", "6"):
        events = (
            work(5, "exe"),
            execve(b"", pid=5, comm="exe"),
            work(5, copy),
            work(6, copy),
            work(7, INIT),
            execve(b"/usr/bin/hook", pid=8, comm=INIT),
            PROGRAM,
        )
        assert program_start(events)[:3] == (Begins.STARTED, PROGRAM, 6)
        assert list(since_program(events)) == [PROGRAM]


def test_a_program_that_is_called_like_a_copy_is_no_runtime() -> None:
    events = (work(5, "exe"), execve(b"/bin/sh", pid=5, comm="exe", result=-2), work(5, "exe"))
    assert program_start(events).begins is Begins.EARLIER
    assert list(since_program(events)) == list(events)
    assert program_start((*events, work(6, "sh"))).begins is Begins.EARLIER


def test_crun_has_one_stage() -> None:
    started = execve(b"/bin/sh", pid=7, comm="crun")
    assert program_start((work(7, "crun"), started)) == ProgramStart(Begins.STARTED, started, 1, STARTED_NS)


def test_a_program_that_never_starts() -> None:
    events = (
        work(7, INIT),
        execve(b"/bin/sh", pid=7, comm=INIT, result=-8),
        TaskExit(9, 0, 7, 7, INIT, 256, group_dead=True),
    )
    assert program_start(events) == ProgramStart(Begins.NEVER, first_ns=STARTED_NS)


def test_a_program_that_ran_before_the_trace() -> None:
    assert program_start((work(3, "nginx"), work(7, INIT), PROGRAM)).begins is Begins.EARLIER
    assert program_start((work(7, INIT), work(3, "nginx"), PROGRAM)).begins is Begins.EARLIER
    overwritten = Lost(STARTED_NS, 0, 10, 20, "overwritten")
    assert program_start((overwritten, work(7, INIT), PROGRAM)).begins is Begins.EARLIER
    assert program_start((work(7, INIT), overwritten, PROGRAM)).begins is Begins.STARTED
    assert program_start(()) == ProgramStart(Begins.EARLIER)


def test_names_of_runtimes() -> None:
    assert [is_runtimes(name) for name in (INIT, "runc", "crun", "youki:[1:INTER]")] == [True] * 4
    assert [is_runtimes(name) for name in ("sh", "runcd", "xcrun", "exe", "nginx: worker")] == [False] * 5
