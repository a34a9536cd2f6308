# SPDX-License-Identifier: Apache-2.0
"""strace's options to `show`: which events they select, and how these look."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from struct import pack

import click
import pytest
from ringwriter import RingWriter, item

from traceloop_cli.options.rendering import Rendering, WithPrecisions, rendering_options
from traceloop_decode import layout
from traceloop_decode.open_files import OpenFiles, Process
from traceloop_decode.selection.select import signal_set, status_set, trace_set
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import Param, Syscall, table
from traceloop_decode.text import jsonl

READ, CLOSE, GETPPID, RT_SIGSUSPEND, OPENAT, EXIT_GROUP = 0, 3, 110, 130, 257, 231
ENOENT, SIGKILL, SIGUSR1, SIGUSR2 = 2, 9, 10, 12
AT_FDCWD = (1 << 64) - 100
NUMBERS = {call.name: number for number, call in table(compat=False).items()}


@click.command(cls=WithPrecisions)
@rendering_options
def parsed(**options) -> Rendering:
    return Rendering(**options)


def recorded() -> Snapshot:
    """Records three threads: 70's read is interrupted, 71 opens two files, one missing, 72 is killed in a read."""
    ring = RingWriter(1 << 20, 1 << 14)
    for tid in (70, 71, 72):
        ring.name(tid, 70, "work")
    ring.enter(0, 70, READ, 5, 0x1000, 9)
    ring.enter(0, 72, READ, 6, 0x2000, 9)
    for fd, path in ((3, b"/etc/hosts"), (-ENOENT, b"/etc/none")):
        ring.enter(1, 71, OPENAT, AT_FDCWD, 16, 0, 0, items=item(1, layout.KIND_STRING, path))
        ring.exit(1, 71, OPENAT, fd)
    ring.enter(1, 71, READ, 3, 0x3000, 100)
    ring.exit(1, 71, READ, 9, items=item(1, layout.KIND_BUFFER, b"127.0.0.1", flags=layout.ITEM_OUT))
    ring.signal(1, 71, SIGUSR1)
    ring.signal(1, 71, SIGUSR2)
    ring.exit(0, 70, READ, 2, items=item(1, layout.KIND_BUFFER, b"\1\xff", flags=layout.ITEM_OUT))
    ring.enter(1, 71, CLOSE, 3)
    ring.exit(1, 71, CLOSE, 0)
    ring.task_exit(0, 72, 9, 0)
    ring.enter(1, 71, GETPPID)
    return ring.snapshot()


def rendering(*argv: str) -> Rendering:
    made: Rendering = parsed.main(list(argv), standalone_mode=False)
    made.check()
    return made


def shown(*argv: str) -> list[str]:
    """Returns the lines of `show -o strace`, with single spaces."""
    return [re.sub(" +", " ", line) for line in rendering("-o", "strace", *argv).lines(recorded())]


def shown_by(*argv: str) -> list[str]:
    return list(rendering(*argv).lines(recorded()))


def calls(*argv: str) -> list[str]:
    """Returns thread and name of each call among the lines."""
    return [match[1] for line in shown(*argv) if (match := re.match(r"(\d+ \w+)\(", line))]


def test_strace_writes_halves_and_ends() -> None:
    lines = shown()
    assert lines[0] == "70 read(5 <unfinished ...>"
    assert lines[1] == "72 read(6 <unfinished ...>"
    assert '70 <... read resumed>, "\\1\\377", 9) = 2' in lines
    assert lines[-3:] == [
        "72 <... read resumed> <unfinished ...>) = ?",
        "72 +++ killed by SIGKILL +++",
        "71 getppid( <unfinished ...>",
    ]


