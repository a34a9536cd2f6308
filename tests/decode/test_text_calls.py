# SPDX-License-Identifier: Apache-2.0
"""Calls as text: one line each, or one at the entry and one at the return."""

from __future__ import annotations

import struct

import pytest
from madeevents import (
    EXECVE,
    FILENAME,
    MSG,
    NEWFSTATAT,
    OPEN,
    POINTER,
    READ,
    SNAPSHOT,
    WRITE,
    WRITEV,
    args,
    bare,
    call,
    item,
    shown,
    string,
)

from traceloop_decode import layout
from traceloop_decode.model import Entered, Returned
from traceloop_decode.text import classic, short, strace
from traceloop_decode.values.options import Options


@pytest.mark.parametrize(
    ("made", "as_classic", "as_short"),
    [
        (
            call("openat", args((("dfd", "int"), *OPEN), 2**64 - 100, (16, string(b"/x")), 0, 0o644), -2),
            'openat(dfd=18446744073709551516, filename=16 "/x", flags=0, mode=420) = 18446744073709551614',
            'openat(dfd=AT_FDCWD, filename="/x", flags=O_RDONLY) = -1 ENOENT (No such file or directory)',
        ),
        (
            call("open", args(OPEN, (16, string(b"", fault=True)), 0, 0), -14),
            "open(filename=16, flags=0, mode=0) = 18446744073709551602",
            "open(filename=0x10, flags=O_RDONLY) = -1 EFAULT (Bad address)",
        ),
        (
            call("open", args(OPEN, 0, 0o101, 7), -14),
            "open(filename=0, flags=65, mode=7) = 18446744073709551602",
            "open(filename=NULL, flags=O_WRONLY|O_CREAT, mode=007) = -1 EFAULT (Bad address)",
        ),
        (
            call("write", args(WRITE, 1, (16, item(b"ab", size=9, fault=True)), 9), 9),
            'write(fd=1, buf=16 "ab"..., count=9) = 9',
            "write(fd=1, buf=0x10, count=9) = 9",  # as strace, which reads all that it shows, or nothing
        ),
        (
            call("write", args(WRITE, 1, (16, item(b"ab", size=5000, more=True)), 5000), 5000),
            'write(fd=1, buf=16 "ab"..., count=5000) = 5000',
            'write(fd=1, buf="ab"..., count=5000) = 5000',
        ),
        (
            call("write", args(WRITE, 1, (16, item(b"")), 0), 0),
            'write(fd=1, buf=16 "", count=0) = 0',
            'write(fd=1, buf="", count=0) = 0',
        ),
        (
            call("read", args(READ, 0, POINTER, 8), -512),
            f"read(fd=0, buf={POINTER}, count=8) = 18446744073709551104",
            f"read(fd=0, buf={POINTER:#x}, count=8) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)",
        ),
        (
            call("newfstatat", args(NEWFSTATAT, 3, (16, string(b"")), (32, item(bytes(144), out=True)), 4096), 0),
            'newfstatat(dfd=3, filename=16 "", statbuf=32, flag=4096) = 0',
            'newfstatat(dfd=3, filename="", statbuf={st_mode=000, st_size=0, ...}, flag=AT_EMPTY_PATH) = 0',
        ),
        (
            call(
                "execve",
                args(
                    EXECVE,
                    (16, string(b"/bin/sh")),
                    (
                        32,
                        string(b"sh"),
                        string(b"-c", sub=1),
                        string(b"a\nb", sub=2, more=True),
                        item(b"", layout.KIND_ARGV, sub=3, size=3),
                    ),
                    64,
                ),
                0,
            ),
            r'execve(filename=16 "/bin/sh", argv=32 ["sh", "-c", "a\nb"...], envp=64) = 0',
            r'execve(filename="/bin/sh", argv=["sh", "-c", "a\nb"...], envp=0x40) = 0',
        ),
        (
            call(
                "execve",
                args(EXECVE, 16, (32, string(b"sh"), item(b"", layout.KIND_ARGV, sub=1, size=1, more=True)), 0),
                -2,
            ),
            'execve(filename=16, argv=32 ["sh", ...], envp=0) = 18446744073709551614',
            'execve(filename=0x10, argv=["sh", ...], envp=NULL) = -1 ENOENT (No such file or directory)',
        ),
        (
            call("execve", args(EXECVE, 16, (32, item(b"", layout.KIND_ARGV, sub=0)), 0), -2),
            "execve(filename=16, argv=32, envp=0) = 18446744073709551614",
            "execve(filename=0x10, argv=[], envp=NULL) = -1 ENOENT (No such file or directory)",
        ),
        (
            call("execve", args(EXECVE, 16, (8, item(b"", layout.KIND_ARGV, fault=True)), 0), -14),
            "execve(filename=16, argv=8, envp=0) = 18446744073709551602",
            "execve(filename=0x10, argv=0x8, envp=NULL) = -1 EFAULT (Bad address)",
        ),
        (
            call("writev", args(WRITEV, 4, (32, item(b"one"), item(b"two\n", sub=1, size=400, more=True)), 2), 403),
            r'writev(fd=4, vec=32 ["one", "two\n"...], vlen=2) = 403',
            r'writev(fd=4, vec=[{iov_base="one", iov_len=3}, {iov_base="two\n"..., iov_len=400}], vlen=2) = 403',
        ),
        (
            call("writev", args(WRITEV, 4, (32, item(b"one")), 20), 403),
            'writev(fd=4, vec=32 ["one", ...], vlen=20) = 403',
            'writev(fd=4, vec=[{iov_base="one", iov_len=3}, ...], vlen=20) = 403',
        ),
        (
            call("readv", args(WRITEV, 4, (32, item(b"one", size=9, out=True)), 20), 3),
            'readv(fd=4, vec=32 ["one"], vlen=20) = 3',
            'readv(fd=4, vec=[{iov_base="one", iov_len=9}, ...], vlen=20) = 3',
        ),
        (
            call("writev", args(WRITEV, 4, (32, item(b"", layout.KIND_IOVEC, fault=True)), 2), -14),
            "writev(fd=4, vec=32, vlen=2) = 18446744073709551602",
            "writev(fd=4, vec=0x20, vlen=2) = -1 EFAULT (Bad address)",
        ),
        (
            call(
                "sendmsg",
                args(
                    MSG,
                    15,
                    (
                        32,
                        item(struct.pack("<7Q", 1, 4, 2, 1, 3, 8, 0), layout.KIND_MSG),
                        item(b"\x01\x00/x", sub=layout.SUB_NAME),
                        item(bytes(8), sub=layout.SUB_CONTROL),
                        item(b"fdpass"),
                    ),
                    64,
                ),
                6,
            ),
            'sendmsg(fd=15, msg=32 ["fdpass"], flags=64) = 6',
            (
                'sendmsg(fd=15, msg={msg_name={sa_family=AF_UNIX, sun_path="/x"}, msg_namelen=4, '
                'msg_iov=[{iov_base="fdpass", iov_len=6}], msg_iovlen=1, msg_control=0x3, msg_controllen=8, msg_flags=0}, '
                "flags=MSG_DONTWAIT) = 6"
            ),
        ),
        (
            call(
                "prctl",
                args((("option", "int"), ("arg2", "unsigned long")), 15, (32, string(b"new"))),
                0,
            ),
            'prctl(option=15, arg2=32 "new") = 0',
            'prctl(option=PR_SET_NAME, arg2="new") = 0',
        ),
        (
            call(
                "prctl",
                args((("option", "int"), ("arg2", "unsigned long")), 38, (1, string(b"", fault=True))),
                0,
            ),
            "prctl(option=38, arg2=1) = 0",
            "prctl(option=PR_SET_NO_NEW_PRIVS, arg2=1) = 0",
        ),
        (
            call(
                "mmap",
                args(
                    (
                        ("addr", "unsigned long"),
                        ("len", "unsigned long"),
                        ("prot", "unsigned long"),
                        ("flags", "unsigned long"),
                        ("fd", "unsigned long"),
                        ("off", "unsigned long"),
                    ),
                    0,
                    4096,
                    3,
                    34,
                    2**64 - 1,
                    0,
                ),
                0x7F0000000000,
            ),
            "mmap(addr=0, len=4096, prot=3, flags=34, fd=18446744073709551615, off=0) = 139637976727552",
            (
                "mmap(addr=NULL, len=4096, prot=PROT_READ|PROT_WRITE, flags=MAP_PRIVATE|MAP_ANONYMOUS, fd=-1, off=0)"
                " = 0x7f0000000000"
            ),
        ),
        (
            call("lseek", args((("fd", "unsigned int"), ("offset", "off_t")), 3, 2**64 - 5), 95),
            "lseek(fd=3, offset=18446744073709551611) = 95",
            "lseek(fd=3, offset=-5) = 95",
        ),
        (
            call(
                "lseek", args((("fd", "unsigned int"), ("offset", "off_t")), 3, 2**32 - 5), 95, compat=True, number=19
            ),
            "lseek(fd=3, offset=4294967291) = 95",
            "lseek(fd=3, offset=-5) = 95",
        ),
        (
            call("kill", args((("pid", "pid_t"), ("sig", "int")), 2**32 - 1, 9), -3),
            "kill(pid=4294967295, sig=9) = 18446744073709551613",
            "kill(pid=-1, sig=SIGKILL) = -1 ESRCH (No such process)",
        ),
        (
            call("getuid", (), 4294967295),
            "getuid() = 4294967295",
            "getuid() = 4294967295",
        ),
    ],
)
def test_a_call_is_one_line(made, as_classic, as_short):
    assert bare(classic, made) == [as_classic]
    assert bare(short, made) == [as_short]


