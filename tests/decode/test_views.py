# SPDX-License-Identifier: Apache-2.0
"""Views of a trace: what each row says, for rings written by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.descriptors.follow import known
from traceloop_decode.events import events
from traceloop_decode.model import Call, Event
from traceloop_decode.open_files import OpenFiles, Process
from traceloop_decode.selection.select import STATUSES, Selection, selected
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import table
from traceloop_decode.views.files import files
from traceloop_decode.views.moved import moved
from traceloop_decode.views.net import net
from traceloop_decode.views.processes import processes
from traceloop_decode.views.slow import slow
from traceloop_decode.views.stdio import stdio
from traceloop_decode.views.summary import BY, summary
from traceloop_decode.views.table import Losses, Table, limited

NR = {call.name: number for number, call in table(compat=False).items()}
AT_FDCWD = (1 << 64) - 100
ENOENT, EACCES, EINTR, ECONNREFUSED, EINPROGRESS, EADDRINUSE = 2, 13, 4, 111, 115, 98
ECONNRESET = 104
SIGTERM, SIGKILL = 15, 9
O_CREAT = 0o100
View = Callable[[Iterable[Event], Snapshot], Table]


class Ring(RingWriter):
    """A ring in which calls are written whole."""

    def __init__(self) -> None:
        super().__init__(1 << 20, 1 << 14)

    def call(self, tid: int, name: str, *registers: int, result: int = 0, items: bytes = b"", out: bytes = b"") -> None:
        self.enter(0, tid, NR[name], *registers, items=items)
        self.exit(0, tid, NR[name], result, items=out)

    def open(self, tid: int, path: bytes, result: int, flags: int = 0, dirfd: int = AT_FDCWD) -> None:
        self.call(tid, "openat", dirfd, 16, flags, 0, result=result, items=item(1, layout.KIND_STRING, path))

    def write(self, tid: int, fd: int, data: bytes, *, size: int = 0, result: int | None = None) -> None:
        flags = layout.ITEM_MORE if size else 0
        buffer = item(1, layout.KIND_BUFFER, data, size=size or len(data), flags=flags)
        self.call(
            tid,
            "write",
            fd,
            16,
            size or len(data),
            result=size or len(data) if result is None else result,
            items=buffer,
        )


def rows(view: View, ring: RingWriter, *columns: str, at_first: OpenFiles | None = None) -> list[tuple[Any, ...]]:
    """Returns the rows of a view of a ring, or those columns of them."""
    snapshot = replace(ring.snapshot(), open_files=at_first)
    found = known(events(snapshot), snapshot.open_files, sockets=True)
    made = view(selected(found, Selection(statuses=STATUSES), by_return=True), snapshot)
    names = [column.name for column in made.columns]
    assert all(len(row) == len(names) for row in made.rows)
    return [tuple(row[names.index(name)] for name in columns or names) for row in made.rows]


def inet(host: bytes, port: int) -> bytes:
    return pack("<H", 2) + pack(">H", port) + host + bytes(8)


# --- files ----------------------------------------------------------------------------------------------------------


def test_files_in_the_order_of_their_first_use() -> None:
    ring = Ring()
    ring.call(7, "chdir", 16, items=item(0, layout.KIND_STRING, b"/srv"))
    ring.open(7, b"app.conf", -ENOENT)
    ring.open(7, b"./app.conf", -ENOENT)
    ring.open(7, b"/etc/shadow", -EACCES)
    ring.open(7, b"log", 3, O_CREAT)
    ring.write(7, 3, b"hello")
    ring.call(7, "read", 3, 16, 10, result=4)
    ring.open(7, b"/etc", 4)
    ring.open(7, b"hosts", 5, dirfd=4)
    ring.call(7, "stat", 16, 16, items=item(0, layout.KIND_STRING, b"/looked/at"))
    ring.call(7, "stat", 16, 16, result=-ENOENT, items=item(0, layout.KIND_STRING, b"/not/there"))
    ring.call(7, "rename", 16, 16, items=two(b"log", b"/var/old.log"))
    ring.call(7, "unlink", 16, items=item(0, layout.KIND_STRING, b"/var/old.log"))
    # opened, created, removed, missing, errors, read, written
    assert rows(files, ring) == [
        (0, 0, 0, 2, "", 0, 0, "/srv/app.conf"),
        (0, 0, 0, 0, "EACCES", 0, 0, "/etc/shadow"),
        (0, 1, 1, 0, "", 4, 5, "/srv/log"),
        (1, 0, 0, 0, "", 0, 0, "/etc"),
        (1, 0, 0, 0, "", 0, 0, "/etc/hosts"),
        (0, 0, 0, 1, "", 0, 0, "/not/there"),
        (0, 1, 1, 0, "", 0, 0, "/var/old.log"),
    ]


def test_a_path_whose_beginning_is_not_known_stays_relative() -> None:
    ring = Ring()
    ring.open(7, b"app.conf", -ENOENT)
    assert rows(files, ring, "path") == [("app.conf",)]


def two(first: bytes, second: bytes, at: tuple[int, int] = (0, 1)) -> bytes:
    return item(at[0], layout.KIND_STRING, first) + item(at[1], layout.KIND_STRING, second)


def test_an_error_counts_for_one_of_two_names_and_for_no_target() -> None:
    ring = Ring()
    ring.call(7, "rename", 16, 16, result=-ENOENT, items=two(b"/missing", b"/there"))
    ring.call(7, "linkat", AT_FDCWD, 16, AT_FDCWD, 16, 0, result=-EACCES, items=two(b"/f", b"/there", (1, 3)))
    ring.call(7, "symlink", 16, 16, result=-ENOENT, items=two(b"../lib/x", b"/nodir/l"))
    ring.call(7, "symlink", 16, 16, items=two(b"/lib/x", b"/l"))
    assert rows(files, ring, "created", "missing", "errors", "path") == [
        (0, 1, "", "/missing"),
        (0, 0, "EACCES", "/f"),
        (0, 1, "", "/nodir/l"),
        (1, 0, "", "/l"),
    ]


def test_two_files_that_exchange_their_names_are_not_removed() -> None:
    ring = Ring()
    ring.call(7, "renameat2", AT_FDCWD, 16, AT_FDCWD, 16, 2, items=two(b"/a", b"/b", (1, 3)))
    assert rows(files, ring) == []


# --- summary --------------------------------------------------------------------------------------------------------


def busy() -> Ring:
    """7 [web] writes to a file and a socket, 8 [db] fails; the longest call is 8's."""
    ring = Ring()
    ring.name(7, 7, "web")
    ring.name(8, 8, "db")
    ring.open(7, b"/data", 3, O_CREAT)
    ring.write(7, 3, b"12345")
    ring.write(7, 3, b"678")
    ring.call(7, "socket", 2, 1, 0, result=4)
    ring.call(7, "connect", 4, 16, 16, items=item(1, layout.KIND_BUFFER, inet(b"\x0a\0\0\7", 5432)))
    ring.write(7, 4, b"query")
    ring.call(7, "sendfile", 4, 3, 0, 100, result=100)
    ring.enter(0, 8, NR["read"], 5, 16, 10)
    ring.now_ns += 1_000_000
    ring.exit(0, 8, NR["read"], -EACCES)
    return ring


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (
            "call",
            {("read", 1, 1, 0, 0), ("write", 3, 0, 0, 13), ("sendfile", 1, 0, 100, 100), ("openat", 1, 0, 0, 0)}
            | {("socket", 1, 0, 0, 0), ("connect", 1, 0, 0, 0)},
        ),
        ("process", {(7, 7, 0, 100, 113), (8, 1, 1, 0, 0)}),
        ("file", {("/data", 3, 0, 100, 8)}),
        ("peer", {("10.0.0.7:5432", 2, 0, 0, 105)}),
    ],
)
def test_sums(by: str, expected: set[tuple[Any, ...]]) -> None:
    key = {"call": "call", "process": "pid", "file": "file", "peer": "peer"}[by]
    found = rows(lambda e, s: summary(e, s, by), busy(), key, "calls", "errors", "read_bytes", "written_bytes")
    assert set(found) == expected
    assert len(found) == len(expected)


