# SPDX-License-Identifier: Apache-2.0
"""The files of real programs' descriptors: named as strace names them, and as the daemon read them at the start."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from contextlib import closing
from difflib import SequenceMatcher
from pathlib import Path

import pytest
from lab import Daemon
from recorded_cgroups import Cgroup
from strace.compare import RING_SIZE
from strace.normal import by_thread
from strace.programs import Program

from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer
from traceloop_daemon.system import procfs
from traceloop_daemon.system.procfs import read_open_files

BRACKETS = re.compile(r"(?<=[0-9D])<([^>]*)>(?:\\(deleted\\))?")
# workload -> number of descriptors that we name as strace does, of those that it names; may only rise
SAME = {"files_fcntl": 70, "files_io": 106, "files_names": 51, "files_open": 73, "files_watch": 30}


@pytest.mark.kernel
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("name", SAME)
def test_as_strace_names_them(name: str, tmp_path: Path) -> None:
    program = Program(name, tmp_path)
    theirs = by_thread(program.under_strace("-y"), os.getpid())
    with closing(Tracer.load(Plan(ring_size=RING_SIZE, pool_size=1))) as tracer:
        ours = by_thread(program.recorded(tracer, descriptors=1), os.getpid())
    named = same = 0
    for thread, lines in theirs.items():
        bare = [[BRACKETS.sub("", line) for line in one] for one in (lines, ours[thread])]
        for at, there, count in SequenceMatcher(None, *bare, autojunk=False).get_matching_blocks():
            for left, right in zip(lines[at : at + count], ours[thread][there : there + count], strict=True):
                said = [match[0] for match in BRACKETS.finditer(left)]
                named += len(said)
                same += len(said) if left == right else 0
                for match in BRACKETS.finditer(right):
                    # strace shows targets of symbolic links; the trace has the paths that programs used
                    assert match[0] in said or f"<{os.path.realpath(match[1])}>" in said, (left, right)
    print(f"{name}: {same} of {named} descriptors named as strace does, none otherwise")
    assert same >= SAME[name]


@pytest.mark.kernel
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_what_strace_shows_of_them_besides(tmp_path: Path) -> None:
    program = Program("files_descriptors", tmp_path)
    (theirs,) = by_thread(program.under_strace("-yy"), os.getpid()).values()
    with closing(Tracer.load(Plan(ring_size=RING_SIZE, pool_size=1))) as tracer:
        (ours,) = by_thread(program.recorded(tracer, descriptors=2), os.getpid()).values()
    left, right = ([_INODE.sub(r"\1N", line) for line in lines if _SHOWN.match(line)] for lines in (theirs, ours))
    assert len(left) == len(right) == 25
    other = [(one, two) for one, two in zip(left, right, strict=True) if one != two]
    assert [(one.partition(", ")[0], two.partition(", ")[0]) for one, two in other] == [
        ("fcntl(6</mnt/disk>", "fcntl(6</mnt/disk<block 7:0>>"),  # strace looks in its own mount namespace
        ("fcntl(10</mnt/target>", "fcntl(10"),  # opened by a symbolic link, which is unlinked
        ("sendmsg(18<UNIX:[N->N]>", "sendmsg(18"),  # the program does not ask for the socket's inode
    ]
    assert other[2][0].partition(", ")[2] == other[2][1].partition(", ")[2]


_INODE = re.compile(r"([:>]\[|->)\d+(?=[],-])")
_SHOWN = re.compile(r"fcntl|write|sendmsg|poll")
_DEEP = "d" * 200
_GO_DEEP = f"for _ in $(seq 30); do mkdir {_DEEP} && cd -P {_DEEP} || exit; done; exec 3<. && echo && exec cat"


@pytest.mark.kernel
def test_the_daemon_reads_what_lies_deeper_than_proc_tells(tmp_path: Path) -> None:
    with Cgroup() as cgroup:
        program = cgroup.start("sh", "-c", _GO_DEEP, cwd=tmp_path)
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stdout.readline() == b"\n"  # it has arrived there
        read = read_open_files(cgroup.path)
        program.stdin.close()
        program.stdout.close()
        program.wait()
    process = read.processes[program.pid]
    assert process.cwd is None
    assert 3 not in process.fds
    assert process.fds[0][0].startswith(b"pipe:[")


def wait_until_it_echoes(program: subprocess.Popen[bytes]) -> None:
    """Waits until `cat` runs, which the program executes last."""
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(b"x")
    program.stdin.flush()
    assert program.stdout.read(1) == b"x"


@pytest.mark.kernel
def test_what_the_daemon_reads(tmp_path: Path) -> None:
    before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    log = tmp_path / "log"
    with Cgroup() as cgroup, log.open("w") as kept:
        script = "exec cat 4</dev/zero 5</proc/self/stat"
        program = cgroup.start("sh", "-c", script, cwd=tmp_path, stderr=kept, stdin=subprocess.PIPE)
        wait_until_it_echoes(program)
        read = read_open_files(cgroup.path)
        program.stdin.close()
        program.stdout.close()
        program.wait()
        assert not read_open_files(cgroup.path).processes
    process = read.processes[program.pid]
    assert (process.cwd, process.root) == (os.fsencode(tmp_path), b"/")
    assert process.fds[0][0].startswith(b"pipe:[")
    assert process.fds[2] == (os.fsencode(log), False)
    assert process.fds[4] == (b"/dev/zero", False)
    assert process.devices == {4: "char 1:5"}
    assert before_ns < read.from_ns <= read.until_ns


_INSIDE = 'mount -t tmpfs none "$0"; echo new >"$0/log"; exec 4<"$0/log"; exec cat'


@pytest.mark.kernel
def test_what_is_open_from_another_mount_namespace(tmp_path: Path) -> None:
    """The same path, of a file on the machine and of one in a mount of the process's own."""
    log = tmp_path / "log"
    with Cgroup() as cgroup, log.open("w") as kept:
        command = ("unshare", "--mount", "--propagation=private", "sh", "-euc", _INSIDE, tmp_path)
        program = cgroup.start(*command, stdin=subprocess.PIPE, stderr=kept)
        wait_until_it_echoes(program)
        process = read_open_files(cgroup.path).processes[program.pid]
        program.stdin.close()
        program.stdout.close()
        program.wait()
    assert process.fds[2][0] == process.fds[4][0] == os.fsencode(log)
    assert process.outside == {2}


@pytest.mark.kernel
def test_with_too_many_mounts_nothing_is_certain_of_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Cgroup() as cgroup, log.open("w") as kept, cgroup.start("cat", stdin=subprocess.PIPE, stderr=kept) as program:
        wait_until_it_echoes(program)
        few = read_open_files(cgroup.path).processes[program.pid]
        monkeypatch.setattr(procfs, "_MOUNTINFO_MAX", 64)
        many = read_open_files(cgroup.path).processes[program.pid]
        program.communicate()
    assert few.fds == many.fds
    assert (few.outside, many.outside) == (frozenset(), {2})


@pytest.mark.kernel
def test_what_was_open_travels_with_the_trace(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Daemon() as daemon, Cgroup() as cgroup, log.open("w") as kept:
        script = "echo; read x; echo $x >&2; cat /etc/passwd"
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
    assert f'openat(AT_FDCWD<{tmp_path}>, "/etc/passwd", O_RDONLY) = 3</etc/passwd>' in shown  # by the shell's child
    assert "close(3</etc/passwd>) = 0" in shown
