# SPDX-License-Identifier: Apache-2.0
"""What descriptors stand for: known where the trace shows it, and nowhere else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from contextlib import closing
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path
from struct import pack
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab import Daemon
from recorder import Cgroup
from ringwriter import RingWriter, item
from strace.compare import RING_SIZE
from strace.normal import by_thread
from strace.programs import Program

from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer
from traceloop_cli.rendering import Rendering, rendering_options
from traceloop_daemon.procfs import read_open_files
from traceloop_decode import layout
from traceloop_decode.fd_names import Place, join
from traceloop_decode.fds import FdTable, known
from traceloop_decode.model import Call, DecodeError, Entered, Event, Item, Lost, Returned, TaskExit
from traceloop_decode.open_files import OpenFiles, Process
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import X86_64, table
from traceloop_decode.text import strace

NUMBERS = {syscall.name: (number, len(syscall.params)) for number, syscall in table(compat=False).items()}
AT_FDCWD = (1 << 64) - 100
O_CLOEXEC, O_TMPFILE = 0o2000000, 0o20200000
CLONE_FILES, CLONE_FS, CLONE_THREAD, CLONE_VM = 0x400, 0x200, 0x10000, 0x100
ROOT = Place(b"/", real=True)
EBADF, EIO, EINPROGRESS = -9, -5, -115


class Trace:
    """Events of a program, with a clock; and what is known after them."""

    def __init__(self, start: OpenFiles | None = None, *, sockets: bool = False) -> None:
        self.table, self.now_ns, self.snapshot = FdTable(start, sockets=sockets), 1000, RingWriter().snapshot()

    def call(self, name: str, *given: int | bytes, result: int = 0, tid: int = 7, pid: int = 7, comm: str = "a") -> str:
        """A whole call; its line. Bytes are what a pointer points at; those of a path are read at entry."""
        return self.line(self.made(name, *given, result=result, tid=tid, pid=pid, comm=comm))

    def made(
        self, name: str, *given: int | bytes, result: int | None = 0, tid: int = 7, pid: int = 7, comm: str = "a"
    ) -> Call:
        self.now_ns += 10
        number, count = NUMBERS[name]
        out = name in ("accept", "getsockname", "getpeername", "getcwd")
        registers = [0x1000 if isinstance(value, bytes) else value & (1 << 64) - 1 for value in given]
        items = {
            n: (Item(0, layout.KIND_BUFFER if out else layout.KIND_STRING, value, len(value), False, False, out),)  # noqa: FBT003
            for n, value in enumerate(given)
            if isinstance(value, bytes)
        }
        registers += [0] * (count - len(registers))
        return Call(
            *(
                self.now_ns,
                0,
                pid,
                tid,
                comm,
                X86_64,
                number,
                name,
                tuple(registers),
                items,
                result,
                self.now_ns + 5,
                0,
            ),
            end_comm=comm,
        )

    def line(self, event: Event) -> str:
        """An event's line."""
        (line,) = strace.lines([self.table.observe(event)], self.snapshot)
        return " ".join(line.split())

    def child(self, tid: int, comm: str = "a", name: str = "fork") -> None:
        """A new process's first event."""
        self.now_ns += 10
        begun = (self.now_ns, 0, tid, tid, comm, X86_64, NUMBERS[name][0], name, (), {}, 0, self.now_ns, 0, comm)
        self.table.observe(Returned(Call(*begun, entry_lost=True)))

    def open(self, path: bytes, fd: int, flags: int = 0, **thread: int) -> str:
        return self.call("openat", AT_FDCWD, path, flags, 0, result=fd, **thread)

    def fd(self, fd: int, tid: int = 7) -> str:
        return self.table.text(tid, fd)