def test_the_longest_time_comes_first_and_processes_have_names() -> None:
    found = rows(lambda e, s: summary(e, s, "process"), busy(), "pid", "comm", "time_ns")
    assert found[0] == (8, "db", 1_001_000)
    assert found[1][:2] == (7, "web")


def test_bytes_that_a_call_moved() -> None:
    ring = Ring()
    ring.call(7, "read", 3, 16, 10, result=-EACCES)
    ring.call(7, "splice", 3, 0, 4, 0, 9, 0, result=9)
    ring.call(7, "getpid", result=7)
    found = [event for event in events(ring.snapshot()) if isinstance(event, Call)]
    assert [moved(call) for call in found] == [(), ((3, 9, 0), (4, 0, 9)), ()]


def test_bytes_that_stay_in_a_socket_are_not_counted() -> None:
    ring = Ring()
    for flags in (2, 0x2000, 0):  # MSG_PEEK, MSG_ERRQUEUE
        ring.call(7, "recvfrom", 3, 16, 100, flags, 0, 0, result=100)
        ring.call(7, "recvmsg", 4, 16, flags, result=10)
    found = [event for event in events(ring.snapshot()) if isinstance(event, Call)]
    assert [moved(call) for call in found] == [*[()] * 4, ((3, 100, 0),), ((4, 10, 0),)]


