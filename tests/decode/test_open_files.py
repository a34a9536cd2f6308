# SPDX-License-Identifier: Apache-2.0
"""The files that were open when recording began, from which descriptors first get their names."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from fdtrace import Trace
from hypothesis import given
from hypothesis import strategies as st
from ringwriter import RingWriter

from traceloop_decode.descriptors.streams import Streams
from traceloop_decode.model import DecodeError, Entered, Lost, Returned
from traceloop_decode.open_files import OpenFiles, Process
from traceloop_decode.snapshot import Snapshot


def test_what_was_open_before() -> None:
    fds = {0: (b"/dev/null", False), 1: (b"pipe:[12]", False), 2: (b"/log (deleted)", True)}
    start = OpenFiles(2000, 3000, {7: Process(b"/home", b"/", fds), 8: Process(b"/home", b"/", fds)})
    trace = Trace(start)
    assert trace.call("fsync", 1) == "7 fsync(1) = 0"
    trace.now_ns = 2500
    trace.call("close", 1, tid=8, pid=8, result=-4)
    trace.call("chdir", b"/x", tid=8, pid=8, result=-2)
    trace.now_ns = 4000
    assert trace.call("fsync", 1) == "7 fsync(1<pipe:[12]>) = 0"
    assert trace.fd(2) == "</log>(deleted)"
    assert trace.open(b"../f", 3) == '7 openat(AT_FDCWD</home>, "../f", O_RDONLY) = 3</f>'
    trace.call("execve", b"/x", 0, 0)
    assert (trace.fd(0), trace.fd(2)) == ("</dev/null>", "")
    assert trace.call("fsync", 1, tid=8, pid=8) == "8 fsync(1) = 0"  # it may be another file
    assert trace.call("fsync", 0, tid=8, pid=8) == "8 fsync(0</dev/null>) = 0"
    assert trace.open(b"f", 3, tid=8, pid=8) == '8 openat(AT_FDCWD, "f", O_RDONLY) = 3'


def one(pid: int, name: bytes, from_ns: int, cwd: bytes = b"/home") -> OpenFiles:
    return OpenFiles(from_ns, from_ns + 100, {pid: Process(cwd, b"/", {1: (name, False), 2: (name, True)})})


def test_what_those_have_open_that_came_later() -> None:
    start = one(7, b"/a", 1000).with_later(one(8, b"/b", 2000)).with_later(one(9, b"/c", 3000))
    trace = Trace(start)
    trace.now_ns = 1500
    assert trace.call("fsync", 1) == "7 fsync(1</a>) = 0"
    assert trace.call("fsync", 1, tid=8, pid=8) == "8 fsync(1) = 0"
    trace.now_ns = 2500
    assert trace.call("fsync", 1, tid=8, pid=8) == "8 fsync(1</b>) = 0"
    trace.table.observe(Lost(2600, 0, 1, 1, "overwritten"))
    assert trace.call("fsync", 1, tid=8, pid=8) == "8 fsync(1) = 0"
    trace.now_ns = 3500
    assert trace.call("fsync", 1, tid=9, pid=9) == "9 fsync(1</c>) = 0"
    assert trace.open(b"f", 3, tid=9, pid=9) == '9 openat(AT_FDCWD</home>, "f", O_RDONLY) = 3</home/f>'


@pytest.mark.parametrize("name", ["execve", "close_range"])
@pytest.mark.parametrize(
    ("begun_ns", "ended_ns", "counts"), [(1800, 1900, True), (1800, 2050, False), (2050, 9000, False)]
)
def test_calls_that_close_anything_while_it_is_read(*, name: str, begun_ns: int, ended_ns: int, counts: bool) -> None:
    trace = Trace(OpenFiles(1, 2, {}).with_later(one(8, b"/b", 2000)))
    trace.now_ns = begun_ns - 10
    begun = trace.made(name, b"/x" if name == "execve" else 90, 99, 0, result=None, tid=8, pid=8)
    trace.table.observe(Entered(begun))
    if ended_ns < 3000:
        trace.table.observe(Returned(begun._replace(result=0, end_ns=ended_ns)))
    trace.now_ns = 3000
    assert trace.call("fsync", 1, tid=9, pid=8) == f"9 fsync(1{'</b>' if counts else ''}) = 0"


def test_what_a_runtime_had_open_is_not_its_programs() -> None:
    trace = Trace(one(7, b"/bundle/log", 1000, b"/bundle"))
    trace.now_ns = 2000
    trace.call("execve", b"/bin/sh", 0, 0, comm="runc:[2:INIT]")
    assert trace.open(b"f", 3) == '7 openat(AT_FDCWD, "f", O_RDONLY) = 3'
    assert trace.fd(1) == ""


def test_what_the_kernel_side_tells_of_a_program_counts_at_once() -> None:
    """Whenever it arrives: before /proc was read when the trace began, or after. It says nothing of directories."""
    told = OpenFiles(1900, 1900, {7: Process(None, None, {1: (b"pipe:[5]", False)})})
    for read, cwd in ((one(7, b"/a", 3000), "/home"), (one(7, b"/a", 1000), "/")):
        trace = Trace(OpenFiles.of_fields(read.with_later(told).fields()))
        trace.now_ns = 1800
        trace.call("execve", b"/bin/sh", 0, 0, comm="runc:[2:INIT]")
        trace.call("chdir", b"/")
        trace.now_ns = 1910
        assert trace.call("fsync", 1) == "7 fsync(1<pipe:[5]>) = 0"
        trace.now_ns = 4000
        assert trace.call("fsync", 1) == "7 fsync(1<pipe:[5]>) = 0"
        assert trace.open(b"f", 3).startswith(f"7 openat(AT_FDCWD<{cwd}>")


@pytest.mark.parametrize(("name", "argument"), [("close", 1), ("execve", b"/bin/sh")])
def test_a_reading_within_another_hides_nothing_from_it(name: str, argument: int | bytes) -> None:
    told = OpenFiles(1050, 1050, {7: Process(None, None, {0: (b"pipe:[5]", False)})})
    trace = Trace(one(7, b"/a", 1000).with_later(told))
    trace.now_ns = 1020
    trace.call(name, argument, *((0, 0) if name == "execve" else ()))
    trace.now_ns = 2000
    assert trace.call("fsync", 1) == "7 fsync(1) = 0"
    assert trace.call("fsync", 0) == "7 fsync(0<pipe:[5]>) = 0"


@pytest.mark.parametrize(
    ("since_ns", "pid", "names"),
    [
        (1500, 7, {"</dev/pts/0>": {1}, "<pipe:[5]>": {2}, "<pipe:[6]>": {1, 2}}),
        (1500, 9, {"</dev/pts/0>": {1}, "<pipe:[5]>": {2}, "<pipe:[6]>": {1, 2}}),
        (0, 9, {"<pipe:[9]>": {1, 2}, "</dev/pts/0>": {1}, "<pipe:[5]>": {2}, "<pipe:[6]>": {1, 2}}),
    ],
)
def test_the_streams_of_the_program_are_not_those_of_its_runtime(
    since_ns: int, pid: int, names: dict[str, set[int]]
) -> None:
    """A runtime begins with /dev/null where the program gets a terminal. What comes from outside has its own."""

    def read(**fds: bytes) -> Process:
        return Process(b"/", b"/", {int(fd[1:]): (name, False) for fd, name in fds.items()})

    runtimes, others = read(_1=b"/dev/null", _2=b"/dev/null"), read(_1=b"pipe:[9]", _2=b"pipe:[9]")
    start = OpenFiles(1000, 1100, {7: runtimes, 9: others})
    for later in (
        OpenFiles(1600, 1600, {7: read(_2=b"pipe:[5]")}),
        OpenFiles(1700, 1800, {7: read(_1=b"/dev/pts/0", _2=b"/dev/pts/0")}),
        OpenFiles(1900, 1950, {12: read(_1=b"pipe:[6]", _2=b"pipe:[6]")}),
    ):
        start = start.with_later(later)
    assert Streams.at_start(start, pid, since_ns)._names == names


def test_of_many_that_came_later_the_last_are_kept() -> None:
    start = OpenFiles(1, 2, {})
    for n in range(200):
        start = start.with_later(one(n, b"/x", 10 + n))
    assert [next(iter(read.processes)) for read in start.later] == [0, 1, *range(74, 200)]
    many = OpenFiles(500, 501, {500: Process(None, None, dict.fromkeys(range(1000), (b"/x", False)))})
    assert len(start.with_later(many).later) == 2 + 1 + 10
    assert OpenFiles.of_fields(start.fields()) == start


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


@pytest.mark.parametrize("fd", [-1, 1 << 31, 10**30])
def test_a_number_that_is_no_descriptor_is_damage(fd):
    fields = OpenFiles(1, 2, {7: Process(None, None, {fd: (b"/f", False)})}).fields()
    with pytest.raises(DecodeError, match="open_files"):
        OpenFiles.of_fields(fields)
