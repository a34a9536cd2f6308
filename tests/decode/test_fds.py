# SPDX-License-Identifier: Apache-2.0
"""The files that descriptors stand for: named where the trace shows them, and nowhere else."""

from __future__ import annotations

from struct import pack
from typing import Any

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

import click
from fdtrace import (
    AT_FDCWD,
    CLONE_FILES,
    CLONE_FS,
    CLONE_THREAD,
    CLONE_VM,
    EBADF,
    EINPROGRESS,
    EIO,
    NUMBERS,
    O_CLOEXEC,
    O_TMPFILE,
    ROOT,
    Trace,
)
from hypothesis import given
from hypothesis import strategies as st
from ringwriter import RingWriter, item

from traceloop_cli.options.rendering import Rendering, rendering_options
from traceloop_decode import layout
from traceloop_decode.descriptors.follow import known
from traceloop_decode.descriptors.paths import Place, join
from traceloop_decode.model import Call, Entered, Event, Item, Lost, Returned, TaskExit
from traceloop_decode.open_files import OpenFiles, Process
from traceloop_decode.syscalls import X86_64
from traceloop_decode.text import strace


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
        (Place.of(b"/tmp"), b"f", b"/tmp/f"),
        (Place.of(b"/tmp"), b".//d/./f/", b"/tmp/d/f"),
        (Place.of(b"/tmp"), b"/f", b"/f"),
        (Place.of(b"/a/b", real=True), b"../c", b"/a/c"),
        (Place.of(b"/a/link"), b"../c", b"/a/link/../c"),
        (Place.of(b"/a", real=True), b"link/../c", b"/a/link/../c"),
        (ROOT, b"../..", b"/"),
        (None, b"f", None),
        (None, b"/", b"/"),
        (ROOT, b"", None),
        (ROOT, b"proc/self/maps", None),
        (ROOT, b"/dev/stdin", None),
        (ROOT, b"/dev/fd/3", None),
        (ROOT, b"/proc/7/task/7/fd/3", None),
        (ROOT, b"/proc/stat", b"/proc/stat"),
        (ROOT, b"/proc/7/fd\n", b"/proc/7/fd\n"),
        (ROOT, b"/proc/a\n/fd/3", None),
        (ROOT, b"/tmp/../proc/self/exe", None),
        (ROOT, b"/tmp/x/../../proc/7/./cwd/../f", None),
        (ROOT, b"/tmp/../dev/null", b"/tmp/../dev/null"),
        (Place.of(b"/tmp/.."), b"dev/stdin", None),
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


@pytest.mark.parametrize(
    ("cwd", "path", "expected"),
    [
        (None, b"/proc/self/fd/3", None),
        (None, b"/dev/stdin", None),
        (None, b"/a/../proc/7/exe", None),
        (Place.of(b"/jail/proc"), b"self/maps", None),
        (Place.of(b"/proc"), b"self/maps", None),  # not below the root
        (None, b"/f", b"/jail/f"),
        (Place.of(b"/jail/a"), b"proc/self", b"/jail/a/proc/self"),
    ],
)
def test_paths_of_a_process_with_another_root(cwd: Place | None, path: bytes, expected: bytes | None) -> None:
    found = join(cwd, Place.of(b"/jail"), path)
    assert (found.path if found is not None else None) == expected


@pytest.mark.parametrize("flags", [0, 0x20000, 0x4020000])  # any; CLONE_NEWNS, also with CLONE_NEWUTS
def test_directories_of_another_mount_namespace_are_not_known(flags: int) -> None:
    trace = Trace()
    trace.call("chdir", b"/old")
    trace.call("setns", 5, flags)
    trace.open(b"rel", 3)
    assert trace.fd(3) == ""


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
    assert trace.fd(3, tid=9) == ""  # unknown: that clone's child has been found


def test_a_child_of_one_of_several_has_what_they_agree_on() -> None:
    trace = Trace()
    trace.open(b"/f", 3)
    trace.open(b"/g", 4)
    trace.call("fork", result=2)  # in the numbers of a PID namespace
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


THREAD = CLONE_VM | CLONE_THREAD | CLONE_FILES | CLONE_FS