# --- net ------------------------------------------------------------------------------------------------------------


def test_connects_listens_failures_and_bytes() -> None:
    ring = Ring()
    host = b"\x0a\0\0\7"
    ring.call(7, "socket", 2, 1, 0, result=3)
    ring.call(7, "bind", 3, 16, 16, items=item(1, layout.KIND_BUFFER, inet(bytes(4), 80)))
    ring.call(7, "listen", 3, 5)
    for port in (5001, 5002):
        client = item(1, layout.KIND_BUFFER, inet(b"\x7f\0\0\1", port), flags=layout.ITEM_OUT)
        ring.call(7, "accept4", 3, 16, 16, 0, result=4, out=client)
        ring.write(7, 4, b"hi")
    ring.call(7, "accept4", 3, 16, 16, 0, result=-11)
    ring.call(7, "socket", 2, 1, 0, result=5)
    ring.call(7, "bind", 5, 16, 16, result=-EADDRINUSE, items=item(1, layout.KIND_BUFFER, inet(bytes(4), 80)))
    peer = item(1, layout.KIND_BUFFER, inet(host, 5432))
    ring.call(7, "connect", 5, 16, 16, result=-ECONNREFUSED, items=peer)
    ring.call(7, "connect", 5, 16, 16, items=peer)
    ring.call(7, "read", 5, 16, 10, result=10)
    assert rows(net, ring) == [
        ("TCP", "listen", "0.0.0.0:80", "", "", 1, "", 0, 0),
        ("TCP", "accept", "", "127.0.0.1", "", 2, "", 4, 0),
        ("TCP", "bind", "0.0.0.0:80", "", "", 0, "EADDRINUSE", 0, 0),
        ("TCP", "connect", "", "10.0.0.7:5432", "", 2, "ECONNREFUSED", 0, 10),
    ]