@pytest.mark.parametrize(
    ("argv", "left"),
    [
        (("-e", "trace=openat"), ["71 openat", "71 openat"]),
        (("-e", "openat,close"), ["71 openat", "71 openat", "71 close"]),
        (("-e", "%file"), ["71 openat", "71 openat"]),
        (("-e", "t=!%desc"), ["71 getppid"]),
        (("-e", "trace=/^(get|cl)"), ["71 close", "71 getppid"]),
        (("-e", "trace=none"), []),
        (("-e", "!all"), []),
        (("-e", "trace=close@64"), ["71 close"]),
        (("-e", "trace=close@32"), []),
        (("-e", "trace=close@x32"), []),
        (("-e", "trace=/^clo@64,%net"), ["71 close"]),
        (("-e", "?nonsense,close"), ["71 close"]),
        (("-z",), ["70 read", "71 openat", "71 read", "71 close"]),
        (("-Z",), ["71 openat"]),
        (("-e", "status=!successful,failed"), ["72 read", "71 getppid"]),
        (("-e", "status=unfinished"), ["72 read", "71 getppid"]),
        (("-e", "status=detached"), ["71 getppid"]),
        (("-e", "status=!unfinished,successful"), ["71 openat"]),
        (("-e", "trace=,close,,getppid"), ["71 close", "71 getppid"]),
        (("-e", "file"), ["71 openat", "71 openat"]),
        (("-e", "trace=!!close"), ["71 close"]),
        (("-P", "/etc/hosts"), ["71 openat", "71 read", "71 close"]),
        (("-P", "/etc/none", "-P", "/etc/hosts", "-Z"), ["71 openat"]),
        (("-e", "trace=close", "-e", "trace=getppid"), ["71 getppid"]),  # the last one counts
    ],
)
def test_what_is_picked(argv: tuple[str, ...], left: list[str]) -> None:
    assert calls(*argv) == left


def on_paths() -> Snapshot:
    """Records process 7, which opens, dups, forks, polls, writes the path, closes; 8 inherits; 9 had it open before."""
    ring = RingWriter(1 << 20, 1 << 14)
    ring.now_ns = 5_000_000
    for pid in (7, 8, 9):
        ring.name(pid, pid, "work")

    def done(pid: int, name: str, *registers: int, result: int = 0, items: bytes = b"") -> None:
        ring.enter(0, pid, NUMBERS[name], *registers, items=items)
        ring.exit(0, pid, NUMBERS[name], result)

    def path(index: int, text: bytes) -> bytes:
        return item(index, layout.KIND_STRING, text)

    done(9, "lseek", 4, 0, 0)
    done(7, "chdir", 1, items=path(0, b"/etc"))
    done(7, "openat", AT_FDCWD, 16, 0, 0, result=3, items=path(1, b"hosts"))
    done(7, "dup", 3, result=5)
    done(7, "fsync", 5)
    done(7, "write", 1, 16, 10, result=10, items=item(1, layout.KIND_BUFFER, b"/etc/hosts"))
    done(7, "poll", 16, 2, 0, items=item(0, layout.KIND_BUFFER, pack("<ihhihh", 1, 1, 0, 5, 1, 0)))
    done(7, "select", 6, 16, 0, 0, 0, items=item(1, layout.KIND_BUFFER, bytes([1 << 5, 0, 0, 0, 0, 0, 0, 0])))
    done(7, "pselect6", 5, 16, 0, 0, 0, 0, items=item(1, layout.KIND_BUFFER, bytes([1 << 5, 0, 0, 0, 0, 0, 0, 0])))
    done(7, "fork", result=8)
    ring.exit(0, 8, NUMBERS["fork"], 0)
    done(7, "close", 3)
    done(7, "read", 3, 16, 1, result=-9)
    done(8, "fsync", 3)
    done(8, "fsync", 4)
    done(7, "unlink", 1, items=path(0, b"/etc/passwd"))
    return replace(
        ring.snapshot(),
        open_files=OpenFiles(1, 2, {9: Process(b"/", b"/", {4: (b"/etc/hosts", False), 5: (b"/dev/null", False)})}),
    )