def test_a_file_from_its_opening_to_its_end() -> None:
    trace = Trace()
    assert trace.open(b"/etc/hosts", 3) == '7 openat(AT_FDCWD, "/etc/hosts", O_RDONLY) = 3</etc/hosts>'
    assert trace.call("dup", 3, result=4) == "7 dup(3</etc/hosts>) = 4</etc/hosts>"
    assert trace.call("close", 3) == "7 close(3</etc/hosts>) = 0"
    assert trace.call("close", 3, result=EBADF) == "7 close(3) = -1 EBADF (Bad file descriptor)"
    assert trace.call("dup2", 4, 4, result=4) == "7 dup2(4</etc/hosts>, 4</etc/hosts>) = 4</etc/hosts>"
    assert trace.call("fcntl", 4, 1030, 9, result=9).endswith("= 9</etc/hosts>")
    assert trace.call("close", 4, result=EIO).startswith("7 close(4</etc/hosts>) = -1 EIO")
    assert trace.fd(4) == ""
    trace.call("close_range", 5, 99, 0)
    assert trace.fd(9) == ""


@pytest.mark.parametrize(
    ("cwd", "path", "expected"),
    [
        (Place(b"/tmp"), b"f", b"/tmp/f"),
        (Place(b"/tmp"), b".//d/./f/", b"/tmp/d/f"),
        (Place(b"/tmp"), b"/f", b"/f"),
        (Place(b"/a/b", real=True), b"../c", b"/a/c"),
        (Place(b"/a/link"), b"../c", b"/a/link/../c"),
        (Place(b"/a", real=True), b"link/../c", b"/a/link/../c"),
        (ROOT, b"../..", b"/"),
        (None, b"f", None),
        (None, b"/", b"/"),
        (ROOT, b"", None),
        (ROOT, b"proc/self/maps", None),
        (ROOT, b"/dev/stdin", None),
        (ROOT, b"/dev/fd/3", None),
        (ROOT, b"/proc/7/task/7/fd/3", None),
        (ROOT, b"/proc/stat", b"/proc/stat"),
    ],
)
def test_paths(cwd: Place | None, path: bytes, expected: bytes | None) -> None:
    found = join(cwd, ROOT, path)
    assert (found.path if found is not None else None) == expected


def test_directories() -> None:
    trace = Trace()
    trace.open(b"f", 3)
    assert trace.fd(3) == ""  # whatever the directory was
    trace.call("chdir", b"/etc")
    assert trace.open(b"f", 4) == '7 openat(AT_FDCWD</etc>, "f", O_RDONLY) = 4</etc/f>'
    trace.open(b"/var", 5)
    assert trace.call("openat", 5, b"log", 0, 0, result=6) == '7 openat(5</var>, "log", O_RDONLY) = 6</var/log>'
    trace.call("fchdir", 6)
    trace.open(b"x", 8)
    assert trace.fd(8) == "</var/log/x>"
    trace.call("getcwd", b"/real/log", 99, result=10)
    trace.open(b"../y", 9)
    assert trace.fd(9) == "</real/y>"
    trace.call("chroot", b"/jail")
    trace.open(b"/z", 10)
    assert trace.fd(10) == "</jail/z>"
    trace.call("fchdir", 3)
    assert trace.open(b"f", 11).startswith('7 openat(AT_FDCWD, "f"')
    trace.call("openat2", 5, b"/f", pack("<QQQ", 0, 0, 0x10), 24, result=12)
    assert trace.fd(12) == ""  # RESOLVE_IN_ROOT


def test_a_path_of_which_not_all_is_known() -> None:
    trace = Trace()
    cut = trace.made("openat", AT_FDCWD, b"/etc/ho", 0, 0, result=3)
    trace.open(b"/old", 3)
    trace.table.observe(cut._replace(items={1: (cut.items[1][0]._replace(more=True),)}))
    assert trace.fd(3) == ""
    trace.open(b"/tmp", 4, O_TMPFILE)
    assert trace.fd(4) == ""


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("rename", (b"/d/f", b"/d/g")),
        ("rename", (b"/x", b"f")),
        ("rename", (b"/elsewhere/d", b"/e")),
        ("unlinkat", (99, b"f", 0)),
        ("unlink", (b"..",)),
        ("mount", (b"/d", b"/e", b"", 0x2000)),
        ("pivot_root", (b".", b".")),
        ("io_uring_setup", (8, 0)),
    ],
)
def test_names_that_may_have_changed_are_forgotten(name: str, given: tuple[int | bytes, ...]) -> None:
    trace = Trace()
    trace.open(b"/d/f", 3)
    trace.call(name, *given, result=-2)
    assert trace.fd(3) == "</d/f>"
    trace.call(name, *given, result=5 if name == "io_uring_setup" else 0)
    assert trace.fd(3) == ""