def test_output_is_shown_with_the_return():
    entered = call("read", args(READ, 3, POINTER, 100), at_ns=1)
    whole = call(
        "read",
        args(READ, 3, (POINTER, item(b"data", out=True)), 100),
        4,
        at_ns=1,
        end_ns=60_000_000_002,
        end_cpu=1,
        end_comm="renamed",
    )
    assert shown(classic, Entered(entered), Returned(whole)) == [
        f"00:00.000000001 cpu#0 pid 10 [sh] read(fd=3, buf={POINTER}, count=100)...",
        f'01:00.000000002 cpu#1 pid 10 [renamed] ...read(buf={POINTER} "data") = 4',
    ]
    assert shown(short, Entered(entered), Returned(whole))[1].endswith(' ...read(buf="data") = 4')


def test_structs_come_with_the_return():
    arguments = args(NEWFSTATAT, 3, (16, string(b"/x")), (32, item(bytes(144), out=True)), 0)
    assert bare(classic, Returned(call("newfstatat", arguments, 0))) == ["...newfstatat() = 0"]
    assert bare(short, Returned(call("newfstatat", arguments, 0))) == [
        "...newfstatat(statbuf={st_mode=000, st_size=0, ...}) = 0"
    ]


def test_a_string_that_could_be_read_only_at_the_return_is_shown_there():
    entered = call("open", args(OPEN, (16, string(b"", fault=True)), 0, 0))
    whole = call("open", args(OPEN, (16, string(b"/cold")), 0, 0), 3)
    assert bare(classic, Entered(entered), Returned(whole)) == [
        "open(filename=16, flags=0, mode=0)...",
        '...open(filename=16 "/cold") = 3',
    ]
    assert bare(short, Entered(whole), Returned(whole))[1] == "...open() = 3"