@pytest.mark.parametrize(
    ("argv", "left"),
    [
        (
            ("-P", "/etc/hosts"),
            ["9 lseek", "7 dup", "7 fsync", "7 poll", "7 select", "7 close", "8 fsync"],
        ),
        (("-P", "/etc/passwd", "-P", "/etc"), ["7 chdir", "7 unlink"]),
        (("-P", "/etc/hosts", "-e", "fsync,unlink"), ["7 fsync", "8 fsync"]),
        (("-P", "hosts", "-e", "!poll,select"), ["7 openat", "7 dup", "7 fsync", "7 close", "8 fsync"]),
        (("-P", "/dev/null"), []),
    ],
)
def test_a_path_is_also_what_a_descriptor_stands_for(argv: tuple[str, ...], left: list[str]) -> None:
    lines = list(rendering("-o", "strace", *argv).lines(on_paths()))
    assert [re.sub(" +", " ", line.partition("(")[0]) for line in lines if "(" in line] == left
    assert not any("<" in line for line in lines)  # not without -y
    assert all("</etc/hosts>" in line for line in rendering("-P", "/etc/hosts", "-y", "-e", "fsync").lines(on_paths()))


def test_jsonl_says_what_descriptors_stand_for() -> None:
    def made(*argv: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in rendering("-o", "jsonl", *argv).lines(on_paths())]

    plain, named = made(), made("-y")
    assert plain == [{key: event[key] for key in event if key not in ("fds", "ret_fd")} for event in named]
    found = [(event["syscall"], event.get("fds"), event.get("ret_fd")) for event in named]
    assert ("openat", {"AT_FDCWD": "/etc"}, "/etc/hosts") in found
    assert ("dup", {"3": "/etc/hosts"}, "/etc/hosts") in found
    assert ("poll", {"5": "/etc/hosts"}, None) in found
    assert ("unlink", None, None) in found


def test_calls_that_the_kernel_named_can_be_picked() -> None:
    ring = RingWriter()
    ring.enter(0, 7, 500, 3)
    ring.exit(0, 7, 500, 0)
    later = replace(ring.snapshot(), syscalls={500: Syscall("brand_new", (Param("fd", "int"),))})
    for argv in (("?brand_new",), ("?/^brand",), ("!read",), ("/^brand|^read",)):
        (line,) = rendering("-o", "strace", "-e", *argv).lines(later)
        assert "brand_new(3)" in line
    assert not list(rendering("-o", "strace", "-e", "!?brand_new").lines(later))
    with pytest.raises(click.UsageError, match="invalid system call 'brand_new'"):
        rendering("-e", "brand_new")


def test_halves_between_which_nothing_is_left_are_one_line() -> None:
    lines = shown("-e", "trace=read", "-e", "signal=none", "-P", "/none")
    assert lines == ["72 +++ killed by SIGKILL +++"]
    assert shown("-e", "signal=USR2,1", "-e", "trace=none") == ["71 --- SIGUSR2 ---", "72 +++ killed by SIGKILL +++"]


def test_a_killed_call_that_waited_for_its_outcome() -> None:
    assert shown("-e", "status=unfinished", "-e", "signal=none") == [
        "72 read(6 <unfinished ...>) = ?",  # as strace, which prints outputs when the call has returned
        "72 +++ killed by SIGKILL +++",
        "71 getppid( <unfinished ...>",
    ]


def test_a_killed_call_reads_the_same_whichever_signals_are_picked() -> None:
    ring = RingWriter()
    ring.enter(0, 7, RT_SIGSUSPEND, 16, 8)
    ring.exit(0, 7, RT_SIGSUSPEND, -514)
    ring.signal(0, 7, SIGKILL)
    ring.task_exit(0, 7, SIGKILL)
    snapshot = ring.snapshot()
    lines = [list(rendering("-o", "strace", *argv).lines(snapshot)) for argv in ((), ("-e", "signal=none"))]
    assert lines[0] == lines[1]
    assert [re.sub(" +", " ", line) for line in lines[0]] == [
        "7 rt_sigsuspend(0x10, 8) = ?",
        "7 +++ killed by SIGKILL +++",
    ]


