# SPDX-License-Identifier: Apache-2.0
"""Real processes are signalled from outside, run out of memory and fault: the records tell who, how much and where."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSEGV, SIGTERM, SIGURG, SIGUSR1
from struct import unpack_from
from threading import get_native_id

import pytest
from lab.memory import MemoryCgroup
from recorded_cgroups import TIMEOUT_S, Container, Program, Workloads

from traceloop_decode import layout
from traceloop_decode.model import Entered, Frame, Ignored, Sender, Signal, TaskExit
from traceloop_decode.out_of_memory import short_level
from traceloop_decode.ring_reader import Record, RingReader

pytestmark = pytest.mark.kernel

MIB = 1 << 20
SI_USER, SI_TKILL = 0, -6
HANDLES = (
    "import os, signal, sys\n"
    "signal.signal(signal.SIGUSR1, lambda number, frame: os.write(1, b'!'))\n"
    "os.write(1, b'x')\n"
    "while os.read(0, 1) == b'k': os.kill(os.getpid(), signal.SIGUSR1)\n"
)
ENDS_FROM_A_THREAD = (
    "import os, threading, time\n"
    "for _ in range(8): threading.Thread(target=time.sleep, args=(600,)).start()\n"
    "threading.Thread(target=os._exit, args=(0,)).start()\n"
    "time.sleep(600)"
)
FILLS = "import os, sys\nos.write(1, b'x')\nfilled = []\nwhile True: filled.append(b'x' * (1 << 20))"


def me() -> Sender:
    return Sender(os.getpid(), Path("/proc/self/task", str(get_native_id()), "comm").read_text().rstrip("\n"))


def say(process: Program, word: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(word)
    process.stdin.flush()


def hear(process: Program) -> bytes:
    assert process.stdout is not None
    return process.stdout.read(1)


def first_process(container: Container) -> int:
    """Returns the process that is 1 in its pid namespace, a shell, while its child `cat` runs."""
    return next(call.pid for call in container.calls("execve") if call.end_comm == "sh" and call.comm == "unshare")


def test_a_signal_that_process_1_ignores(container: Container) -> None:
    with container.start("unshare", "--pid", "--fork", "sh", "-c", "cat; true") as process:
        say(process, b"x")
        assert hear(process) == b"x"
        first = first_process(container)
        os.kill(first, SIGTERM)
        os.kill(first, SIGCONT)  # which is ignored by all processes
        os.kill(first, SIGURG)
        say(process, b"y")
        assert hear(process) == b"y"
        os.kill(first, SIGKILL)
        process.wait(TIMEOUT_S)
    found = container.events()
    (ignored,) = (event for event in found if isinstance(event, Ignored))
    assert (ignored.pid, ignored.tid, ignored.number, ignored.sender) == (first, first, SIGTERM, me())
    assert unpack_from("<iii4xi", ignored.siginfo) == (SIGTERM, 0, SI_USER, 0)
    assert ignored.comm == "sh"
    (killed,) = (event for event in found if isinstance(event, Signal) and event.pid == first)
    assert (killed.number, killed.sender, killed.memory) == (SIGKILL, me(), ())
    (end,) = (event for event in found if isinstance(event, TaskExit) and event.pid == first)
    assert not end.out_of_memory
    times = [ignored.ts_ns, killed.ts_ns, end.ts_ns]
    assert times == sorted(times)


def test_process_1_that_would_kill_itself(container: Container) -> None:
    """The kernel ignores it, and the shell goes on."""
    container.run("unshare", "--pid", "--fork", "sh", "-c", "kill -9 $$; exit 5", status=5)
    (ignored,) = (event for event in container.events() if isinstance(event, Ignored))
    assert (ignored.number, ignored.sender) == (SIGKILL, Sender(ignored.pid, "sh"))


def test_broken_pipes_that_are_ignored_are_no_events(container: Container) -> None:
    """The kernel sends SIGPIPE at each write to a closed pipe, and the write says so itself."""
    code = (
        "import os, signal\nsignal.signal(signal.SIGPIPE, signal.SIG_IGN)\nr, w = os.pipe()\nos.close(r)\n"
        "for _ in range(5):\n try: os.write(w, b'x')\n except BrokenPipeError: pass\n"
    )
    container.run(sys.executable, "-S", "-c", code)
    assert not [event for event in container.events() if isinstance(event, Ignored)]


def test_who_sent_a_signal_that_is_handled(container: Container) -> None:
    with container.start(sys.executable, "-S", "-c", HANDLES) as process:
        assert hear(process) == b"x"
        os.kill(process.pid, SIGUSR1)
        assert hear(process) == b"!"
        say(process, b"k")  # it sends one to itself
        assert hear(process) == b"!"
        os.kill(process.pid, SIGUSR1)
        assert hear(process) == b"!"
        process.communicate(timeout=TIMEOUT_S)
    signals = [event for event in container.events() if isinstance(event, Signal)]
    assert [(event.number, event.sender) for event in signals] == [(SIGUSR1, me()), (SIGUSR1, None), (SIGUSR1, me())]


def test_out_of_memory(container: Container) -> None:
    limit = 24 * MIB
    with MemoryCgroup() as memory:
        memory.limit(limit)
        container.run(*memory.wrapper, sys.executable, "-S", "-c", FILLS, status=-SIGKILL)
        assert memory.kills() == 1
    found = container.events()
    (killed,) = (event for event in found if isinstance(event, Signal) and event.number == SIGKILL)
    assert unpack_from("<iii", killed.siginfo) == (SIGKILL, 0, 0x80)  # SI_KERNEL
    assert killed.sender is None
    short = short_level(killed.memory)
    assert short is not None
    assert (short.level.limit_bytes, short.above) == (limit, False)
    assert limit - 2 * MIB < short.level.usage_bytes <= limit
    ends = {event.pid: event for event in found if isinstance(event, TaskExit)}
    assert [pid for pid, end in ends.items() if end.out_of_memory] == [killed.pid]
    assert ends[killed.pid].code == SIGKILL


def functions(program: str) -> dict[str, range]:
    """Returns the distances in the file of a program's functions; its code lies there as it does in memory."""
    found = {}
    for line in subprocess.run(["nm", "-S", program], check=True, capture_output=True, text=True).stdout.splitlines():
        if match := re.fullmatch(r"([0-9a-f]+) ([0-9a-f]+) [tT] (\w+)", line):
            begin, size = int(match[1], 16), int(match[2], 16)
            found[match[3]] = range(begin, begin + size)
    return found


