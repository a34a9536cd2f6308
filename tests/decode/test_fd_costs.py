# SPDX-License-Identifier: Apache-2.0
"""The cost of following descriptors (-y, -P): time and memory grow with the trace, whatever a container does.

Each trace consists of real calls that any container may make. test_fds.py checks that the lines are right.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from costs import GROWTH_MAX, exhaust, growth, peak_bytes
from fdtrace import AT_FDCWD, CLONE_FILES, CLONE_FS, CLONE_THREAD, NUMBERS, O_CLOEXEC, Trace
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.descriptors.follow import known
from traceloop_decode.events import events
from traceloop_decode.selection.select import Selection, selected
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text import strace

MAIN, FIRST = 7, 10_000
MIB = 1 << 20


class Program:
    """A program whose calls are written into a large ring."""

    def __init__(self) -> None:
        self.ring = RingWriter(32 * MIB, 1 << 14, 1)

    def call(self, name: str, *given: int | bytes, result: int = 0, tid: int = MAIN) -> None:
        """Writes a complete call; bytes are what a pointer points at."""
        self.begin(name, *given, tid=tid)
        self.end(name, result, tid)

    def begin(self, name: str, *given: int | bytes, tid: int = MAIN) -> None:
        number, count = NUMBERS[name]
        kind = layout.KIND_BUFFER if name in ("bind", "poll", "select") else layout.KIND_STRING
        items = b"".join(item(n, kind, value) for n, value in enumerate(given) if isinstance(value, bytes))
        registers = [0x1000 if isinstance(value, bytes) else value for value in given]
        self.ring.enter(0, tid, number, *registers, *[0] * (count - len(given)), items=items)

    def end(self, name: str, result: int, tid: int) -> None:
        self.ring.exit(0, tid, NUMBERS[name][0], result)

    def open(self, count: int, flags: int = 0) -> None:
        for n in range(count):
            self.call("openat", AT_FDCWD, b"/etc/f%d" % n, flags, result=3 + n)

    def born(self, tid: int, name: str = "fork") -> None:
        """Writes a child's first event."""
        self.ring.name(tid, tid, f"t{MAIN}")
        self.end(name, 0, tid)

    def fork(self, tid: int) -> None:
        self.begin("fork")
        self.born(tid)
        self.end("fork", 2, MAIN)


def open_files(program: Program, count: int) -> None:
    program.open(count)


def read_each_open_file(program: Program, count: int) -> None:
    program.open(count)
    for n in range(count):
        program.call("read", 3 + n, 0x1000, 1)


def threads_blocked_after_each_open(program: Program, count: int) -> None:
    for n in range(count):
        program.ring.name(FIRST + n, MAIN, "a")
        program.call("openat", AT_FDCWD, b"/etc/f%d" % n, result=3 + n)
        program.begin("read", 3 + n, 0x1000, 1, tid=FIRST + n)


def forks_without_children(program: Program, count: int) -> None:
    for n in range(count):
        program.call("fork", result=FIRST + n)


def children_of_many_forks(program: Program, count: int) -> None:
    program.open(3)
    for _ in range(count):
        program.call("fork", result=2)  # a number of another PID namespace
    for n in range(count):
        program.born(FIRST + n)


def children_that_share(program: Program, count: int) -> None:
    for n in range(count):
        program.call("clone", CLONE_FILES | CLONE_FS, result=2, tid=2 * FIRST + n)
    for n in range(count):
        program.ring.name(FIRST + n, FIRST + n, f"t{2 * FIRST + n}")
        program.end("clone", 0, FIRST + n)


def threads_of_many_makers(program: Program, count: int) -> None:
    for n in range(count):
        program.ring.name(FIRST + n, MAIN, "a")
        program.call("unshare", CLONE_FS | CLONE_FILES, tid=FIRST + n)
        program.begin("clone", CLONE_THREAD | CLONE_FILES | CLONE_FS, tid=FIRST + n)
    for n in range(count):
        program.ring.name(2 * FIRST + n, MAIN, "a")
        program.end("clone", 0, 2 * FIRST + n)


def children_execute(program: Program, count: int) -> None:
    program.open(count, O_CLOEXEC)
    for n in range(count):
        program.fork(FIRST + n)
        program.call("execve", b"/x", tid=FIRST + n)


def children_close_all(program: Program, count: int) -> None:
    program.open(count)
    for n in range(count):
        program.fork(FIRST + n)
        program.call("close_range", 3, 0xFFFFFFFF, 0, tid=FIRST + n)