def test_a_call_that_the_kernel_interrupted_to_end_its_thread_is_unfinished() -> None:
    """The kernel has it return ERESTARTSYS, which no program sees: it has not failed."""
    ring = RingWriter()
    ring.enter(0, 7, READ, 5, 0x1000, 1)
    ring.exit(0, 7, READ, -512)
    ring.signal(0, 7, SIGKILL)
    ring.task_exit(0, 7, SIGKILL)
    for chosen, calls in (
        (("-e", "status=unfinished"), 1),
        (("-e", "status=failed"), 0),
        (("-Z",), 0),
        (("--where", "failed"), 0),
        (("-e", "status=!unfinished"), 0),
    ):
        lines = list(rendering("-o", "strace", *chosen).lines(ring.snapshot()))
        assert [line for line in lines if "read" in line] == ["7     read(5 <unfinished ...>)          = ?"] * calls


def interleaved() -> Snapshot:
    """Thread 7 waits while 8 reads in vain, again and again; its own call fails last; 9 still waits."""
    ring = RingWriter(1 << 20, 1 << 14)
    for tid in (7, 8, 9):
        ring.name(tid, 7, "work")
    ring.enter(0, 9, READ, 9, 0x1000, 1)
    ring.enter(0, 7, READ, 5, 0x1000, 1)
    for n in range(3):
        ring.enter(1, 8, CLOSE, 100 + n)
        ring.exit(1, 8, CLOSE, -9)
    ring.exit(0, 7, READ, -9)
    ring.enter(1, 8, CLOSE, 104)
    ring.exit(1, 8, CLOSE, -9)
    return ring.snapshot()


@pytest.mark.parametrize("output", ["short", "classic", "strace"])
@pytest.mark.parametrize("argv", [("-Z",), ("-e", "status=!successful"), ("-e", "status=unfinished")])
def test_what_is_picked_by_outcome_comes_in_the_order_of_time(output: str, argv: tuple[str, ...]) -> None:
    times = ("-ttt",) if output == "strace" else ()
    lines = list(rendering("-o", output, *argv, *times).lines(interleaved()))
    at = [line.split()[1 if output == "strace" else 0] for line in lines]
    assert len(at) == {"-Z": 5, "status=!successful": 6, "status=unfinished": 1}[argv[-1]]
    assert at == sorted(at)


def test_layout() -> None:
    def line(*argv: str) -> str:
        return next(iter(rendering("-o", "strace", "-e", "trace=close", "-e", "signal=none", *argv).lines(snapshot)))

    snapshot = replace(recorded(), boot_offset_ns=1_700_000_000_123_456_000)
    assert line() == "71    close(3)                          = 0"
    assert line("-a", "0") == "71    close(3) = 0"
    assert line("-T") == "71    close(3)                          = 0 <0.000001>"
    seconds, zone = 1_700_000_000, time.localtime(1_700_000_000).tm_gmtoff
    of_day = time.strftime("%H:%M:%S", time.gmtime(seconds + zone))
    assert line("-t", "-a0") == f"71    {of_day} close(3) = 0"
    assert re.fullmatch(rf"71    {of_day}\.124\d{{3}} close\(3\) = 0", line("-tt", "-a0"))
    assert re.fullmatch(r"71    1700000000\.124\d{3} close\(3\) = 0", line("-ttt", "-a0"))
    assert line("--relative-timestamps", "-a0") == "71         0.000000 close(3) = 0"
    assert re.fullmatch(
        r"71    1700000000\.124\d{3} \(\+     0\.000000\) close\(3\) = 0", line("--relative-timestamps", "-ttt", "-a0")
    )


def test_values() -> None:
    def read(*argv: str) -> str:
        return next(line for line in shown("-e", "trace=read", "-z", *argv) if line.startswith("71"))

    assert read() == '71 read(3, "127.0.0.1", 100) = 9'
    assert read("-s", "3") == '71 read(3, "127"..., 100) = 9'
    assert '"\\x31\\x32\\x37' in read("-xx")
    assert read("-x") == read()
    (binary,) = (line for line in shown("-e", "trace=read", "-z", "-x") if line.startswith("70"))
    assert '"\\x01\\xff"' in binary
    (line,) = (
        line
        for line in rendering("-s", "3", "-z", "-e", "read", "-e", "signal=none").lines(recorded())
        if "127" in line
    )
    assert 'buf="127"...' in line


