# SPDX-License-Identifier: Apache-2.0
"""Events as text: the original demo's lines to the letter, and every kind of event in every format."""

from __future__ import annotations

import base64
import dataclasses
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceloop_decode import layout
from traceloop_decode.model import Arg, Call, Entered, Item, Lost, Returned, Sender, Signal, TaskExit
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import I386, X86_64, table
from traceloop_decode.text import classic, jsonl, short
from traceloop_decode.text.values import clock, printable, quote

STARTED_NS = 5_000_000_000_000
BOOT_OFFSET_NS = 1_700_000_000_000_000_000
SNAPSHOT = Snapshot("x86_64", 1, 1 << 20, 1 << 14, 2, BOOT_OFFSET_NS, STARTED_NS + 10**9, STARTED_NS, (), b"")

FILENAME = ("filename", "const char *")
WRITE = (("fd", "unsigned int"), ("buf", "const char *"), ("count", "size_t"))
READ = (("fd", "unsigned int"), ("buf", "char *"), ("count", "size_t"))
OPEN = (FILENAME, ("flags", "int"), ("mode", "umode_t"))
NEWFSTATAT = (("dfd", "int"), FILENAME, ("statbuf", "struct stat *"), ("flag", "int"))
EXECVE = (FILENAME, ("argv", "const char *const *"), ("envp", "const char *const *"))
WRITEV = (("fd", "unsigned long"), ("vec", "const struct iovec *"), ("vlen", "unsigned long"))
MSG = (("fd", "int"), ("msg", "struct user_msghdr *"), ("flags", "unsigned int"))


def item(data=b"", kind=layout.KIND_BUFFER, *, sub=0, size=None, more=False, fault=False, out=False):
    return Item(sub, kind, data, len(data) if size is None else size, more, fault, out)


def string(data, **how):
    return item(data, layout.KIND_STRING, **how)


NUMBERS = {syscall.name: number for number, syscall in table(compat=False).items()}


def args(params, *values):
    """A value is a register, or a register and items."""
    made = []
    for (name, ctype), value in zip(params, values, strict=True):
        raw, *items = value if isinstance(value, tuple) else (value,)
        made.append(Arg(name, ctype, raw, tuple(items)))
    return tuple(made)


def call(name, arguments=(), result=None, *, at_ns=0, end_ns=None, cpu=0, tid=10, comm="sh", **more):
    return Call(
        ts_ns=STARTED_NS + at_ns,
        cpu=cpu,
        pid=more.pop("pid", tid),
        tid=tid,
        comm=comm,
        abi=I386 if more.pop("compat", False) else X86_64,
        number=more.pop("number", NUMBERS.get(name, 0)),
        name=name,
        registers=tuple(argument.raw for argument in arguments),
        items={n: argument.items for n, argument in enumerate(arguments) if argument.items},
        result=result,
        end_ns=None if result is None else STARTED_NS + (at_ns + 1 if end_ns is None else end_ns),
        end_cpu=None if result is None else more.pop("end_cpu", cpu),
        end_comm=None if result is None else more.pop("end_comm", comm),
        **more,
    )


def shown(module, *events):
    lines = list(module.lines(iter(events), SNAPSHOT))
    assert all(line.isprintable() and line.isascii() for line in lines)
    return lines


def bare(module, *events):
    """The lines without what stands before a call."""
    return [line.split("] ", 1)[1] for line in shown(module, *events)]


def objects(*events):
    return [json.loads(line) for line in shown(jsonl, *events)]


# --- the original demos ---------------------------------------------------------------------------------------------