def test_exec_closes_what_is_marked() -> None:
    trace = Trace()
    for fd, flags in ((3, 0), (4, O_CLOEXEC), (5, 0), (6, O_CLOEXEC)):
        trace.open(b"/f%d" % fd, fd, flags)
    trace.call("fcntl", 5, 2, 1)
    trace.call("fcntl", 6, 2, 0)
    trace.call("dup3", 3, 8, O_CLOEXEC, result=8)
    trace.call("dup", 4, result=9)
    trace.call("execve", b"/bin/x", 0, 0)
    assert [fd for fd in range(10) if trace.fd(fd)] == [3, 6, 9]


def test_a_child_has_copies() -> None:
    trace = Trace()
    trace.open(b"/f", 3)
    trace.call("fork", result=8)
    trace.call("close", 3)
    trace.child(8)
    assert trace.fd(3, tid=8) == "</f>"
    trace.call("close", 3, tid=8, pid=8)
    trace.open(b"/g", 3)
    assert trace.fd(3, tid=8) == ""


def test_a_child_that_runs_before_its_clone_returns() -> None:
    trace = Trace()
    trace.open(b"/f", 3)
    fork = trace.made("vfork", result=None)
    trace.table.observe(Entered(fork))
    trace.child(8, name="vfork")
    assert trace.fd(3, tid=8) == "</f>"
    trace.table.observe(Returned(fork._replace(result=8)))
    trace.child(9, name="vfork")
    assert trace.fd(3, tid=9) == ""  # nobody's: that clone's child is known


def test_a_child_of_one_of_several_has_what_they_agree_on() -> None:
    trace = Trace()
    trace.open(b"/f", 3)
    trace.open(b"/g", 4)
    trace.call("fork", result=2)  # by the numbers of a PID namespace
    trace.call("close", 4)
    trace.open(b"/h", 5)
    trace.call("fork", result=3)
    trace.child(801)
    assert [trace.fd(fd, tid=801) for fd in (3, 4, 5)] == ["</f>", "", ""]
    trace.child(802, comm="b")
    assert trace.fd(3, tid=802) == ""


def test_threads_share_and_unshare() -> None:
    trace = Trace()
    flags = CLONE_VM | CLONE_THREAD | CLONE_FILES | CLONE_FS
    trace.call("clone", flags, result=8)
    trace.open(b"/f", 3, tid=8)
    assert trace.call("close", 3).startswith("7 close(3</f>)")
    assert trace.call("close", 3, result=EBADF, tid=8).startswith("8 close(3)")
    trace.open(b"/g", 4)
    trace.call("unshare", CLONE_FILES, tid=8)
    trace.call("close", 4, tid=8)
    assert (trace.fd(4), trace.fd(4, tid=8)) == ("</g>", "")


def test_what_a_split_call_shows() -> None:
    trace = Trace()
    trace.open(b"/f", 3)
    read, opened = trace.made("read", 3, 0, 9, result=None), trace.made("openat", AT_FDCWD, b"g", result=None, tid=8)
    assert "read(3</f>," in trace.line(Entered(read))
    trace.call("chdir", b"/a", tid=8)
    trace.table.observe(Entered(opened))
    trace.call("close", 3)
    trace.open(b"/g", 3)
    returned = trace.table.observe(Returned(read._replace(result=0)))
    assert isinstance(returned, Returned)
    assert "read(3</f>," in " ".join(strace.lines([returned.call], trace.snapshot))  # as a filter joins them
    trace.call("chdir", b"/b")
    trace.table.observe(Returned(opened._replace(result=5)))
    assert trace.fd(5, tid=8) == ""  # /a/g or /b/g