def test_summary() -> None:
    lines = list(rendering("-c").lines(recorded()))
    rows = {fields[-1]: fields for fields in (line.split() for line in lines[2:])}
    assert rows["read"][3] == "3"
    assert rows["openat"][3:] == ["2", "1", "openat"]
    assert rows["getppid"][1:] == ["0.000000", "0", "1", "getppid"]
    assert rows["total"][0] == "100.00"
    assert rows["total"][3:] == ["7", "1", "total"]


def test_summary_behind_the_lines() -> None:
    for output in ("short", "strace", "classic"):
        lines, table = shown_by("-o", output), shown_by("-c")
        assert shown_by("-o", output, "-C") == lines + table
    assert shown_by("-C", "-e", "close", "-e", "signal=none")[-1].split()[3:] == ["1", "total"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("-e", "trace=nosuch"), "-e: invalid system call 'nosuch'."),
        (("-e", "trace=%nosuch"), "-e: invalid system call '%nosuch'."),
        (("-e", "trace=/("), "-e: invalid regular expression '('"),
        (("-e", "status=good"), "-e: invalid status 'good'."),
        (("-e", "signal=GOOD"), "-e: invalid signal 'GOOD'."),
        (("-e", "fault=3"), "-e takes trace=, status=, signal=, read=, write= or verbose=, not fault=."),
        (("-e", "read=x"), "-e: invalid descriptor 'x'."),
        (("-o", "strace", "-e", "verbose=nosuch"), "-e: invalid system call 'nosuch'."),
        (
            ("-o", "strace", "--absolute-timestamps", "iso"),
            "--absolute-timestamps takes none, time, unix, s, ms, us and ns, not 'iso'.",
        ),
        (("-z", "-Z"), "-z and -Z are mutually exclusive."),
        (("-c", "-C"), "-c and -C are mutually exclusive."),
        (("-C", "-o", "json"), "-C works only with -o short, -o strace and -o classic."),
        (("-C", "-o", "jsonl"), "-C works only with -o short, -o strace and -o classic."),
        (("-o", "jsonl", "-T"), "-T works only with -o short, -o strace and -o classic."),
        (("-N",), "-N works only with -o strace."),
        (("-o", "classic", "-s", "3"), "-s works only with -o short and -o strace."),
        (("-o", "classic", "-y"), "-y works with every format except -o classic."),
        (("-o", "jsonl", "-X", "raw"), "-X works only with -o short and -o strace."),
    ],
)
def test_usage(argv: tuple[str, ...], message: str) -> None:
    with pytest.raises(click.UsageError) as error:
        rendering(*argv)
    assert error.value.message.startswith(message)


def test_every_class_is_one_of_known_calls() -> None:
    known = [(call.name, compat) for compat in (False, True) for call in table(compat).values()]
    for name in ("file", "network", "process", "desc", "memory", "signal", "ipc", "creds", "clock", "pure", "%stat"):
        members, others = trace_set(f"%{name}"), trace_set(f"!%{name}")
        assert any(members(*call) for call in known)
        assert all(members(*call) is not others(*call) for call in known)
    stat, stat64 = ("stat", False), ("stat64", True)
    assert trace_set("file")(*stat)
    assert (trace_set("stat")(*stat), trace_set("stat")(*stat64)) == (True, False)  # a call, before a class
    assert trace_set("%stat")(*stat64)
    assert status_set("all") == status_set("!none")
    assert signal_set("!USR1") == set(range(1, 65)) - {SIGUSR1}