MULTIPLICATION = r"""
00:00.001792832 cpu#0 pid 14276 [runc:[2:INIT]] write(fd=4, buf=842351188896 "{\"type\":\"procReady\"}", count=20)...
00:00.001808990 cpu#0 pid 14276 [runc:[2:INIT]] ...write() = 20
00:00.068726377 cpu#0 pid 14276 [runc:[2:INIT]] write(fd=3, buf=842351686112 "0", count=1)...
00:00.068741259 cpu#0 pid 14276 [runc:[2:INIT]] ...write() = 1
00:00.070542730 cpu#0 pid 14464 [sh] write(fd=1, buf=37966992 "3*7*2\n", count=6)...
00:00.070552565 cpu#0 pid 14464 [sh] ...write() = 6
00:00.070713699 cpu#0 pid 14465 [sh] open(filename=37967352 "/tmp/file-1889", flags=577, mode=438) = 3
00:00.071188694 cpu#1 pid 14465 [bc] write(fd=1, buf=7415808 "42\n", count=3) = 3
00:00.071546191 cpu#1 pid 14276 [cat] open(filename=140723923041877 "/tmp/file-3240", flags=0, mode=0) = 18446744073709551614
00:00.071566973 cpu#1 pid 14276 [cat] write(fd=2, buf=140723923036928 "cat: can't open '/tmp/file-3240': No such file or directory\n", count=60) = 60
"""

LISTING = """
00:00.074622185 cpu#0 pid 20994 [ls] newfstatat(dfd=18446744073709551516, filename=20772880 "/bin/wall", statbuf=140723555968544, flag=256) = 0
00:00.075257559 cpu#0 pid 20994 [ls] newfstatat(dfd=18446744073709551516, filename=20776192 "/bin/whois", statbuf=140723555968544, flag=256) = 0
00:00.076278991 cpu#0 pid 20994 [ls] newfstatat(dfd=18446744073709551516, filename=20781952 "/bin/which", statbuf=140723555968544, flag=256) = 0
00:00.077687964 cpu#0 pid 20994 [ls] newfstatat(dfd=18446744073709551516, filename=20791600 "/bin/whoami", statbuf=140723555968544, flag=256) = 0
00:00.078381695 cpu#0 pid 20994 [ls] newfstatat(dfd=18446744073709551516, filename=20797072 "/bin/w", statbuf=140723555968544, flag=256) = 0
00:00.080034442 cpu#0 pid 20994 [ls] newfstatat(dfd=18446744073709551516, filename=20806720 "/bin/wc", statbuf=140723555968544, flag=256) = 0
00:00.080110492 cpu#0 pid 20994 [ls] newfstatat(dfd=18446744073709551516, filename=20807152 "/bin/wget", statbuf=140723555968544, flag=256) = 0
00:00.080376067 cpu#0 pid 20994 [ls] newfstatat(dfd=18446744073709551516, filename=20809168 "/bin/who", statbuf=140723555968544, flag=256) = 0
00:00.081162362 cpu#0 pid 20994 [ls] newfstatat(dfd=18446744073709551516, filename=20815360 "/bin/watchdog", statbuf=140723555968544, flag=256) = 0
00:00.081412726 cpu#0 pid 20994 [ls] newfstatat(dfd=18446744073709551516, filename=20817088 "/bin/watch", statbuf=140723555968544, flag=256) = 0
"""


def split_write(fd, address, data, **where):
    arguments = args(WRITE, fd, (address, item(data)), len(data))
    return [Entered(call("write", arguments, **where)), Returned(call("write", arguments, len(data), **where))]


def test_the_lost_multiplication_as_it_was_printed():
    wrong = b"cat: can't open '/tmp/file-3240': No such file or directory\n"
    in_init = {"tid": 14276, "comm": "runc:[2:INIT]"}
    in_cat = {"cpu": 1, "tid": 14276, "comm": "cat"}
    events = [
        *split_write(4, 842351188896, b'{"type":"procReady"}', at_ns=1792832, end_ns=1808990, **in_init),
        *split_write(3, 842351686112, b"0", at_ns=68726377, end_ns=68741259, **in_init),
        *split_write(1, 37966992, b"3*7*2\n", at_ns=70542730, end_ns=70552565, tid=14464, comm="sh"),
        call("open", args(OPEN, (37967352, string(b"/tmp/file-1889")), 577, 438), 3, at_ns=70713699, tid=14465),
        call("write", args(WRITE, 1, (7415808, item(b"42\n")), 3), 3, at_ns=71188694, cpu=1, tid=14465, comm="bc"),
        call("open", args(OPEN, (140723923041877, string(b"/tmp/file-3240")), 0, 0), -2, at_ns=71546191, **in_cat),
        call("write", args(WRITE, 2, (140723923036928, item(wrong)), 60), 60, at_ns=71566973, **in_cat),
    ]
    assert shown(classic, *events) == MULTIPLICATION.strip().splitlines()