def test_a_connect_that_fails_later() -> None:
    ring = Ring()
    ring.call(7, "socket", 2, 1, 0, result=3)
    peer = item(1, layout.KIND_BUFFER, inet(b"\x0a\0\0\7", 80))
    ring.call(7, "connect", 3, 16, 16, result=-EINPROGRESS, items=peer)
    for error in (0, ECONNREFUSED):
        so_error(ring, 3, error)
    ring.write(7, 3, b"sent")
    assert rows(net, ring, "peer", "count", "errors", "sent_bytes") == [("10.0.0.7:80", 1, "ECONNREFUSED", 4)]


def so_error(ring: Ring, fd: int, error: int) -> None:
    out = item(3, layout.KIND_BUFFER, pack("<i", error), flags=layout.ITEM_OUT)
    ring.call(7, "getsockopt", fd, 1, 4, 16, 16, out=out)


def test_an_accepted_connection_that_fails_was_not_connected_to() -> None:
    ring = Ring()
    ring.call(7, "socket", 2, 1, 0, result=3)
    client = item(1, layout.KIND_BUFFER, inet(b"\x0a\0\0\x09", 51234), flags=layout.ITEM_OUT)
    ring.call(7, "accept4", 3, 16, 16, 0, result=4, out=client)
    so_error(ring, 4, ECONNRESET)
    assert rows(net, ring, "role", "peer", "count", "errors") == [("accept", "10.0.0.9", 1, "ECONNRESET")]


@pytest.mark.parametrize(
    ("call", "registers", "result"),
    [("close_range", (5, 9, 0), 0), ("dup2", (3, 5), 5), ("execve", (16, 16, 0), 0), ("close", (5,), 0)],
)
def test_another_socket_of_the_same_number_is_not_that_of_the_connect(
    call: str, registers: tuple[int, ...], result: int
) -> None:
    ring = Ring()
    ring.call(7, "socket", 2, 0o2000001, 0, result=5)
    peer = item(1, layout.KIND_BUFFER, inet(b"\x0a\0\0\5", 5432))
    ring.call(7, "connect", 5, 16, 16, result=-EINPROGRESS, items=peer)
    ring.call(7, "dup", 5, result=6)
    ring.write(7, 6, b"sent")
    ring.call(7, call, *registers, result=result)
    ring.call(7, "socket", 2, 1, 0, result=5)
    ring.write(7, 5, b"10 bytes..")
    so_error(ring, 5, ECONNRESET)
    assert rows(net, ring, "peer", "errors", "sent_bytes") == [("10.0.0.5:5432", "", 4)]


def test_a_socket_that_was_disconnected_has_no_peer() -> None:
    ring = Ring()
    ring.call(7, "socket", 2, 1, 0, result=5)
    peer = item(1, layout.KIND_BUFFER, inet(b"\x0a\0\0\5", 5432))
    ring.call(7, "connect", 5, 16, 16, result=-EINPROGRESS, items=peer)
    ring.call(7, "connect", 5, 16, 16, items=item(1, layout.KIND_BUFFER, bytes(16)))  # AF_UNSPEC
    so_error(ring, 5, ECONNRESET)
    assert rows(net, ring, "peer", "errors") == [("10.0.0.5:5432", "")]


def test_names_that_were_resolved() -> None:
    ring = Ring()
    name = b"\2db\0"
    question = name + pack(">HH", 1, 1)
    answer = pack(">6H", 1, 0x8180, 1, 1, 0, 0) + question + b"\xc0\x0c" + pack(">HHIH", 1, 1, 60, 4) + b"\x0a\0\0\7"
    ring.call(7, "socket", 2, 2, 0, result=3)
    ring.call(7, "connect", 3, 16, 16, items=item(1, layout.KIND_BUFFER, inet(b"\x0a\0\0\x35", 53)))
    got = item(1, layout.KIND_BUFFER, answer, flags=layout.ITEM_OUT)
    ring.call(7, "recvfrom", 3, 16, 512, 0, 0, 0, result=len(answer), out=got)
    ring.call(7, "socket", 2, 1, 0, result=4)
    ring.call(7, "connect", 4, 16, 16, items=item(1, layout.KIND_BUFFER, inet(b"\x0a\0\0\7", 5432)))
    assert rows(net, ring, "peer", "names", "received_bytes") == [
        ("10.0.0.53:53", "", len(answer)),
        ("10.0.0.7:5432", "db", 0),
    ]