def test_jsonl_has_strace_s_text() -> None:
    made = [json.loads(line) for line in rendering("-o", "jsonl", "-e", "openat,read").lines(recorded())]
    opened = next(event for event in made if event["syscall"] == "openat" and event["errno"])
    assert opened["ret_text"] == "-1 ENOENT (No such file or directory)"
    assert [arg["text"] for arg in opened["args"]][1] == '"/etc/none"'
    read = next(event for event in made if event["syscall"] == "read" and event["ret"] == 9)
    assert [arg["text"] for arg in read["args"]] == ["3", '"127.0.0.1"', "100"]


@pytest.mark.parametrize("argv", [(), ("-e", "openat,read")])
def test_json_is_the_objects_of_jsonl_in_one_array(argv):
    lines = [json.loads(line) for line in rendering("-o", "jsonl", *argv).lines(recorded())]
    assert lines
    assert json.loads("\n".join(rendering("-o", "json", *argv).lines(recorded()))) == lines


def test_json_of_nothing_is_an_empty_array():
    assert list(jsonl.array(())) == ["[]"]


def ipc() -> Snapshot:
    ring = RingWriter()
    ring.enter(0, 7, NUMBERS["semget"], 0, 1, 0)
    ring.exit(0, 7, NUMBERS["semget"], 5)
    return ring.snapshot()


@pytest.mark.parametrize("word", ["ipc", "%ipc"])
def test_a_class_may_be_named_without_its_sign_where_a_call_has_that_name(word: str) -> None:
    (line,) = rendering("-o", "strace", "-e", word).lines(ipc())
    assert "semget(" in line


@pytest.mark.parametrize("text", ["", ",", "!,"])
def test_a_set_of_nothing_is_refused(text: str) -> None:
    with pytest.raises(click.UsageError, match="empty set"):
        rendering("-e", f"trace={text}")


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        ((), "71 close(3) = 0"),
        (("--absolute-timestamps", "unix,ms"), "71 0.001 close(3) = 0"),
        (("--absolute-timestamps", "format:unix,precision:ns"), "71 0.001012000 close(3) = 0"),
        (("--absolute-timestamps=unix",), "71 0 close(3) = 0"),
        (("-ttt",), "71 0.001012 close(3) = 0"),
        (("--relative-timestamps",), "71 0.000002 close(3) = 0"),
        (("--relative-timestamps=ns",), "71 0.000002000 close(3) = 0"),
        (("-T",), "71 close(3) = 0 <0.000001>"),
        (("--syscall-times",), "71 close(3) = 0 <0.000001>"),
        (("--syscall-times=ns",), "71 close(3) = 0 <0.000001000>"),
        (("--syscall-times=s",), "71 close(3) = 0 <0>"),
        (("--syscall-number",), "71 [ 3] close(3) = 0"),
        (("-ttt", "--syscall-number"), "71 0.001012 [ 3] close(3) = 0"),
        (("-N",), "71 close(fd=3) = 0"),
        (("-Y",), "71<work> close(3) = 0"),
    ],
)
def test_what_stands_before_a_call(argv: tuple[str, ...], shown: str) -> None:
    (line,) = (line for line in rendering("-o", "strace", "-e", "close", *argv).lines(recorded()) if "close" in line)
    assert re.sub(" +", " ", line) == shown


def test_a_threads_name_does_not_end_where_it_contains_brackets() -> None:
    ring = RingWriter()
    ring.name(7, 7, "foo<bar>")
    ring.enter(0, 7, NUMBERS["getppid"])
    ring.exit(0, 7, NUMBERS["getppid"], 1)
    (line,) = rendering("-o", "strace", "-Y").lines(ring.snapshot())
    assert line.startswith(r"7<foo\74bar\76> getppid()")  # as strace escapes them


def test_names_of_arguments_are_those_of_the_order_that_is_printed() -> None:
    ring = RingWriter()
    ring.enter(0, 7, NUMBERS["clone"], 0x11, 0, 0, 0, 0)
    ring.exit(0, 7, NUMBERS["clone"], 8)
    ring.enter(0, 7, NUMBERS["openat"], AT_FDCWD, 16, 0, 0, items=item(1, layout.KIND_STRING, b"/x"))
    ring.exit(0, 7, NUMBERS["openat"], 3)
    first, second = rendering("-o", "strace", "-N").lines(ring.snapshot())
    assert "clone(child_stack=NULL, flags=SIGCHLD)" in first
    assert 'openat(dfd=AT_FDCWD, filename="/x", flags=O_RDONLY)' in second