def split() -> Trace:
    """Two threads, 7 in /two and 8 in /one, which have descriptors in common."""
    trace = Trace()
    trace.call("clone", THREAD, result=8)
    trace.child(8, name="clone", pid=7)
    trace.call("chdir", b"/one")
    trace.call("unshare", CLONE_FS)
    trace.call("chdir", b"/two")
    trace.call("clone", THREAD, result=-11)
    return trace


@pytest.mark.parametrize(("maker", "expected"), [(7, "</two/rel>"), (8, "</one/rel>")])
def test_a_thread_shares_what_its_maker_has(maker: int, expected: str) -> None:
    trace = split()
    trace.call("clone", THREAD, result=9, tid=maker)
    trace.child(9, name="clone", pid=7)
    trace.open(b"rel", 3, tid=9)
    assert trace.fd(3, tid=9) == expected
    trace.call("chdir", b"/three", tid=9)
    trace.open(b"rel", 4, tid=maker)
    assert trace.fd(4) == "</three/rel>"


def test_a_thread_older_than_the_trace_did_not_unshare() -> None:
    trace = split()
    trace.open(b"rel", 3, tid=9)
    assert trace.fd(3) == "</one/rel>"


def test_of_a_thread_that_may_be_of_two_makers_only_what_both_have_is_known() -> None:
    trace = split()
    for maker in (7, 8):
        trace.call("clone", THREAD, result=2, tid=maker)
    for thread in (9, 10):
        trace.child(thread, name="clone", pid=7)
        for path in (b"rel", b"/f"):
            trace.open(path, 3, tid=thread)
            assert trace.fd(3) == ""  # the other may have changed its root
    trace.call("chdir", b"/three", tid=9)
    trace.open(b"rel", 4, tid=8)
    assert trace.fd(4) == ""
    trace.call("memfd_create", b"a", 0, result=5, tid=10)
    assert trace.fd(5) == r"</memfd:a>(deleted)"
    trace.call("unshare", CLONE_FILES, tid=8)
    for maker in (7, 8):
        trace.call("clone", THREAD, result=2, tid=maker)
    trace.child(11, name="clone", pid=7)
    trace.call("memfd_create", b"a", 0, result=6, tid=11)
    assert [trace.fd(fd, tid) for fd in (5, 6) for tid in (7, 8, 11)] == [""] * 6
    trace.call("execve", b"/x")
    trace.call("memfd_create", b"a", 0, result=6)
    trace.child(12, name="clone", pid=7)
    assert trace.call("close", 6, tid=12).startswith("12 close(6</memfd:a>(deleted))")


@pytest.mark.parametrize("name", ["fork", "vfork", "clone", "clone3"])
def test_the_first_event_of_a_child_or_thread_takes_nothing_from_it(name: str) -> None:
    trace = Trace()
    trace.open(b"/f", 3)
    trace.call(name, *((bytes(88), 88) if name == "clone3" else ()), result=8)
    trace.child(8, name=name)
    assert trace.call("close", 3, tid=8, pid=8).startswith("8 close(3</f>)")
    trace.child(9, name=name, pid=7)
    assert trace.call("close", 3, tid=9, pid=7).startswith("9 close(3</f>)")
    assert trace.fd(3) == ""


def test_what_a_split_call_shows() -> None:
    trace = Trace()
    trace.open(b"/f", 3)
    read, opened = trace.made("read", 3, 0, 9, result=None), trace.made("openat", AT_FDCWD, b"g", result=None, tid=8)
    assert "read(3</f> <unfinished ...>" in trace.line(Entered(read))
    trace.call("chdir", b"/a", tid=8)
    trace.table.observe(Entered(opened))
    trace.call("close", 3)
    trace.open(b"/g", 3)
    returned = trace.table.observe(Returned(read._replace(result=0)))
    assert isinstance(returned, Returned)
    assert "read(3</f>," in " ".join(strace.lines([returned.call], trace.snapshot))  # joined, as a filter does
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
    assert trace.call("pidfd_open", 7, 0, result=9).endswith("9<anon_inode:[pidfd]>")
    assert trace.call("landlock_create_ruleset", 0x1000, 8, 0, result=10).endswith("10<anon_inode:[landlock-ruleset]>")
    assert trace.call("landlock_create_ruleset", 0, 0, 1, result=6).endswith("= 6")  # a version
    assert trace.call("bpf", 0, 0x1000, 72, result=11).endswith("11<anon_inode:bpf-map>")
    assert trace.call("bpf", 1, 0x1000, 72, result=0).endswith("= 0")
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