# --- stdio ----------------------------------------------------------------------------------------------------------


def test_lines_of_both_streams_in_order() -> None:
    ring = Ring()
    ring.write(7, 1, b"one\ntw")
    ring.write(7, 2, b"oops\n")
    ring.write(7, 3, b"a file\n")
    ring.write(7, 1, b"o\n", result=-EACCES)
    ring.write(7, 1, b"o\nrest")
    ring.write(8, 1, b"other\n")
    assert rows(stdio, ring, "pid", "stream", "text") == [
        (7, "out", "one"),
        (7, "err", "oops"),
        (7, "out", "two"),
        (8, "out", "other"),
        (7, "out", "rest"),
    ]
    assert rows(stdio, ring, "since_start_ns")[2] < rows(stdio, ring, "since_start_ns")[1]


def test_what_was_not_recorded_of_a_line_is_counted() -> None:
    ring = Ring()
    ring.write(7, 2, b"Trace", size=1005)
    assert rows(stdio, ring, "text") == [("Trace[1,000 bytes were not recorded]",)]


def test_a_redirected_descriptor_prints_nowhere_and_a_duplicate_does() -> None:
    ring = Ring()
    ring.now_ns = 5_000_000
    ring.write(7, 1, b"printed\n")
    ring.call(7, "dup", 1, result=6)
    ring.write(7, 6, b"by another number\n")
    ring.open(7, b"/tmp/out", 3, O_CREAT)
    ring.call(7, "dup2", 3, 1, result=1)
    ring.write(7, 1, b"into the file\n")
    ring.write(7, 6, b"back\n")
    ring.call(7, "close", 6)
    ring.write(7, 6, b"nowhere\n", result=-9)
    ring.open(7, b"/tmp/err", 2, O_CREAT)
    ring.write(7, 2, b"not known at first, so redirected\n")
    at_first = OpenFiles(1, 2, {7: Process(b"/", b"/", {1: (b"pipe:[77]", False)})})
    found = rows(stdio, ring, "stream", "text", at_first=at_first)
    assert found == [("out", "printed"), ("out", "by another number"), ("out", "back")]


def test_what_one_process_hands_to_another_is_not_printed() -> None:
    ring = Ring()
    ring.call(7, "pipe2", 16, 0, out=item(0, layout.KIND_BUFFER, pack("<2I", 3, 4), flags=layout.ITEM_OUT))
    ring.call(7, "dup2", 4, 1, result=1)
    ring.write(7, 1, b"3*7*2\n")
    ring.write(7, 2, b"printed\n")
    assert rows(stdio, ring, "stream", "text") == [("err", "printed")]


def test_a_write_that_took_only_the_beginning() -> None:
    ring = Ring()
    whole = item(1, layout.KIND_BUFFER, b"abc", size=9, flags=layout.ITEM_MORE)
    end = item(1, layout.KIND_BUFFER, b"xyz", size=9, flags=layout.ITEM_TAIL)
    for result in (5, 8, 9):
        ring.call(7, "write", 2, 16, 9, result=result, items=whole + end)
    (text,) = rows(stdio, ring, "text")[-1]
    assert text == ("abc[2 bytes were not recorded]abc[3 bytes were not recorded]xyabc[3 bytes were not recorded]xyz")


