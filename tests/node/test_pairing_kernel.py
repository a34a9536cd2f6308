# SPDX-License-Identifier: Apache-2.0
"""Real threads, processes, signals and ends: each exit finds its entry, and each event its thread."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from signal import SIGKILL, SIGSEGV, SIGTERM, SIGUSR1
from struct import unpack_from
from subprocess import DEVNULL
from threading import get_native_id

import pytest
from recorded_cgroups import TIMEOUT_S, Container, Workloads, entered, raw, returned, text

from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer
from traceloop_decode.model import Call, Entered, Event, Sender, Signal, TaskExit

pytestmark = pytest.mark.kernel

FUTEX = 202
FUTEX_WAIT_PRIVATE = 128
INIT_PID_NS = 0xEFFFFFFC  # include/linux/proc_ns.h: PROC_PID_INIT_INO
ERESTARTSYS = 512  # include/linux/errno.h: never seen by programs


@pytest.fixture
def large() -> Iterator[Container]:
    """A container with a ring of 8 MiB."""
    with closing(Tracer.load(Plan(ring_size=8 << 20, pool_size=1))) as tracer, Container(tracer) as container:
        yield container


def test_3000_threads_blocked_at_once(large: Container, workload: Workloads) -> None:
    threads = 3000
    ((words, total),) = (map(int, line.split()) for line in large.run(workload("futex_threads"), str(threads)))
    assert total == 0
    found = large.events()  # none is lost
    waits = {raw(call)[4] >> 32: call for call in returned(found) if call.name == "futex" and raw(call)[4] & 0xF == 5}
    assert waits.keys() == set(range(threads))
    for n, call in waits.items():
        assert raw(call) == (words + 4 * n, FUTEX_WAIT_PRIVATE, 7 * n + 1, 0, n << 32 | 5, 11 * n + 3)
        assert (call.result, call.entry_lost) == (0, False)
    assert len({call.tid for call in waits.values()}) == threads
    # Blocked at once: the last thread went to sleep before the first call returned.
    assert max(call.ts_ns for call in waits.values()) < min(call.end_ns or 0 for call in waits.values())


@pytest.fixture
def pid_max() -> Iterator[int]:
    """Lets the kernel give numbers above 65,535, as it does on nodes with many CPUs."""
    setting, wanted = Path("/proc/sys/kernel/pid_max"), 0x14000
    before = int(setting.read_text())
    if Path("/proc/self/ns/pid").stat().st_ino != INIT_PID_NS:
        pytest.skip("the kernel's own numbers of processes cannot be chosen in a pid namespace")
    setting.write_text(str(max(before, wanted)))
    yield wanted
    setting.write_text(str(before))


@pytest.mark.usefixtures("pid_max")
def test_numbers_that_have_one_place_among_the_entered(container: Container, workload: Workloads) -> None:
    """Processes that find their places taken are blocked at once: each call is recorded and counted once."""
    *tids, calls = map(int, container.run(workload("colliding_tids")))
    assert len(tids) == 4
    waits = [call for call in container.calls("futex") if call.tid in tids]
    assert sorted((call.tid, call.result, call.entry_lost, call.by_seccomp) for call in waits) == [
        (tid, 0, False, False) for tid in sorted(tids)
    ]
    totals = container.recording.ring.totals()
    assert totals is not None
    assert totals.native[FUTEX].calls == calls + len(tids)


@pytest.mark.usefixtures("pid_max")
def test_a_thread_all_of_whose_places_are_taken(container: Container, workload: Workloads, tracer: Tracer) -> None:
    """Another thread is forgotten, which is counted; its call and the result are in the trace."""
    before = tracer.losses()
    *tids, calls = map(int, container.run(workload("colliding_tids"), "all"))
    assert len(tids) == 5
    assert tracer.losses() == before._replace(in_call=before.in_call + 1)
    waits = [call for call in container.calls("futex") if call.tid in tids]
    assert sorted((call.tid, call.result, call.entry_lost, call.by_seccomp) for call in waits) == [
        (tid, 0, False, False) for tid in sorted(tids)
    ]
    totals = container.recording.ring.totals()
    assert totals is not None
    assert totals.native[FUTEX].calls == calls + len(tids) + 1  # as the threat model says


def test_execve_of_another_thread_than_the_leader(container: Container, workload: Workloads) -> None:
    ((pid, tid),) = (map(int, line.split()) for line in container.run(workload("exec_thread")))
    (call,) = (call for call in container.calls("execve") if call.tid == tid)
    assert (call.pid, call.comm, call.end_comm, call.result) == (pid, "exec_thread", "true", 0)
    assert text(call, 0) == b"/bin/true"
    assert [item.data for item in call.args[1].items] == [b"true", b"of", b"thread", b""]
    assert not call.entry_lost


def test_killed_in_mid_call(container: Container, workload: Workloads) -> None:
    (line,) = container.run(workload("killed"), status=-SIGKILL)
    found = container.events()
    blocked = [event.call for event in found if isinstance(event, Entered) and event.call.tid == int(line)][-1]
    assert (blocked.name, blocked.result) == ("futex", None)
    # The kernel's result of the interrupted call, although the thread does not live to see it
    assert {call.result for call in returned(found) if call.ts_ns == blocked.ts_ns} <= {-ERESTARTSYS}
    ends = [event for event in found if isinstance(event, TaskExit) and event.pid == blocked.pid]
    assert [end.code for end in ends] == [SIGKILL, SIGKILL]
    assert ends[1].group_dead  # and perhaps the first, if they ended at once


def test_a_call_that_never_returns(container: Container) -> None:
    container.run("sh", "-c", "exit 3", status=3)
    last, end = container.events()[-2:]
    assert isinstance(last, Entered)
    assert (last.call.name, raw(last.call)[0]) == ("exit_group", 3)
    assert isinstance(end, TaskExit)
    assert (end.tid, end.code) == (last.call.tid, 3 << 8)


def test_children(container: Container, workload: Workloads) -> None:
    """The return of 0 from fork, vfork, clone and clone3 in the child is recorded as the child's own."""
    (parent_pid, _), *children = [tuple(map(int, line.split())) for line in container.run(workload("children"))]
    found = container.events()
    for (child, code), name in zip(children, ["fork", "vfork", "clone", "clone3"], strict=True):
        (parent,) = (call for call in returned(found) if call.name == name and call.result == child)
        assert (parent.entry_lost, parent.pid) == (False, parent_pid)
        first = next(call for call in returned(found) if call.tid == child)
        assert (first.name, first.result, first.pid, first.entry_lost) == (name, 0, child, True)
        (end,) = (event for event in found if isinstance(event, TaskExit) and event.tid == child)
        assert (end.code, end.group_dead) == (code << 8, True)
        assert raw(next(call for call in entered(found) if call.tid == child))[0] == code
        # vfork's parent waits until the child has ended.
        assert name != "vfork" or end.ts_ns < (parent.end_ns or 0)