def test_the_listing_as_it_was_printed():
    seen = [
        (74622185, 20772880, b"/bin/wall"),
        (75257559, 20776192, b"/bin/whois"),
        (76278991, 20781952, b"/bin/which"),
        (77687964, 20791600, b"/bin/whoami"),
        (78381695, 20797072, b"/bin/w"),
        (80034442, 20806720, b"/bin/wc"),
        (80110492, 20807152, b"/bin/wget"),
        (80376067, 20809168, b"/bin/who"),
        (81162362, 20815360, b"/bin/watchdog"),
        (81412726, 20817088, b"/bin/watch"),
    ]
    stat = (140723555968544, item(bytes(144), out=True))
    events = [
        call(
            "newfstatat",
            args(NEWFSTATAT, 2**64 - 100, (address, string(path)), stat, 256),
            0,
            at_ns=at_ns,
            tid=20994,
            comm="ls",
        )
        for at_ns, address, path in seen
    ]
    assert shown(classic, *events) == LISTING.strip().splitlines()


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", '""'),
        (b'a"b\\c', r'"a\"b\\c"'),
        (b"\n\r\t\v\f", r'"\n\r\t\v\f"'),
        (b"\x01\x38\x01\x37\xff\x1b9\x7f", r'"\18\0017\377\339\177"'),  # as strace 6.1 printed it
        (b"\x1b[31m\x9b2J", r'"\33[31m\2332J"'),
        ("é".encode(), r'"\303\251"'),
    ],
)
def test_bytes_are_quoted_with_the_shortest_escapes(data, text):
    assert quote(data) == text
    assert quote(data, more=True) == text + "..."


@given(st.binary())
def test_quoted_bytes_are_printable_and_give_the_bytes_back(data):
    text = quote(data)
    assert text.isascii()
    assert text.isprintable()
    assert text[1:-1].encode().decode("unicode_escape").encode("latin-1") == data


@given(st.text(st.characters()))
def test_any_text_can_be_made_printable(text):
    result = printable(text)
    assert result.isascii()
    assert result.isprintable() or not result
    if text.isascii() and text.isprintable():
        assert result == text


@pytest.mark.parametrize(
    ("elapsed_ns", "text"),
    [
        (0, "00:00.000000000"),
        (59_999_999_999, "00:59.999999999"),
        (61 * 60_000_000_000 + 1, "61:00.000000001"),
        (6_000 * 60_000_000_000, "6000:00.000000000"),
        (-1_500_000_000, "-00:01.500000000"),
    ],
)
def test_minutes_never_wrap(elapsed_ns, text):
    assert clock(elapsed_ns) == text


# --- calls ----------------------------------------------------------------------------------------------------------

POINTER = 0x7FFC00001000


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
            'write(fd=1, buf="ab"..., count=9) = 9',
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


# --- what is not a call ---------------------------------------------------------------------------------------------


def signal(number, siginfo):
    return Signal(STARTED_NS, 1, 10, 11, "sh", number, siginfo, 0, 0)


def siginfo(layout, *values):
    return struct.pack("<iii4x" + layout, *values).ljust(48, b"\0")


CHILD = siginfo("iIi4xqq", 17, 0, 2, 14, 0, 9, 3, 4)
CHILD_TEXT = (
    "si_code=CLD_KILLED, si_pid=14, si_uid=0, si_status=SIGKILL, si_utime=3 /* 0.03 s */, si_stime=4 /* 0.04 s */"
)