def test_streams_that_are_known_a_little_later() -> None:
    """Streams count from when they are known; not what the program had put in their place before."""
    ring = Ring()
    ring.call(7, "getpid", result=7)
    ring.open(7, b"/tmp/err", 2, O_CREAT)
    ring.now_ns = 5_000_000
    ring.write(7, 1, b"printed\n")
    ring.call(7, "dup", 1, result=6)
    ring.write(7, 6, b"by another number\n")
    ring.write(7, 2, b"into the file\n")
    pipes = {1: (b"pipe:[77]", False), 2: (b"pipe:[78]", False)}
    at_first = OpenFiles(4_000_000, 4_000_000, {7: Process(b"/", b"/", pipes)})
    found = rows(stdio, ring, "stream", "text", at_first=at_first)
    assert found == [("out", "printed"), ("out", "by another number")]


def test_bytes_that_are_no_text_are_escaped() -> None:
    ring = Ring()
    ring.write(7, 1, b"\xff\n")
    assert rows(stdio, ring, "text") == [("\\xff",)]


# --- processes ------------------------------------------------------------------------------------------------------


def argv(*words: bytes) -> bytes:
    strings = b"".join(item(1, layout.KIND_STRING, word, sub=n) for n, word in enumerate(words))
    return (
        item(0, layout.KIND_STRING, words[0])
        + strings
        + item(1, layout.KIND_ARGV, b"", sub=len(words), size=len(words))
    )


def family(child_result: int) -> Ring:
    """7 executes sh, forks 8, which executes a command and exits with 3, and vforks 9, which is killed."""
    ring = Ring()
    ring.name(7, 7, "sh")
    ring.name(8, 8, "sh")
    ring.name(9, 9, "sh")
    ring.call(7, "execve", 16, 16, 0, items=argv(b"sh", b"-c", b"a b; c"))
    ring.call(7, "fork", result=child_result)
    ring.exit(1, 8, NR["fork"], 0)
    ring.enter(0, 7, NR["vfork"])
    ring.exit(1, 9, NR["vfork"], 0)
    ring.name(8, 8, "ls")
    ring.call(8, "execve", 16, 16, 0, items=argv(b"ls", b"-l"))
    ring.task_exit(1, 9, SIGKILL)
    ring.exit(0, 7, NR["vfork"], 9 if child_result == 8 else 3)
    ring.task_exit(1, 8, 3 << 8)
    return ring


def tree(ring: RingWriter) -> list[tuple[Any, ...]]:
    snapshot = ring.snapshot()
    made = processes(events(snapshot), snapshot)
    names = [column.name for column in made.columns]
    return [tuple(row[names.index(n)] for n in ("pid", "parent", "depth", "end", "command")) for row in made.rows]


@pytest.mark.parametrize("child_result", [8, 2])  # its own number, and that of another PID namespace
def test_a_tree_of_processes(child_result: int) -> None:
    assert tree(family(child_result)) == [
        (7, None, 0, "", "sh -c 'a b; c'"),
        (8, 7, 1, "exit 3", "ls -l"),
        (9, 7, 1, "SIGKILL", "[sh]"),
    ]


def test_a_parent_that_is_not_known_is_left_out() -> None:
    ring = Ring()
    for tid in (7, 8, 9):
        ring.name(tid, tid, "sh")
    ring.enter(0, 7, NR["fork"])
    ring.enter(0, 8, NR["fork"])
    ring.exit(1, 9, NR["fork"], 0)
    assert (9, None, 0, "", "[sh]") in tree(ring)


def test_threads_are_no_processes() -> None:
    ring = Ring()
    ring.name(7, 7, "app")
    ring.name(8, 7, "app")
    ring.call(7, "clone", 0x10000, 0, 0, 0, 0, result=8)
    ring.exit(1, 8, NR["clone"], 0)
    ring.task_exit(1, 8, 0, 0)
    assert tree(ring) == [(7, None, 0, "", "[app]")]


def test_a_number_that_is_used_again_is_another_process() -> None:
    ring = Ring()
    ring.name(7, 7, "one")
    ring.call(7, "getpid", result=7)
    ring.task_exit(0, 7, 0)
    ring.name(7, 7, "two")
    ring.call(7, "getpid", result=7)
    assert [row[3:] for row in tree(ring)] == [("exit 0", "[one]"), ("", "[two]")]