def signal_pid(signal: Signal) -> int:
    """Returns siginfo_t.si_pid."""
    pid: int
    (pid,) = unpack_from("<i", signal.siginfo, 16)
    return pid


def test_a_handled_signal(container: Container, workload: Workloads) -> None:
    ((pid, handler),) = (map(int, line.split()) for line in container.run(workload("signals")))
    found = container.events()
    (signal,) = (event for event in found if isinstance(event, Signal))
    assert (signal.number, signal.pid, signal.tid, signal.handler) == (SIGUSR1, pid, pid, handler)
    assert signal.flags & 0x1000_0000  # SA_RESTART
    assert unpack_from("<iii", signal.siginfo) == (SIGUSR1, 0, 0)  # SI_USER
    assert signal_pid(signal) == pid
    (returning,) = (call for call in returned(found) if call.name == "rt_sigreturn")
    assert not returning.entry_lost
    (killing,) = (call for call in returned(found) if call.name == "kill")
    # The call had returned before the handler ran; rt_sigreturn restores its result.
    assert killing.result == returning.result == 0
    assert signal.ts_ns < returning.ts_ns


@pytest.mark.parametrize("how", ["exit", "thread-exits-group", "last-thread-exits", "segv", "abort"])
def test_ends(container: Container, workload: Workloads, how: str) -> None:
    """The last thread's record has the exit status that wait(2) returns, whichever kernel sets it."""
    with container.start(workload("ends"), how, stdin=DEVNULL) as process:
        _, status = os.waitpid(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    *others, last = (event for event in container.events() if isinstance(event, TaskExit))
    assert (last.code, last.group_dead, last.pid) == (status, True, process.pid)
    assert len(others) == ("thread" in how)
    # A leader that ends at the same time as the last thread may already report the process's status.
    assert {(end.code, end.group_dead) for end in others} <= {(5 << 8, False), (status, True)}
    assert process.returncode == {"exit": 7, "thread-exits-group": 3, "segv": -11, "abort": -6}.get(
        how, process.returncode
    )


def test_the_signal_that_ended_it(container: Container, workload: Workloads) -> None:
    container.run(workload("ends"), "segv", status=-SIGSEGV)
    signal, end = container.events()[-2:]
    assert isinstance(signal, Signal)
    assert isinstance(end, TaskExit)
    number, _, code, _, address = unpack_from("<iiiiQ", signal.siginfo)
    assert (signal.number, number, code, address, signal.handler) == (SIGSEGV, SIGSEGV, 1, 8, 0)  # SEGV_MAPERR at 8


@pytest.mark.parametrize(("how", "status", "code"), [("thread-exits-group", 3, 3 << 8), ("segv", -11, 11)])
def test_exit_code_of_the_container(tracer: Tracer, workload: Workloads, how: str, status: int, code: int) -> None:
    with Container(tracer) as container, container.start("cat") as process:
        # The container's exit status is recorded only once its init is known, and then only init's.
        container.recording.ring.set_init_pid(process.pid)
        container.run(workload("ends"), how, status=status)
        assert not container.recording.ring.headers().exited
    with Container(tracer) as container:
        with container.start("sh", "-c", 'read go && exec "$@"', "sh", workload("ends"), how) as process:
            container.recording.ring.set_init_pid(process.pid)
            process.communicate(b"go\n", timeout=TIMEOUT_S)
        headers = container.recording.ring.headers()
        assert (process.returncode, headers.exited, headers.exit_code & ~0x80) == (status, True, code)
        end = next(event for event in container.events() if isinstance(event, TaskExit) and event.group_dead)
        assert (headers.init_pid, headers.exit_code) == (end.pid, end.code) == (process.pid, end.code)
        assert abs(headers.exit_ns - end.ts_ns) < 1_000_000_000


def test_numbers_that_do_not_exist(container: Container, workload: Workloads) -> None:
    (pid,) = map(int, container.run(workload("unknown_calls")))
    found = [call for call in container.calls() if call.name.startswith("syscall_") and call.pid == pid]
    assert [call.name for call in found] == [
        *("syscall_0x270f", "syscall_0x1ff", "syscall_0x200", "syscall_0xfff"),
        *("syscall_0xffffffffdeadbeef", "syscall_0xffffffffffffffff"),
    ]
    for call in found:
        assert (raw(call), call.result) == ((1, 2, 3, 0x123456789ABCDEF0, 5, 6), -errno.ENOSYS)
        assert not call.entry_lost


def test_32_bit_calls(container: Container, workload: Workloads) -> None:
    (pid,) = map(int, container.run(workload("compat")))
    found = container.calls()
    compat = [call for call in found if call.compat]
    assert [(call.name, call.result) for call in compat] == [
        ("getpid", pid),
        ("writev", -errno.EFAULT),
        ("syscall_0x3e7", -errno.ENOSYS),
    ]
    assert [raw(call)[:3] for call in compat] == [(), (1, 0, 2), (1, 2, 3)]
    (plain,) = (call for call in found if call.name == "getpid" and not call.compat)
    assert plain.result == pid


def test_a_call_that_seccomp_refused(container: Container, workload: Workloads) -> None:
    container.run(workload("seccomp"))
    found = container.events()
    before, refused, after = (call for call in returned(found) if call.name in ("getppid", "mkdir"))
    assert (refused.name, refused.result, refused.entry_lost) == ("mkdir", -errno.EPERM, False)
    assert (before.by_seccomp, refused.by_seccomp, after.by_seccomp) == (False, True, False)
    assert (text(refused, 0), raw(refused)[1]) == (b"/tmp/refused", 0o751)
    assert [event for event in found if isinstance(event, Call) and event in (before, refused, after)]


def test_names_of_threads(container: Container, workload: Workloads) -> None:
    container.run(workload("names"))
    marks = {raw(call)[1]: call.comm for call in container.calls("lseek") if raw(call)[0] & 0xFFFF_FFFF == 0xFFFF_FFFF}
    assert marks == {1: "names", 2: "by-itself", 3: "by-another"}


def test_the_name_after_execve(container: Container) -> None:
    container.run("true")
    (call,) = (call for call in container.calls("execve") if call.result == 0)
    assert (call.comm, call.end_comm) == ("sh", "true")


def killers(found: list[Event]) -> list[tuple[int, int, int, int, Sender | None]]:
    """Returns thread, number, si_code, si_pid and sender of each signal."""
    return [
        (event.tid, event.number, unpack_from("<i", event.siginfo, 8)[0], signal_pid(event), event.sender)
        for event in found
        if isinstance(event, Signal)
    ]


@pytest.mark.parametrize("number", [SIGTERM, SIGKILL])
def test_who_killed_it_from_outside(container: Container, number: int) -> None:
    """The sender is named although it is in no recorded cgroup and the container has a pid namespace of its own."""
    with container.start("unshare", "--pid", "--fork", "sh", "-c", "cat; true") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"x")
        process.stdin.flush()
        assert process.stdout.read(1) == b"x"  # cat reads on
        (inner,) = (call.tid for call in container.calls("execve") if call.end_comm == "cat")
        os.kill(inner, number)
        process.wait(TIMEOUT_S)
    me = Sender(os.getpid(), Path("/proc/self/task", str(get_native_id()), "comm").read_text().rstrip("\n"))
    found = container.events()
    assert [killer for killer in killers(found) if killer[0] == inner] == [(inner, number, 0, 0, me)]
    (killed,) = (n for n, event in enumerate(found) if isinstance(event, TaskExit) and event.tid == inner)
    assert [event.number for event in found[:killed] if isinstance(event, Signal)] == [number]