@pytest.mark.parametrize(
    ("number", "info", "text"),
    [
        (17, CHILD, f"SIGCHLD {{si_signo=SIGCHLD, {CHILD_TEXT}}}"),
        (15, siginfo("iI", 15, 0, 0, 42, 1), "SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=42, si_uid=1}"),
        (15, siginfo("iI", 15, 0, -6, 42, 1), "SIGTERM {si_signo=SIGTERM, si_code=SI_TKILL, si_pid=42, si_uid=1}"),
        (17, siginfo("iI", 17, 0, 0, 42, 1), "SIGCHLD {si_signo=SIGCHLD, si_code=SI_USER, si_pid=42, si_uid=1}"),
        (
            34,
            siginfo("iIq", 34, 0, -1, 42, 1, -7),
            "SIGRT_2 {si_signo=SIGRT_2, si_code=SI_QUEUE, si_pid=42, si_uid=1, si_int=-7, si_ptr=0xfffffffffffffff9}",
        ),
        (11, siginfo("Q", 11, 0, 1, 0x1234), "SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x1234}"),
        (6, siginfo("", 6, 0, 128), "SIGABRT {si_signo=SIGABRT, si_code=SI_KERNEL}"),
        (
            31,
            siginfo("QiI", 31, 0, 1, 0, 59, 3),
            (
                "SIGSYS {si_signo=SIGSYS, si_code=SYS_SECCOMP, si_call_addr=NULL, si_syscall=59, "
                "si_arch=0x3 /* AUDIT_ARCH_??? */}"
            ),
        ),
        (9, bytes(48), "SIGKILL"),
        (9, b"", "SIGKILL"),
        (200, bytes(48), "200"),
    ],
)
def test_a_signal_names_its_sender(number, info, text):
    for module in (classic, short):
        assert shown(module, signal(number, info)) == [f"00:00.000000000 cpu#1 pid 11 [sh] --- {text} ---"]


def test_a_fatal_signal_names_its_sender_on_the_node():
    info = siginfo("iI", 9, 0, 0, 0, 0)
    killed = dataclasses.replace(signal(9, info), sender=Sender(4711, "runc"))
    for module in (classic, short):
        (line,) = shown(module, killed)
        assert line.endswith(
            "--- SIGKILL {si_signo=SIGKILL, si_code=SI_USER, si_pid=0, si_uid=0} --- sent by pid 4711 [runc]"
        )
    (made,) = objects(killed)
    assert made["sender"] == {"pid": 4711, "comm": "runc"}
    assert objects(signal(9, info))[0]["sender"] is None


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (1 << 8, "exited with 1"),
        (255 << 8, "exited with 255"),
        (9, "killed by SIGKILL"),
        (11 | 0x80, "killed by SIGSEGV (core dumped)"),
    ],
)
def test_an_exit_says_how(code, text):
    end = TaskExit(STARTED_NS, 0, 10, 11, "sh", code, group_dead=True)
    assert shown(short, end) == [f"00:00.000000000 cpu#0 pid 11 [sh] +++ {text} +++"]


def test_losses_are_shown_in_their_place_with_their_remedy():
    one = call("getpid", (), 1)
    lines = shown(short, one, Lost(STARTED_NS + 5, 1, 1234, 2000, "overwritten"), one)
    assert lines[1] == (
        "00:00.000000005 cpu#1 --- 1,234 earlier events of cpu#1 were overwritten: "
        "a larger ring keeps more (ring_size in traceloop.toml) ---"
    )
    (rejected,) = shown(classic, Lost(STARTED_NS, 0, 1, 1, "rejected"))
    assert "--- 1 event of cpu#0 was left out" in rejected
    (returns,) = shown(classic, Lost(STARTED_NS, 0, 0, 3, "dropped"))
    assert "--- 3 returns of cpu#0 were not recorded" in returns


# --- jsonl ----------------------------------------------------------------------------------------------------------


