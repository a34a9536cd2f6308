# SPDX-License-Identifier: Apache-2.0
"""Hangs: what a process was in when it was told to stop, and what must not be called one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from struct import pack

import pytest
from madeevents import NUMBERS, STARTED_NS, args, call, siginfo
from ringwriter import RingWriter

from traceloop_decode import layout
from traceloop_decode.causes.endings import ended_by_signal
from traceloop_decode.causes.explain import explain
from traceloop_decode.causes.hangs import hung
from traceloop_decode.causes.report import Finding, Sure
from traceloop_decode.causes.story import Story
from traceloop_decode.causes.verdict import in_one_line
from traceloop_decode.descriptors.names import Known
from traceloop_decode.model import (
    LEFT,
    Call,
    Entered,
    Event,
    Files,
    Ignored,
    Lost,
    Returned,
    Sender,
    Signal,
    Socket,
    TaskExit,
)
from traceloop_decode.trace_facts import TraceFacts

SECOND = 10**9
SIGKILL, SIGTERM, SIGUSR1 = 9, 15, 10
EINTR, ERESTARTSYS = -4, -512
RUNC, SHIM = Sender(815, "runc"), Sender(814, "containerd-shim")
DATABASE = Files({3: Known("<TCP>", socket=Socket("TCP", "10.0.0.2:4000", "10.0.0.5:5432"))}, None, None)
WAITS_PRIVATE, WAITS_SHARED = 128, 0


def at(seconds: float) -> int:
    return STARTED_NS + round(seconds * SECOND)


def waits(name: str, since: float, *registers: int, tid: int = 10, files: Files | None = DATABASE) -> Call:
    numbers = args((("n", "int"),) * len(registers), *registers)
    return call(name, numbers, tid=tid, pid=10, at_ns=round(since * SECOND))._replace(files=files)


def recv(since: float, *, tid: int = 10) -> Call:
    return waits("recvfrom", since, 3, tid=tid)


def kill(seconds: float, sender: Sender | None = RUNC, code: int = 0) -> Signal:
    return Signal(at(seconds), 0, 10, 10, "sh", SIGKILL, siginfo("iI", SIGKILL, 0, code, 0, 0), 0, 0, sender)


def handled(seconds: float, sender: Sender = SHIM, number: int = SIGTERM) -> Signal:
    return Signal(at(seconds), 0, 10, 10, "sh", number, siginfo("iI", number, 0, 0, 0, 0), 0x1000, 0, sender)


def ignored(seconds: float, number: int = SIGTERM) -> Ignored:
    return Ignored(at(seconds), 0, 10, 10, "sh", number, siginfo("iI", number, 0, 0, 0, 0), SHIM)


def ended(seconds: float, *tids: int) -> list[TaskExit]:
    return [TaskExit(at(seconds), 0, 10, tid, "sh", SIGKILL, group_dead=tid == 10) for tid in (*tids, 10)]


def why(*events: Event, ends: Sequence[TaskExit], before: Event | None = None) -> list[Finding]:
    # The findings about a killed process, most likely first.
    story = Story()
    story.watch([before or call("getpid", (), 1), *events, *ends])
    process = story.processes.by_pid[10]
    found = [*ended_by_signal(process, story, "x86_64"), *hung(story, process)]
    return sorted(found, key=lambda one: -one.score)


def kinds(found: list[Finding]) -> list[str]:
    return [one.kind for one in found]


def test_a_hang_is_said_before_the_kill() -> None:
    found = why(Entered(recv(1)), kill(31), ends=ended(31))
    assert kinds(found) == ["hung", "killed"]
    assert (
        found[0].sentence == "sh was waiting for 30.0 s in recvfrom on 10.0.0.5:5432 when SIGKILL from runc ended it."
    )
    assert found[0].sure is Sure.LIKELY


def test_a_kill_without_a_hang_is_said_first() -> None:
    assert kinds(why(kill(31), ends=ended(31), before=call("getpid", (), 1, at_ns=30 * SECOND))) == ["killed"]
    assert kinds(why(Entered(recv(30.5)), kill(31), ends=ended(31))) == ["killed", "hung"]


def test_a_deadlock_is_said_before_the_kill() -> None:
    threads = [Entered(waits("futex", 1, 0x1000, WAITS_SHARED, 0, 0, tid=tid)) for tid in (10, 11)]
    found = why(*threads, kill(31), ends=ended(31, 11))
    assert kinds(found) == ["deadlock", "killed"]
    assert found[0].sentence.startswith("All 2 threads of sh waited for each other (futex) for 30.0 s, and none")


def test_kubelet_s_stop_of_a_process_1_that_hangs() -> None:
    found = why(Entered(recv(1)), ignored(21), kill(51), ends=ended(51))
    assert kinds(found) == ["hung", "stop-ignored", "killed"]
    assert found[0].sentence == (
        "sh was waiting for 20.0 s in recvfrom on 10.0.0.5:5432 when SIGTERM from containerd-shim asked it to stop."
    )
    assert "was ignored by process 1, sh: it has no handler; killed 30.0 s later" in found[1].sentence


@pytest.mark.parametrize("result", [EINTR, ERESTARTSYS])
def test_kubelet_s_stop_of_a_process_that_handles_it_and_hangs_on(result: int) -> None:
    """The signal interrupts the call, and the program makes it again."""
    first = recv(1)
    interrupted = Returned(first._replace(result=result, end_ns=at(21) - 9))
    back = call("rt_sigreturn", (), result, at_ns=21 * SECOND + 5)
    found = why(Entered(first), interrupted, handled(21), back, Entered(recv(21.1)), kill(51), ends=ended(51))
    assert kinds(found) == ["hung", "stop-slow", "killed"]
    assert (
        "waiting for 20.0 s in recvfrom on 10.0.0.5:5432 when SIGTERM from containerd-shim asked" in found[0].sentence
    )
    assert found[0].evidence[0].ts_ns == at(1)


def test_a_stop_that_hangs_itself_is_said_after_the_stop() -> None:
    found = why(handled(21), Entered(recv(22)), kill(51), ends=ended(51))
    assert kinds(found) == ["stop-slow", "hung", "killed"]
    assert found[1].sentence.endswith(
        "waiting for 29.0 s in recvfrom on 10.0.0.5:5432 when SIGKILL from runc ended it."
    )


def test_a_signal_that_is_seldom_one_to_stop_is_not_said_to_ask_it() -> None:
    found = why(Entered(recv(1)), ignored(21, SIGUSR1), kill(51), ends=ended(51))
    assert found[0].sentence.endswith("in recvfrom on 10.0.0.5:5432 when SIGUSR1 from containerd-shim came.")


def test_a_signal_that_asks_nothing_does_not_divide_a_hang() -> None:
    found = why(Entered(recv(1)), handled(21, number=SIGUSR1), kill(31), ends=ended(31))
    assert "for 30.0 s" in found[0].sentence
    assert kinds(found) == ["hung", "killed"]


@pytest.mark.parametrize(
    ("idle", "what"),
    [
        (waits("epoll_wait", 1, 4), "for events (epoll_wait)"),
        (waits("poll", 1, 0), "for events (poll)"),
        (waits("io_uring_enter", 1, 4), "for events (io_uring_enter)"),
        (waits("clock_nanosleep", 1, 0), "for time to pass or a signal (clock_nanosleep)"),
        (waits("futex", 1, 0x1000, WAITS_SHARED, 0, 0), "for a lock or another thread (futex)"),
        (waits("read", 1, 0, files=None), "for another process to write to it (read of descriptor 0)"),
        (waits("read", 1, 3, files=Files({3: Known("</dev/pts/0>")}, None, None)), "in read on /dev/pts/0"),
        (waits("accept4", 1, 3, files=None), "for a client to connect (accept4 of descriptor 3)"),
    ],
)
def test_what_idle_servers_wait_in_is_said_last_and_is_no_certain_hang(idle: Call, what: str) -> None:
    found = why(Entered(idle), ignored(21), kill(51), ends=ended(51))
    assert kinds(found) == ["stop-ignored", "killed", "idle"]
    said = f"sh was waiting for 20.0 s {what} when SIGTERM from containerd-shim asked it to stop: idle, or hung."
    assert found[2].sentence == said
    assert found[2].sure is Sure.POSSIBLE


def test_a_server_that_was_active_until_shortly_before_is_not_called_idle() -> None:
    found = why(Entered(waits("epoll_wait", 18, 4)), ignored(21), kill(51), ends=ended(51))
    assert kinds(found) == ["stop-ignored", "killed"]
    assert kinds(why(Entered(waits("epoll_wait", 25, 4)), kill(31), ends=ended(31))) == ["killed"]


def test_the_end_of_epoll_wait_by_a_kill_looks_like_an_error() -> None:
    wait = waits("epoll_wait", 1, 4)
    killed = Returned(wait._replace(result=EINTR, end_ns=at(31) - 5))
    assert kinds(why(Entered(wait), killed, kill(31), ends=ended(31))) == ["killed", "idle"]


@pytest.mark.parametrize("name", ["epoll_wait", "accept4"])
def test_a_thread_that_waits_for_clients_shows_that_the_process_served(name: str) -> None:
    found = why(Entered(recv(1, tid=11)), Entered(waits(name, 1, 4)), kill(31), ends=ended(31, 11))
    assert found[0].kind == "killed"
    assert "hung" in kinds(found)


def test_other_threads_that_wait_for_it_do_not_hide_a_hang() -> None:
    waiting = waits("futex", 1, 0x1000, WAITS_SHARED, 0, 0, tid=11), waits("clock_nanosleep", 30.9, 0, tid=12)
    found = why(Entered(recv(1)), *map(Entered, waiting), kill(31), ends=ended(31, 11, 12))
    assert kinds(found) == ["hung", "killed"]
    active = call("getpid", (), 1, tid=13, pid=10, at_ns=30 * SECOND)
    assert kinds(why(Entered(recv(1)), active, kill(31), ends=ended(31, 13)))[0] == "killed"


def test_one_thread_that_waits_for_a_lock_that_nobody_can_free() -> None:
    found = why(Entered(waits("futex", 1, 0x1000, WAITS_PRIVATE, 2, 0)), kill(31), ends=ended(31))
    assert kinds(found) == ["deadlock", "killed"]
    assert found[0].sentence == (
        "sh waited for a lock (futex) for 30.0 s, and had no other thread that could free it: a deadlock."
    )
    timed = waits("futex", 1, 0x1000, WAITS_PRIVATE, 2, 0x7000)
    assert "deadlock" not in kinds(why(Entered(timed), kill(31), ends=ended(31)))


KERNEL = 0x80


@pytest.mark.parametrize(
    "killed", [kill(31, None, KERNEL), kill(31, Sender(10, "sh"))], ids=["by the kernel", "by itself"]
)
def test_a_hang_explains_no_end_by_the_kernel_or_by_itself(killed: Signal) -> None:
    found = why(Entered(recv(1, tid=11)), Entered(waits("futex", 1, 1, 0, 0, 0)), killed, ends=ended(31, 11))
    assert found[0].kind in ("oom-killed", "killed")


# -- no system call for long


LAST = call("write", (), 1, at_ns=SECOND)


def test_a_loop_without_system_calls() -> None:
    found = why(LAST, kill(31), ends=ended(31))
    assert kinds(found) == ["computing", "killed"]
    assert found[0].sentence == (
        "sh had made no system call for 30.0 s when SIGKILL from runc ended it: it was computing, or was stopped."
    )
    assert found[0].evidence[0].ts_ns == LAST.ts_ns


def test_kubelet_s_stop_of_a_loop() -> None:
    found = why(LAST, ignored(21), kill(51), ends=ended(51))
    assert kinds(found) == ["computing", "stop-ignored", "killed"]
    assert "no system call for 20.0 s when SIGTERM from containerd-shim asked it to stop: it" in found[0].sentence
    found = why(LAST, handled(21), call("rt_sigreturn", (), 0, at_ns=21 * SECOND + 9), kill(51), ends=ended(51))
    assert kinds(found) == ["computing", "stop-slow", "killed"]
    assert "no system call for 20.0 s when SIGTERM" in found[0].sentence
    found = why(LAST, handled(5), call("rt_sigreturn", (), 0, at_ns=6 * SECOND), kill(35), ends=ended(35))
    assert kinds(found) == ["stop-slow", "computing", "killed"]
    assert "no system call for 29.0 s when SIGKILL" in found[1].sentence
    found = why(LAST, ignored(5), kill(35), ends=ended(35))
    assert kinds(found) == ["stop-ignored", "computing", "killed"]
    assert "no system call for 34.0 s when SIGKILL" in found[1].sentence


@pytest.mark.parametrize(
    "more",
    [
        (call("getpid", (), 1, at_ns=25 * SECOND),),
        (Entered(call("write", (), at_ns=2 * SECOND)),),
        (Returned(call("nanosleep", (), EINTR, at_ns=2 * SECOND, end_ns=31 * SECOND - 5)),),
        (LAST._replace(unlearnt=True, end_ns=at(31)),),
        (Lost(at(20), 1, 5, 5, "overwritten"),),
        (Lost(at(0), 1, 5, 5, "rejected"),),
        (Lost(at(0), 1, 5, 5, "dropped"),),
        (Lost(at(0), 1, 0, 0, LEFT),),
    ],
    ids=["active", "in a call", "waited", "killed in a call", "overwritten", "rejected", "dropped", "left"],
)
def test_no_loop_is_claimed_that_the_trace_does_not_show(more: tuple[Event, ...]) -> None:
    assert "computing" not in kinds(why(LAST, *more, kill(31), ends=ended(31)))


def test_calls_that_are_kept_from_long_ago_or_not_recorded_show_no_loop() -> None:
    assert kinds(why(kill(31), ends=ended(31), before=LAST._replace(source="firsts"))) == ["killed"]
    story = Story()
    story.skips = True
    story.watch([LAST, kill(31), *ended(31)])
    assert [*hung(story, story.processes.by_pid[10])] == []


def test_a_loop_after_calls_that_were_overwritten_is_shown() -> None:
    found = why(LAST, kill(31), ends=ended(31), before=Lost(at(0.5), 0, 5, 5, "overwritten"))
    assert kinds(found) == ["computing", "killed"]


def test_a_thread_that_loops() -> None:
    last = call("write", (), 1, tid=11, pid=10, at_ns=SECOND)
    main = Entered(waits("futex", 1, 0x1000, WAITS_SHARED, 0, 0))
    found = why(last, main, kill(31), ends=ended(31, 11))
    assert kinds(found) == ["computing", "killed"]
    assert found[0].sentence.startswith("A thread of sh (tid 11) had made no system call for 30.0 s when")
    found = why(last, Entered(waits("epoll_wait", 30, 4)), kill(31), ends=ended(31, 11))
    assert kinds(found) == ["killed", "computing"]
    assert found[1].sure is Sure.POSSIBLE


def test_a_signal_to_stop_that_ends_a_process_that_hangs() -> None:
    end = TaskExit(at(21), 0, 10, 10, "sh", SIGTERM, group_dead=True)
    stop = Signal(at(21), 0, 10, 10, "sh", SIGTERM, siginfo("iI", SIGTERM, 0, 0, 0, 0), 0, 0, SHIM)
    found = why(Entered(recv(1)), stop, ends=[end])
    assert kinds(found) == ["hung", "killed"]
    assert found[0].sentence.endswith("10.0.0.5:5432 when SIGTERM from containerd-shim ended it.")


def test_an_init_that_waits_for_a_child_that_hangs() -> None:
    fork = call("fork", (), 11, at_ns=1)
    child = Entered(recv(1)._replace(pid=11, tid=11))
    init = Entered(waits("rt_sigtimedwait", 30.5, 0))
    end = TaskExit(at(31), 0, 11, 11, "sh", SIGKILL, group_dead=True)
    found = why(fork, child, init, kill(31), ends=[end, *ended(31)])
    assert kinds(found) == ["hung", "killed"]
    assert found[0].evidence[0].tid == 11
    assert found[0].sentence.endswith("in recvfrom on 10.0.0.5:5432 when SIGKILL from runc ended sh.")
    found = why(fork, child, init, ignored(21), kill(31), ends=[end, *ended(31)])
    assert found[0].sentence.endswith("when SIGTERM from containerd-shim asked sh to stop.")


def hanging(*, loops: bool, handles: bool = False) -> RingWriter:
    # Process 1 hangs in a call, or computes, for 20 s; kubelet's SIGTERM does not end it, and 30 s later SIGKILL does.
    ring = RingWriter(1 << 20, 1 << 14)
    ring.name(7, 7, "server")
    recvfrom, registers = NUMBERS["recvfrom"], (3, 4096, 100, 0, 0, 0)
    ring.enter(0, 7, recvfrom, *registers)
    if loops:
        ring.exit(0, 7, recvfrom, 9)
    ring.now_ns += 20 * SECOND
    ring.sender(0, 7, SIGTERM, sender=814, comm="containerd-shim", ignored=not handles)
    if handles:
        if not loops:
            ring.exit(0, 7, recvfrom, ERESTARTSYS)
        received = layout.SIGNAL.pack(pack("<iii4xi", SIGTERM, 0, 0, 0).ljust(48, b"\0"), 0x401000, 0)
        ring.record(0, 7, layout.TYPE_SIGNAL, SIGTERM, received)
        ring.enter(0, 7, NUMBERS["rt_sigreturn"])
        ring.exit(0, 7, NUMBERS["rt_sigreturn"], EINTR)
        if not loops:
            ring.enter(0, 7, recvfrom, *registers)
    ring.now_ns += 30 * SECOND
    ring.signal_sent(0, 7, SIGKILL, 0, sender=815, comm="runc")
    if not loops:
        ring.exit(0, 7, recvfrom, ERESTARTSYS)
    ring.signal(0, 7, SIGKILL)
    ring.task_exit(0, 7, SIGKILL)
    return ring


@pytest.mark.parametrize(
    ("loops", "says"),
    [
        (
            False,
            "server was waiting for 20.0 s for another process to write to it (recvfrom of descriptor 3) when SIGTERM",
        ),
        (True, "server had made no system call for 20.0 s when SIGTERM"),
    ],
)
@pytest.mark.parametrize("handles", [False, True])
def test_the_first_sentence_of_a_trace_is_what_it_hung_in(*, loops: bool, handles: bool, says: str) -> None:
    facts = TraceFacts("n_x", status=SIGKILL)
    snapshot = hanging(loops=loops, handles=handles).snapshot()
    report = explain(snapshot, facts)
    assert in_one_line(report).startswith(f"{says} from containerd-shim asked it to stop")
    outlived = "stop-slow" if handles else "stop-ignored"
    assert [one.kind for one in report.findings][1:] == [outlived, "killed"]
    skipping = explain(snapshot, replace(facts, skipped="futex"))
    assert next(one.kind for one in skipping.findings) == (outlived if loops else "hung")


def test_a_thread_that_waits_for_children_that_do_not_hang_hides_no_hang() -> None:
    fork = call("fork", (), 11, at_ns=1)
    child = call("getpid", (), 1, pid=11, tid=11, at_ns=30 * SECOND)
    reaper = Entered(waits("waitid", 1, 1, tid=12))
    end = TaskExit(at(31), 0, 11, 11, "sh", SIGKILL, group_dead=True)
    found = why(fork, child, reaper, Entered(recv(1)), kill(31), ends=[end, *ended(31, 12)])
    assert kinds(found) == ["hung", "killed"]
