# SPDX-License-Identifier: Apache-2.0
"""Calls that seccomp answers in the kernel's place: each action, with its arguments, and marked in every format."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path
from signal import SIGKILL, SIGSYS

import pytest
from recorded_cgroups import TIMEOUT_S, Container, Workloads, entered, only, raw, text

from traceloop_bpf import btf
from traceloop_decode.model import Call, Event, Signal, TaskExit
from traceloop_decode.selection.select import Selection, selected
from traceloop_decode.text import classic, jsonl, short, strace

pytestmark = pytest.mark.kernel

PATH = "/tmp/refused"
TICKS = 2  # of utime, clock ticks
ANSWERS = {  # action -> the result, and how the process ends
    "errno": (-errno.EPERM, 0),
    "errno-none": (0, 0),
    "kill-process": (None, -SIGSYS),
    "kill-thread": (None, -SIGSYS),
    "kill-one-thread": (None, 0),
    "trap": (None, 0),
    "trace": (-errno.ENOSYS, 0),
    "notify-error": (-errno.EACCES, 0),
    "notify-value": (12, 0),
    "strict": (None, -SIGKILL),
}


ENDED = ("kill-one-thread", "strict")


def has_memory_at_its_end() -> bool:
    """Returns whether a thread still has its memory at sched_process_exit: since Linux 6.16, as its argument shows."""
    with btf.opened() as types:
        return types.arguments("sched_process_exit") > 1


def answered(found: list[Event], name: str) -> list[Call]:
    """The calls of a name that seccomp answered; none of that name has begun."""
    assert not [call for call in entered(found) if call.name == name and not call.by_seccomp]
    return [event for event in found if isinstance(event, Call) and event.name == name]


@pytest.mark.parametrize("action", ANSWERS)
def test_each_action(container: Container, workload: Workloads, action: str) -> None:
    result, status = ANSWERS[action]
    container.run(workload("seccomp_actions"), action, PATH, status=status)
    found = container.events()
    (call,) = answered(found, "mkdir")
    assert (call.result, call.entry_lost, call.by_seccomp) == (result, False, True)
    assert raw(call)[1] == 0o751
    if action in ENDED and not has_memory_at_its_end():
        assert only(call.args[0].items).fault
    else:
        assert text(call, 0) == PATH.encode()
    assert call.read_at_exit == (frozenset() if result is None else {0})
    after = [event for event in found[found.index(call) + 1 :] if getattr(event, "tid", 0) == call.tid]
    if action in ("kill-process", "kill-thread", "trap"):
        assert isinstance(after[0], Signal)
        assert after[0].number == SIGSYS
    elif action in ("kill-one-thread", "strict"):
        (end,) = (event for event in after if isinstance(event, TaskExit))
        assert end.code == (SIGKILL if action == "strict" else SIGSYS)
    else:  # a call without arguments is told as well
        (ppid,) = answered(found, "getppid")
        assert (raw(ppid), ppid.result) == ((), result)


@pytest.mark.parametrize(
    ("action", "result", "mark"),
    [
        ("trap", "?", " (refused by seccomp)"),
        ("kill-one-thread", "?", " (refused by seccomp)"),
        ("errno", "-1 EPERM (Operation not permitted)", " (refused by seccomp)"),
        ("notify-value", "12", " (answered by seccomp)"),
    ],
)
def test_every_format(container: Container, workload: Workloads, action: str, result: str, mark: str) -> None:
    if action in ENDED and not has_memory_at_its_end():
        pytest.skip("before Linux 6.16 the memory of a thread that seccomp ends is gone when its end is told")
    container.run(workload("seccomp_actions"), action, PATH)
    snapshot = container.snapshot()
    found = [event for event in container.events() if isinstance(event, Call) and event.name == "mkdir"]
    (line,) = short.lines(found, snapshot)
    path = f'"{PATH}"' if result == "?" else f'"{PATH}" /* read at exit */'
    assert line.endswith(f"] mkdir(pathname={path}, mode=0751) = {result}{mark}")
    (line,) = strace.lines(found, snapshot)
    shown = result if result != "?" else result + mark  # strace prints errors and values, and no more
    head = f"{found[0].tid:<5} mkdir({path}, 0751) "
    assert line == f"{head:<40}= {shown}"
    (line,) = classic.lines(found, snapshot)
    assert line.endswith(mark)
    assert f"{path}, mode={0o751})" in line
    (shown_as,) = map(json.loads, jsonl.lines(found, snapshot))
    assert (shown_as["seccomp"], shown_as["ret"]) == (mark.strip(" ()").split(maxsplit=1)[0], found[0].result)
    assert (shown_as["duration_ns"], shown_as["entry_lost"]) == (None, False)


def test_a_path_that_nothing_has_touched_is_an_address(container: Container, workload: Workloads) -> None:
    """The kernel does not read it, and the recorder can bring no page into memory: nothing else is shown for it."""
    container.run(workload("seccomp_actions"), "cold", PATH)
    (call,) = answered(container.events(), "mkdir")
    assert only(call.args[0].items).fault
    (line,) = short.lines([call], container.snapshot())
    assert f"mkdir(pathname={call.args[0].raw:#x}, mode=0751) = -1 EPERM" in line


def test_its_path_and_failure_are_found(container: Container, workload: Workloads) -> None:
    container.run(workload("seccomp_actions"), "trap", PATH)
    found = container.events()
    (call,) = answered(found, "mkdir")
    assert call in list(selected(found, Selection(paths=(PATH.encode(),))))
    assert call in list(selected(found, Selection(statuses=frozenset(("failed",)))))


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs")
def test_a_thread_that_was_moved_in_its_last_call(container: Container, workload: Workloads) -> None:
    """CPU 0 saw the thread enter a call, and never saw it return: the next one there has not entered all the same."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {0})  # the program inherits it: one that blocks already would stay where it is
    try:
        process = container.start(workload("seccomp_actions"), "moved", PATH)
    finally:
        os.sched_setaffinity(0, allowed)
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        wait_until_on(process.pid, 0, "S")
        os.sched_setaffinity(process.pid, {1})
        process.stdin.write(b"x")
        process.stdin.flush()
        wait_until_on(process.pid, 1, "R")
        os.sched_setaffinity(process.pid, {0})
        assert process.wait(TIMEOUT_S) == 0
    found = container.events()
    (moved,) = (call for call in container.calls("read") if raw(call)[0] == 0 and call.result == 1)
    assert (moved.cpu, moved.end_cpu) == (0, 1)
    (call,) = answered(found, "mkdir")
    assert (call.cpu, call.result, text(call, 0)) == (0, -errno.EPERM, PATH.encode())


def wait_until_on(pid: int, cpu: int, state: str) -> None:
    """Waits until a process of the workload blocks (S) on a CPU, or has computed (R) there, which takes it some ticks.

    proc_pid_stat(5): state, utime, processor. A process that was woken is R before it has run.
    """
    until = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until:
        comm, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
        fields = rest.split()
        there = comm.endswith("(seccomp_actions") and (fields[0], int(fields[36])) == (state, cpu)
        if there and (state == "S" or int(fields[11]) > TICKS):
            return
        time.sleep(0.01)
    raise AssertionError(f"process {pid} is not on CPU {cpu} in state {state}: {rest}")