def test_sockets() -> None:
    trace = Trace(sockets=True)
    listen, peer = (pack("<H", 2) + port.to_bytes(2, "big") + bytes((127, 0, 0, 1)) + bytes(8) for port in (80, 5000))
    trace.call("socket", 2, 1, 0, result=3)
    assert trace.fd(3) == ""
    trace.call("bind", 3, listen, 16)
    trace.call("dup", 3, result=4)
    assert trace.call("accept", 4, peer, 0, result=5).endswith("= 5<TCP:[127.0.0.1:80->127.0.0.1:5000]>")
    trace.call("socket", 2, 1, 0, result=6)
    trace.call("fork", result=8)
    trace.child(8)
    trace.call("connect", 6, listen, 16, result=EINPROGRESS)
    assert trace.fd(6) == ""
    trace.call("connect", 6, listen, 16)
    assert trace.fd(6, tid=8) == "<TCP:[->127.0.0.1:80]>"
    trace.call("getsockname", 6, peer, 0, tid=8, pid=8)
    assert trace.fd(6) == "<TCP:[127.0.0.1:5000->127.0.0.1:80]>"
    trace.call("socket", 1, 1, 0, result=7)
    trace.call("bind", 7, pack("<H", 1) + b"/run/s\0", 9)
    assert trace.fd(7) == '<UNIX-STREAM:["/run/s"]>'


def test_what_has_no_path() -> None:
    trace = Trace()
    assert trace.call("epoll_create1", 0, result=3).endswith("3<anon_inode:[eventpoll]>")
    assert trace.call("eventfd2", 0, 0, result=4).endswith("4<anon_inode:[eventfd]>")
    assert trace.call("memfd_create", b"a>", 0, result=5).endswith(r"5</memfd:a\76>(deleted)")
    assert trace.call("signalfd4", -1, 0, 8, 0, result=6).endswith("6<anon_inode:[signalfd]>")
    assert trace.call("socket", 2, 1, 0, result=3).endswith("= 3")


def test_a_gap_ends_all_knowledge() -> None:
    trace = Trace(OpenFiles(0, 1, {9: Process(b"/", b"/", {0: (b"/x", False)})}))
    trace.open(b"/f", 3)
    trace.call("fork", result=8)
    trace.call("chdir", b"/etc")
    assert trace.fd(0, tid=9) == "</x>"
    trace.table.observe(Lost(trace.now_ns, 0, 1, 1, "overwritten"))
    trace.child(8)
    assert [trace.fd(3), trace.fd(3, tid=8), trace.fd(0, tid=9)] == ["", "", ""]
    assert trace.open(b"/g", 4).startswith("7 openat(AT_FDCWD, ")
    assert trace.fd(4) == "</g>"


def test_a_number_is_given_again() -> None:
    trace = Trace()
    trace.open(b"/f", 3)
    trace.table.observe(TaskExit(trace.now_ns, 0, 7, 7, "a", 0, group_dead=True))
    assert trace.call("fsync", 3) == "7 fsync(3) = 0"


def test_what_was_open_before() -> None:
    fds = {0: (b"/dev/null", False), 1: (b"pipe:[12]", False), 2: (b"/log (deleted)", True)}
    start = OpenFiles(2000, 3000, {7: Process(b"/home", b"/", fds), 8: Process(b"/home", b"/", fds)})
    trace = Trace(start)
    assert trace.call("fsync", 1) == "7 fsync(1) = 0"
    trace.now_ns = 2500
    trace.call("fsync", 1, tid=8, pid=8)  # it was active
    trace.now_ns = 4000
    assert trace.call("fsync", 1) == "7 fsync(1<pipe:[12]>) = 0"
    assert trace.fd(2) == "</log>(deleted)"
    assert trace.open(b"../f", 3) == '7 openat(AT_FDCWD</home>, "../f", O_RDONLY) = 3</f>'
    trace.call("execve", b"/x", 0, 0)
    assert (trace.fd(0), trace.fd(2)) == ("</dev/null>", "")
    assert trace.call("fsync", 1, tid=8, pid=8) == "8 fsync(1) = 0"