def test_a_call_whose_beginning_was_not_seen_shows_all_that_there_is():
    refused = call("mkdir", args((("pathname", "const char *"),), (16, string(b"/x"))), -1, entry_lost=True)
    child = call("clone", (), 0, entry_lost=True)
    assert bare(short, Returned(refused), Returned(child)) == [
        '...mkdir(pathname="/x") = -1 EPERM (Operation not permitted)',
        "...clone() = 0",
    ]


def test_a_call_that_never_returned():
    left = call("exit_group", args((("error_code", "int"),), 1))
    assert bare(classic, Entered(left)) == ["exit_group(error_code=1)..."]
    assert bare(short, Entered(left)) == ["exit_group(error_code=1) = ?"]
    assert bare(short, Entered(call("pause"))) == ["pause()..."]


def test_the_thread_is_shown_and_its_name_cannot_reach_the_terminal():
    named = call("getpid", (), 1, tid=77, pid=5, comm="a\x1b[2J\u202e\nb")
    assert shown(classic, named) == [r"00:00.000000000 cpu#0 pid 77 [a\33[2J\342\200\256\nb] getpid() = 1"]


def test_unknown_errors_are_numbers():
    assert bare(short, call("x", (), -4000)) == ["x() = -1 (errno 4000)"]
    assert bare(short, call("x", (), -4096)) == ["x() = -4096"]


def test_times_before_1970() -> None:
    data = struct.pack("<QQQIII4xQqqqqQqQqQ24x", 1, 2, 1, 0o100644, 0, 0, 0, 0, 4096, 0, -10843, 1, -5, 5, 0, 0)
    made = call(
        "stat", args((FILENAME, ("statbuf", "struct stat *")), (16, string(b"/x")), (32, item(data, out=True))), 0
    )
    (line,) = shown_with(made, verbose=True)
    assert "st_atime=-10843 /* 1969-12-31T20:59:17.000000001+0000 */, st_atime_nsec=1, st_mtime=-5 /* 1969" in line


def shown_with(made, **options):
    return list(strace.lines(iter([made]), SNAPSHOT, Options(**options)))


SEMOP = (("semid", "int"), ("tsops", "struct sembuf *"), ("nsops", "unsigned"))


def test_an_array_whose_end_cannot_be_read() -> None:
    """The first element that cannot be read is shown by its address, as strace does."""
    one = struct.pack("<Hhh", 0, -1, 0)
    for data, text in (
        (one, "[{sem_num=0, sem_op=-1, sem_flg=0}, ... /* 0x1006 */]"),
        (one + one[:3], "[{sem_num=0, sem_op=-1, sem_flg=0}, ... /* 0x1006 */]"),
        (one[:3], "0x1000"),
    ):
        made = call("semop", args(SEMOP, 5, (0x1000, item(data, size=12, fault=True)), 2), -14)
        (line,) = shown_with(made)
        assert f"semop(5, {text}, 2)" in line
    whole = call("semop", args(SEMOP, 5, (0x1000, item(one + one)), 2), 0)
    assert "..." not in shown_with(whole)[0]


def test_an_argv_whose_end_cannot_be_read() -> None:
    end = item(b"", layout.KIND_ARGV, sub=2, size=2, fault=True)
    listed = (0x2000, string(b"a"), string(b"b", sub=1), end)
    (line,) = shown_with(call("execve", args(EXECVE, (16, string(b"/x")), listed, 0), -14))
    assert '["a", "b", ... /* 0x2010 */]' in line