def test_who_killed_it_from_inside(container: Container, workload: Workloads) -> None:
    """Two threads end by one signal, which is one event, at the thread that was signalled."""
    container.run(workload("killed"), status=-SIGKILL)
    found = container.events()
    *_, pid = (event.tid for event in found if isinstance(event, TaskExit) and event.tid == event.pid)
    assert killers(found) == [(pid, SIGKILL, 0, pid, Sender(pid, "killed"))]


def test_no_signal_is_shown_where_a_program_with_threads_exits(container: Container) -> None:
    """The kernel tells each thread SIGKILL, which nobody sent."""
    program = "import os, threading, time\nfor _ in range(8): threading.Thread(target=time.sleep, args=(99,)).start()\nos._exit(5)"
    container.run(sys.executable, "-S", "-c", program, status=5)
    found = container.events()
    assert sum(isinstance(event, TaskExit) and event.code == 5 << 8 for event in found) == 9
    assert killers(found) == []


def test_who_killed_the_cgroup(container: Container) -> None:
    with container.start("cat") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"x")
        process.stdin.flush()
        assert process.stdout.read(1) == b"x"
        (container.path / "cgroup.kill").write_text("1")
        process.wait(TIMEOUT_S)
    me = os.getpid()
    ((tid, number, code, pid, sender),) = killers(container.events())
    assert (tid, number, code, pid) == (process.pid, SIGKILL, 0, me)
    assert sender is not None
    assert sender.pid == me  # the one that wrote to the file