def test_a_snapshot_carries_what_was_open() -> None:
    start = OpenFiles(1, 2, {7: Process(b"/\xff", None, {0: (b"/a", True)})})
    plain = RingWriter().snapshot()
    assert Snapshot.decode(replace(plain, open_files=start).encode()).open_files == start
    assert Snapshot.decode(plain.encode()).open_files is None


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)
    )
)
def test_what_was_open_is_read_or_refused(fields: object) -> None:
    for wrong in (fields, {"from_ns": 0, "until_ns": 0, "processes": {"1": {"fds": fields}}}):
        try:
            assert isinstance(OpenFiles.of_fields(wrong), OpenFiles)
        except DecodeError:
            continue


CALLS = st.tuples(
    st.sampled_from(sorted(NUMBERS)),
    st.lists(st.integers(0, 6) | st.integers(0, (1 << 64) - 1), max_size=6),
    st.dictionaries(st.integers(0, 5), st.binary(max_size=30), max_size=3),
    st.none() | st.integers(-2, 6) | st.integers(-(1 << 63), (1 << 63) - 1),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from((Entered, Returned, None)),
    st.booleans(),
)


@given(st.lists(CALLS, max_size=30))
def test_any_events_at_all(drawn: list[Any]) -> None:
    found: list[Event] = []
    for now_ns, (name, registers, data, result, pid, tid, wrap, entry_lost) in enumerate(drawn):
        items = {n: (Item(0, 1, piece, len(piece), False, False, bool(n % 2)),) for n, piece in data.items()}  # noqa: FBT003
        begun = (now_ns, 0, pid, tid, "a", X86_64, NUMBERS[name][0], name, tuple(registers), items)
        call = Call(*begun, result, now_ns, 0, "a", entry_lost=entry_lost)
        found.append(call if wrap is None else wrap(call))
    start = OpenFiles(2, 4, {1: Process(None, None, {3: (b"/f", False)})})
    assert len(list(known(found, start, sockets=True))) == len(found)


BRACKETS = re.compile(r"(?<=[0-9D])<([^>]*)>(?:\\(deleted\\))?")
# workload -> descriptors of which we say the same as strace, of those that it names; may only rise
SAME = {"files_fcntl": 70, "files_io": 101, "files_names": 51, "files_open": 72, "files_watch": 30}


@pytest.mark.kernel
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("name", SAME)
def test_as_strace_names_them(name: str, tmp_path: Path) -> None:
    program = Program(name, tmp_path)
    theirs = by_thread(program.under_strace("-y"), os.getpid())
    with closing(Tracer.load(Plan(ring_size=RING_SIZE, pool_size=1))) as tracer:
        ours = by_thread(program.recorded(tracer, descriptors=True), os.getpid())
    named = same = 0
    for thread, lines in theirs.items():
        bare = [[BRACKETS.sub("", line) for line in one] for one in (lines, ours[thread])]
        for at, there, count in SequenceMatcher(None, *bare, autojunk=False).get_matching_blocks():
            for left, right in zip(lines[at : at + count], ours[thread][there : there + count], strict=True):
                said = [match[0] for match in BRACKETS.finditer(left)]
                named += len(said)
                same += len(said) if left == right else 0
                for match in BRACKETS.finditer(right):
                    # strace has what symbolic links lead to; the trace has what was asked for
                    assert match[0] in said or f"<{os.path.realpath(match[1])}>" in said, (left, right)
    print(f"{name}: {same} of {named} descriptors named as strace does, none otherwise")
    assert same >= SAME[name]