def children_of_vforks_that_wait(program: Program, count: int) -> None:
    program.open(count)
    for n in range(count):
        program.begin("vfork", tid=FIRST + n - 1 if n else MAIN)
        program.born(FIRST + n, "vfork")


def names_removed(program: Program, count: int) -> None:
    program.open(count)
    for n in range(count):
        program.call("unlink", b"g%d" % n)


def names_removed_of_all(program: Program, count: int) -> None:
    program.open(count)
    for _ in range(count):
        program.call("rename", b"/x/..", b"/y")


def mounts_of_many_processes(program: Program, count: int) -> None:
    for n in range(count):
        program.call("openat", AT_FDCWD, b"/etc/f", result=3, tid=FIRST + n)
    for _ in range(count):
        program.call("umount2", b"/mnt")


def sockets_bound(program: Program, count: int) -> None:
    for n in range(count):
        program.call("socket", 2, 1, result=3 + n)
    for n in range(count):
        program.call("bind", 3 + n, b"\2\0\0\x50\x7f\0\0\1".ljust(16, b"\0"), 16)


def processes_execute(program: Program, count: int) -> None:
    for n in range(count):
        program.call("execve", b"/x", tid=FIRST + n)


def directories_without_end(program: Program, count: int) -> None:
    program.call("chdir", b"/")
    for _ in range(count):
        program.call("chdir", b"l/" * 120)


TRACES = [
    *(open_files, read_each_open_file, threads_blocked_after_each_open, forks_without_children),
    *(children_of_many_forks, children_that_share, children_execute, children_close_all, children_of_vforks_that_wait),
    threads_of_many_makers,
    *(names_removed, names_removed_of_all, mounts_of_many_processes, sockets_bound, processes_execute),
    directories_without_end,
]


def followed(snapshot: Snapshot) -> int:
    return exhaust(strace.lines(known(events(snapshot), sockets=True), snapshot))


def on_a_path(snapshot: Snapshot) -> int:
    return exhaust(selected(known(events(snapshot)), Selection(paths=(b"/etc/f1", b"/none"))))


def made(write: Callable[[Program, int], None]) -> Callable[[int], Snapshot]:
    def snapshot(count: int) -> Snapshot:
        program = Program()
        write(program, count)
        return program.ring.snapshot()

    return snapshot


@pytest.mark.parametrize("read", [followed, on_a_path])
@pytest.mark.parametrize("write", TRACES)
def test_the_time_grows_with_the_trace(write: Callable[[Program, int], None], read: Callable[[Snapshot], int]) -> None:
    assert growth(made(write), read, 500) < GROWTH_MAX


@pytest.mark.parametrize("write", TRACES)
def test_memory_is_no_more_than_some_of_what_the_trace_has(write: Callable[[Program, int], None]) -> None:
    snapshot = made(write)(1000)
    assert peak_bytes(followed, snapshot) < 2 * MIB + 20 * len(snapshot.data)


def test_a_file_in_a_deep_directory_costs_no_more_than_another() -> None:
    def deep(count: int) -> Snapshot:
        program = Program()
        for _ in range(16):
            program.call("chdir", (b"/" if not _ else b"") + b"d" * 250)
        for n in range(count):
            program.call("openat", AT_FDCWD, b"f", result=3 + n)
        return program.ring.snapshot()

    assert peak_bytes(on_a_path, deep(4000)) - peak_bytes(on_a_path, deep(2000)) < 2000 * 1000


def test_a_path_is_no_longer_than_the_kernel_can_tell() -> None:
    trace = Trace()
    trace.call("chdir", b"/" + b"d" * 4000)
    trace.open(b"f" * 93, 3)
    assert len(trace.fd(3)) == len("<>") + 4095
    trace.open(b"f" * 94, 4)
    assert trace.fd(4) == ""
    trace.open(b"//" + b"./" * 2050 + b"f", 5)  # any kernel returns ENAMETOOLONG
    assert trace.fd(5) == ""
    trace.call("chdir", b"f" * 94)
    assert trace.call("openat", AT_FDCWD, b"f", 0, 0, result=6) == '7 openat(AT_FDCWD, "f", O_RDONLY) = 6'


def test_of_very_many_clones_that_a_child_may_be_of_nothing_is_said() -> None:
    trace = Trace()
    trace.open(b"/etc/f", 3)
    for _ in range(16):
        trace.call("fork", result=2)
    trace.child(100)
    assert trace.fd(3, 100) == "</etc/f>"  # whichever clone made it
    trace.call("fork", result=2)
    trace.child(101)
    assert trace.fd(3, 101) == ""