def moved() -> Snapshot:
    """Thread 7 reads from 3 and writes to 1, more than was recorded; and writes a vector."""
    ring = RingWriter()
    data = b"hello\1 world this is a longer text\n"
    ring.enter(0, 7, READ, 3, 0x1000, 100)
    ring.exit(0, 7, READ, len(data), items=item(1, layout.KIND_BUFFER, data, flags=layout.ITEM_OUT))
    written = item(1, layout.KIND_BUFFER, b"hi", size=22, flags=layout.ITEM_MORE)
    ring.enter(0, 7, NUMBERS["write"], 1, 0x1000, 22, items=written)
    ring.exit(0, 7, NUMBERS["write"], 22)
    array = item(1, layout.KIND_IOVEC, pack("<4Q", 0x1000, 2, 0x2000, 1))
    parts = item(1, layout.KIND_BUFFER, b"ab") + item(1, layout.KIND_BUFFER, b"c", sub=1)
    ring.enter(0, 7, NUMBERS["writev"], 1, 0x3000, 2, items=array + parts)
    ring.exit(0, 7, NUMBERS["writev"], 3)
    return ring.snapshot()


def test_data_are_dumped_as_strace_dumps_them() -> None:
    """The first lines are those of strace 6.1 for these bytes."""
    lines = list(rendering("-o", "strace", "-e", "read=3", "-e", "write=all").lines(moved()))
    assert [line for line in lines if line.startswith(" ")] == [
        " | 00000  68 65 6c 6c 6f 01 20 77  6f 72 6c 64 20 74 68 69  hello. world thi |",
        " | 00010  73 20 69 73 20 61 20 6c  6f 6e 67 65 72 20 74 65  s is a longer te |",
        " | 00020  78 74 0a                                          xt.              |",
        " | 00000  68 69                                             hi               |",
        " | (20 bytes more were not recorded)",
        " * 2 bytes in buffer 0",
        " | 00000  61 62                                             ab               |",
        " * 1 bytes in buffer 1",
        " | 00000  63                                                c                |",
    ]
    assert not [line for line in rendering("-o", "strace", "-e", "read=4").lines(moved()) if line.startswith(" ")]
    assert len(list(rendering("-o", "strace", "-e", "read=!4").lines(moved()))) == 6


def test_structs_of_calls_that_are_not_named_are_addresses() -> None:
    ring = RingWriter()
    for name in ("bind", "connect"):
        inet = item(1, layout.KIND_BUFFER, pack("<H", 2) + b"\0\x50\x7f\0\0\1" + bytes(8))
        ring.enter(0, 7, NUMBERS[name], 3, 0x5000, 16, items=inet)
        ring.exit(0, 7, NUMBERS[name], 0)
    ring.enter(0, 7, NUMBERS["chdir"], 16, items=item(0, layout.KIND_STRING, b"/x"))
    ring.exit(0, 7, NUMBERS["chdir"], 0)
    lines = list(rendering("-o", "strace", "-e", "verbose=connect").lines(ring.snapshot()))
    assert "bind(3, 0x5000, 16)" in lines[0]
    assert "connect(3, {sa_family=AF_INET" in lines[1]
    assert 'chdir("/x")' in lines[2]
    (line, *_) = rendering("-o", "strace", "-e", "verbose=none").lines(ring.snapshot())
    assert "bind(3, 0x5000, 16)" in line


def test_bytes_that_are_not_printable_in_hexadecimal() -> None:
    lines = list(rendering("-o", "strace", "--strings-in-hex", "non-ascii-chars").lines(moved()))
    assert r'read(3, "hello\x01 world this is a longer te"...' in lines[0]
    assert r'"\x68\x69"' in list(rendering("-o", "strace", "--strings-in-hex", "all").lines(moved()))[1]