_DEEP = "d" * 200
_GO_DEEP = f"for _ in $(seq 30); do mkdir {_DEEP} && cd -P {_DEEP} || exit; done; exec 3<. && echo && exec cat"


@pytest.mark.kernel
def test_the_daemon_reads_what_lies_deeper_than_proc_tells(tmp_path: Path) -> None:
    with Cgroup() as cgroup:
        program = cgroup.start("sh", "-c", _GO_DEEP, cwd=tmp_path)
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stdout.readline() == b"\n"  # it is there
        read = read_open_files(cgroup.path)
        program.stdin.close()
        program.stdout.close()
        program.wait()
    process = read.processes[program.pid]
    assert process.cwd is None
    assert 3 not in process.fds
    assert process.fds[0][0].startswith(b"pipe:[")


@pytest.mark.kernel
def test_what_the_daemon_reads(tmp_path: Path) -> None:
    before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    log = tmp_path / "log"
    with Cgroup() as cgroup, log.open("w") as kept:
        program = cgroup.start("cat", cwd=tmp_path, stderr=kept, stdin=subprocess.PIPE)
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(b"x")
        program.stdin.flush()
        assert program.stdout.read(1) == b"x"  # it runs
        read = read_open_files(cgroup.path)
        program.stdin.close()
        program.stdout.close()
        program.wait()
        assert not read_open_files(cgroup.path).processes
    process = read.processes[program.pid]
    assert (process.cwd, process.root) == (os.fsencode(tmp_path), b"/")
    assert process.fds[0][0].startswith(b"pipe:[")
    assert process.fds[2] == (os.fsencode(log), False)
    assert before_ns < read.from_ns <= read.until_ns


def test_show_knows_what_it_leaves_out() -> None:
    ring = RingWriter(1 << 20, 1 << 14)
    ring.name(7, 7, "a")
    ring.enter(0, 7, 257, AT_FDCWD, 16, 0, 0, items=item(1, layout.KIND_STRING, b"/f"))
    ring.exit(0, 7, 257, 3)
    ring.enter(0, 7, 3, 3)
    ring.exit(0, 7, 3, 0)

    @click.command
    @rendering_options
    def parsed(**options: Any) -> Rendering:
        return Rendering(**options)

    def shown(*options: str) -> list[str]:
        made: Rendering = parsed.main(["-o", "strace", "-e", "close", *options], standalone_mode=False)
        made.check()
        return [" ".join(line.split()) for line in made.lines(ring.snapshot())]

    assert shown("-y") == ["7 close(3</f>) = 0"]
    assert shown() == ["7 close(3) = 0"]


@pytest.mark.kernel
def test_what_was_open_travels_with_the_trace(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Daemon() as daemon, Cgroup() as cgroup, log.open("w") as kept:
        script = "echo; read x; echo $x >&2; cat /etc/hosts"
        with cgroup.start("sh", "-c", script, stderr=kept, cwd=tmp_path) as program:
            assert program.stdin is not None
            assert program.stdout is not None
            assert program.stdout.readline() == b"\n"
            daemon.ctl("add", "--cgroup", str(cgroup.path), "--name", "mine")
            (trace,) = json.loads(daemon.ctl("list", "-o", "json").stdout)
            program.communicate(b"hello\n")
        daemon.wait_for_log(lambda line: f"frozen {trace['id']} " in line)
        lines = daemon.ctl("show", trace["id"], "-o", "strace", "-y", "-e", "write,openat,close").stdout.splitlines()
    shown = [" ".join(line.split()[1:]) for line in lines]
    assert f'write(1<{log}>, "hello\\n", 6) = 6' in shown  # the shell has moved its 2 there
    assert f'openat(AT_FDCWD<{tmp_path}>, "/etc/hosts", O_RDONLY) = 3</etc/hosts>' in shown  # by the child of the shell
    assert "close(3</etc/hosts>) = 0" in shown