def test_a_call_is_one_object_when_it_returned():
    entered = call("read", args(READ, 3, POINTER, 100), at_ns=1)
    whole = call("read", args(READ, 3, (POINTER, item(b"\xff\x00", out=True)), 100), 2, at_ns=1, end_ns=8, end_cpu=1)
    between = call("openat", args((("dfd", "int"), FILENAME), 2**64 - 100, (16, string("/é\x7f".encode()))), -2, tid=11)
    first, second = objects(Entered(entered), between, Returned(whole))
    assert (first["syscall"], first["tid"], first["ret"], first["errno"]) == ("openat", 11, -2, "ENOENT")
    assert first["args"] == [
        {"name": "dfd", "raw": 2**64 - 100, "value": -100, "text": "AT_FDCWD"},
        {
            "name": "filename",
            "raw": 16,
            "value": 16,
            "text": r'"/\303\251\177"',
            "data": "/é\x7f",
            "size": 4,
            "more": False,
            "fault": False,
        },
    ]
    assert first["ret_text"] == "-1 ENOENT (No such file or directory)"
    assert second == {
        "schema": 1,
        "event": "syscall",
        "ts_ns": STARTED_NS + 1,
        "time_ns": STARTED_NS + 1 + BOOT_OFFSET_NS,
        "cpu": 0,
        "pid": 10,
        "tid": 10,
        "comm": "sh",
        "syscall": "read",
        "args": [
            {"name": "fd", "raw": 3, "value": 3, "text": "3"},
            {
                "name": "buf",
                "raw": POINTER,
                "value": POINTER,
                "text": r'"\377\0"',
                "base64": base64.b64encode(b"\xff\x00").decode(),
                "size": 2,
                "more": False,
                "fault": False,
            },
            {"name": "count", "raw": 100, "value": 100, "text": "100"},
        ],
        "ret": 2,
        "errno": None,
        "ret_text": "2",
        "number": 0,
        "compat": False,
        "duration_ns": 7,
        "end_cpu": 1,
        "entry_lost": False,
    }


def test_lists_are_lists():
    ended = item(b"", layout.KIND_ARGV, sub=1, size=1, more=True)
    (made,) = objects(call("execve", args(EXECVE, 16, (32, string(b"sh"), ended), 0), 0))
    assert made["args"][1] == {
        "name": "argv",
        "raw": 32,
        "value": 32,
        "text": '["sh", ...]',
        "list": [{"data": "sh", "size": 2, "more": False, "fault": False}],
        "cut": True,
    }


def test_calls_that_never_returned_come_when_their_thread_ends_or_last():
    end = TaskExit(STARTED_NS, 0, 10, 10, "sh", 3 << 8, group_dead=True)
    stuck = call("pause", tid=12)
    made = objects(Entered(stuck), Entered(call("exit_group")), end, call("getpid", (), 1))
    assert [(one["event"], one["syscall"], one["ret"]) for one in made] == [
        ("syscall", "exit_group", None),
        ("exit", None, None),
        ("syscall", "getpid", 1),
        ("syscall", "pause", None),
    ]
    assert made[0]["duration_ns"] is None
    assert (made[1]["exit_code"], made[1]["signal"]) == (3, None)


def test_a_call_whose_return_was_lost_is_not_forgotten():
    made = objects(Entered(call("read")), Entered(call("write")), Returned(call("write", (), 1)))
    assert [(one["syscall"], one["ret"]) for one in made] == [("read", None), ("write", 1)]


def test_every_object_has_the_same_first_keys():
    events = [
        call("getpid", (), 1),
        signal(17, CHILD),
        TaskExit(STARTED_NS, 0, 10, 11, "sh", 9, group_dead=False),
        Lost(STARTED_NS, 0, 5, 6, "overwritten"),
    ]
    made = objects(*events)
    keys = ["schema", "event", "ts_ns", "time_ns", "cpu", "pid", "tid", "comm", "syscall", "args", "ret", "errno"]
    assert all(list(one)[: len(keys)] == keys for one in made)
    assert made[1]["siginfo"] == {
        "si_signo": 17,
        "si_code": 2,
        "si_pid": 14,
        "si_uid": 0,
        "si_status": 9,
        "si_utime": 3,
        "si_stime": 4,
    }
    assert (made[2]["exit_code"], made[2]["signal"], made[2]["process"]) == (None, "SIGKILL", False)
    assert (made[3]["events"], made[3]["records"], made[3]["reason"], made[3]["pid"]) == (5, 6, "overwritten", None)


def test_formats_stream():
    seen = []

    def events():
        for n in range(3):
            seen.append(n)
            yield call("getpid", (), n)

    for module in (classic, short, jsonl):
        seen.clear()
        lines = module.lines(events(), SNAPSHOT)
        next(lines)
        assert seen == [0]