def test_an_argv_that_was_cut_says_so() -> None:
    ring = Ring()
    strings = item(0, layout.KIND_STRING, b"x") + item(1, layout.KIND_STRING, b"x")
    ring.call(7, "execve", 16, 16, 0, items=strings)
    assert tree(ring)[0][4] == "x ..."


# --- slow -----------------------------------------------------------------------------------------------------------


def waits() -> Ring:
    """7's read is interrupted by SIGTERM, 8 is killed in a read, 9 waits on, 7 reads quickly and exits."""
    ring = Ring()
    for tid in (7, 8, 9):
        ring.name(tid, tid, f"t{tid}")
        ring.enter(0, tid, NR["read"], tid, 16, 10)
    ring.now_ns += 1_000_000
    ring.exit(0, 7, NR["read"], -512)
    ring.signal(0, 7, SIGTERM)
    ring.now_ns += 1_000_000
    ring.task_exit(0, 8, SIGKILL)
    ring.call(7, "read", 7, 16, 10, result=1)
    ring.now_ns += 1_000_000
    ring.enter(0, 7, NR["exit_group"], 0)
    ring.now_ns += 9_000_000
    ring.task_exit(0, 7, 0)
    return ring


def test_the_longest_waits_and_what_ended_them() -> None:
    found = rows(slow, waits(), "tid", "ended_by", "duration_ns")
    assert [row[:2] for row in found] == [
        (9, "nothing yet"),
        (8, "SIGKILL"),
        (7, "SIGTERM, ? ERESTARTSYS"),
        (7, "= 1"),
    ]
    assert [row[2] // 1_000_000 for row in found] == [12, 2, 1, 0]


def test_no_more_are_kept_than_are_asked_for() -> None:
    assert rows(lambda e, s: slow(e, s, 1), waits(), "tid") == [(9,)]
    assert rows(lambda e, s: slow(e, s, 0), waits(), "tid") == []
    ring = Ring()
    for n in range(3000):
        ring.enter(0, 7, NR["getppid"])
        ring.now_ns += 1000 * (n == 1500)
        ring.exit(0, 7, NR["getppid"], n)
    assert rows(lambda e, s: slow(e, s, 1), ring, "ended_by") == [("= 1500",)]


# --- all ------------------------------------------------------------------------------------------------------------


def test_losses_are_summed_by_reason() -> None:
    ring = RingWriter(1 << 14, 1 << 11)
    for n in range(2000):
        ring.call = None
        ring.enter(n % 2, 7 + n % 2, NR["close"], 3)
        ring.exit(n % 2, 7 + n % 2, NR["close"], 0)
    losses = Losses()
    shown = sum(1 for event in losses.noted(events(ring.snapshot())) if isinstance(event, Call))
    (lost,) = losses
    assert lost.reason == "overwritten"
    assert lost.events + shown in (2000, 2001)


def test_names_are_counted() -> None:
    assert limited([]) == ""
    assert limited(["A", "B", "B", "C", "D"]) == "B 2, A, C, ..."


def test_the_document_lists_the_fields_of_each_view() -> None:
    page = (Path(__file__).parents[2] / "docs/views.md").read_text()
    empty = RingWriter().snapshot()
    views = {view.__name__: view for view in (files, net, processes, stdio, slow)}
    for name, rows_ in re.findall(r"^`(\w+)`, .*:\n\n\| field .*\n\|---\|---\|\n((?:\|.*\n)+)", page, re.MULTILINE):
        documented = [field for row in rows_.splitlines() for field in re.findall(r"`(\w+)`", row.split("|")[1])]
        if name == "summary":
            made = [tuple(column.name for column in summary((), empty, by).columns) for by in BY]
            assert documented == [*made[0][:-1], *(field for one in made for field in one[5:])]
        else:
            assert documented == [column.name for column in views.pop(name)((), empty).columns]
    assert not views