def build_id(program: str) -> str:
    notes = subprocess.run(["readelf", "-n", program], check=True, capture_output=True, text=True).stdout
    match = re.search(r"Build ID: (\w+)", notes)
    assert match is not None
    return match[1]


def test_where_a_fault_was(container: Container, workload: Workloads) -> None:
    program = workload("deep_fault", "-O0", "-Wl,--build-id")
    container.run(program, status=-SIGSEGV)
    (signal,) = (event for event in container.events() if isinstance(event, Signal))
    fault = signal.fault
    assert fault is not None
    assert fault.code[0] <= fault.ip < fault.code[1]
    assert (fault.trap, fault.error_code) == (14, 6)  # a page fault: a user's write to where nothing is
    places = functions(program)
    whose = [next((name for name, place in places.items() if frame.offset in place), "") for frame in fault.stack]
    assert whose[:3] == ["inner", "outer", "main"]
    assert {frame.build_id for frame in fault.stack[:3]} == {build_id(program)}
    assert fault.stack[0].address == fault.ip
    assert len({frame.address - frame.offset for frame in fault.stack[:3]}) == 1  # where the file is mapped


def wait_until_it_pauses(container: Container) -> None:
    until = time.monotonic() + TIMEOUT_S
    while not any(isinstance(event, Entered) and event.call.name == "pause" for event in container.events()):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_where_a_kill_met_the_first_thread(container: Container, workload: Workloads) -> None:
    """SIGTERM becomes SIGKILL where no handler is: the stack leads from the C library's pause to who called it."""
    program = workload("deep_fault", "-O0", "-Wl,--build-id")
    with container.start(program, "wait") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        wait_until_it_pauses(container)
        process.terminate()
        assert process.wait(TIMEOUT_S) == -SIGTERM
    (signal,) = (event for event in container.events() if isinstance(event, Signal))
    assert (signal.number, signal.sender) == (SIGTERM, me())
    assert signal.fault is not None
    places = functions(program)
    whose = [
        next((name for name, place in places.items() if frame.offset in place), "") for frame in signal.fault.stack
    ]
    assert signal.fault.stack[0].build_id != build_id(program)
    assert whose[1:3] == ["outer", "main"]
    assert {frame.build_id for frame in signal.fault.stack[1:3]} == {build_id(program)}


def test_one_thread_alone_tells_where_a_kill_met_it(container: Container, workload: Workloads) -> None:
    """A program may end with thousands of threads, each of which the kernel sends SIGKILL."""
    container.run(sys.executable, "-S", "-c", ENDS_FROM_A_THREAD)
    records = [record for record in RingReader(container.snapshot()).records() if isinstance(record, Record)]
    kills = [record for record in records if (record.type, record.nr) == (layout.TYPE_SIGNAL, SIGKILL)]
    assert len(kills) == 9
    assert [(one.tid == one.pid) for one in kills if len(one.body) > layout.SIGNAL.size] == [True]


def test_a_jump_to_nowhere(container: Container, workload: Workloads) -> None:
    container.run(workload("faults"), "jump", status=-SIGSEGV)
    (signal,) = (event for event in container.events() if isinstance(event, Signal))
    assert signal.fault is not None
    assert signal.fault.ip == unpack_from("<Q", signal.siginfo, 16)[0] == 0x1234
    assert signal.fault.stack[0] == Frame(0x1234)


def test_a_fault_that_is_handled_has_no_stack(container: Container) -> None:
    code = "import faulthandler, ctypes, sys\nfaulthandler.enable()\nctypes.string_at(64)"
    container.run(sys.executable, "-S", "-c", code, status=-SIGSEGV)
    handled, last = (event for event in container.events() if isinstance(event, Signal))
    assert handled.fault is None
    assert (handled.number, last.number) == (SIGSEGV, SIGSEGV)
    assert handled.handler
