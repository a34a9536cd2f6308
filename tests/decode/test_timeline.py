# SPDX-License-Identifier: Apache-2.0
"""The contents of a picture: the lane, the place in time, the kind and the error of each item."""

from __future__ import annotations

from itertools import pairwise

import pytest
from madeevents import NUMBERS, SNAPSHOT, STARTED_NS, WRITE, args, call
from ringwriter import RingWriter

from traceloop_decode.descriptors.names import Known
from traceloop_decode.events import events
from traceloop_decode.model import LEFT, Files, Lost, Request, Signal, Socket, TaskExit
from traceloop_decode.program_start import since_program
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.tables.classes import CLASSES
from traceloop_decode.timeline.kinds import KINDS, error_of, kind_of
from traceloop_decode.timeline.timeline import EVERYWHERE, Timeline, timeline
from traceloop_decode.whole_calls import whole

WRITE_CALL, READ_CALL, EXIT_GROUP = NUMBERS["write"], NUMBERS["read"], NUMBERS["exit_group"]


def of_ring(ring: RingWriter) -> Timeline:
    snapshot = ring.snapshot()
    return timeline(since_program(whole(events(snapshot))), snapshot)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("openat", "files"), ("read", "files"), ("connect", "network"), ("accept4", "network")),
        *(("execve", "process"), ("clone", "process"), ("setuid", "process"), ("mmap", "memory"), ("brk", "memory")),
        *(("futex", "waiting"), ("wait4", "waiting"), ("poll", "waiting"), ("epoll_wait", "waiting")),
        *(("getpid", "other"), ("rt_sigaction", "other"), ("unknown", "other")),
    ],
)
def test_kind_of_a_call(name: str, kind: str) -> None:
    assert kind_of(call(name)) == kind


def test_a_call_on_a_socket_is_of_the_network() -> None:
    written = call("write", args(WRITE, 3, 0, 1), 1)
    assert kind_of(written) == "files"
    socket = Known("<TCP:[1]>", socket=Socket("TCP"))
    assert kind_of(written._replace(files=Files({3: socket}, None, None))) == "network"
    assert kind_of(written._replace(files=Files({4: socket}, None, None))) == "files"


def test_every_call_of_a_class_has_a_kind() -> None:
    assert {kind_of(call(name)) for text in CLASSES.values() for name in text.split()} == {*KINDS}


@pytest.mark.parametrize(
    ("name", "result", "error"),
    [
        *(("openat", -2, "ENOENT"), ("openat", 3, ""), ("connect", -111, "ECONNREFUSED"), ("connect", -115, "")),
        *(
            ("read", -11, ""),
            ("ioctl", -25, ""),
            ("lseek", -29, ""),
            ("futex", -110, ""),
            ("connect", -110, "ETIMEDOUT"),
            ("read", -512, ""),
        ),
        *(("wait4", -10, ""), ("mkdir", -4000, "4000"), ("mmap", -(1 << 40), "")),
    ],
)
def test_answers_are_no_errors(name: str, result: int, error: str) -> None:
    assert error_of(call(name, result=result)) == error


def test_a_call_that_seccomp_refused_is_an_error() -> None:
    assert error_of(call("mkdir", by_seccomp=True)) == "seccomp"


def test_items_have_lanes_and_times_and_what_never_returned_lasts_until_its_end() -> None:
    ring = RingWriter()
    ring.name(7, 7, "main")
    ring.name(8, 7, "worker")
    ring.enter(0, 7, WRITE_CALL, 1, 0, 3)
    ring.enter(1, 8, READ_CALL, 0, 0, 3)
    ring.exit(0, 7, WRITE_CALL, 3)
    ring.signal_sent(0, 7, 15, 0, sender=99, comm="kubelet")
    ring.signal(1, 8, 9)
    ring.signal(0, 7, 9)
    ring.task_exit(1, 8, 15, group_dead=0)
    ring.task_exit(0, 7, 15)
    ring.enter(0, 9, READ_CALL, 0, 0, 3)
    found = of_ring(ring)
    assert [(lane.pid, lane.tid, lane.comm) for lane in found.lanes] == [(7, 7, "main"), (7, 8, "worker"), (9, 9, "t9")]
    start = 1_001_000
    assert (found.start_ns, found.end_ns) == (start, start + 8000)
    drawn = [(one.lane, one.at_ns - start, one.took_ns, one.what, one.name, one.returned) for one in found.items]
    assert drawn == [
        (0, 0, 2000, "files", "write", True),
        (1, 1000, 5000, "files", "read", False),
        (0, 5000, 0, "signal", "SIGTERM", True),
        (1, 6000, 0, "exit", "killed by SIGTERM", True),
        (0, 7000, 0, "exit", "killed by SIGTERM", True),
        (2, 8000, 0, "files", "read", False),
    ]
    assert found.items[2].text.endswith("--- sent by pid 99 [kubelet]")
    assert found.items[1].text == "read(fd=0, buf=NULL, count=3)..."
    assert [one.error for one in found.items] == ["", "", "", "failed", "failed", ""]


def test_threads_stand_with_their_process_in_the_order_of_appearance() -> None:
    ring = RingWriter()
    for tid, pid in ((5, 5), (9, 9), (6, 5), (3, 9)):
        ring.name(tid, pid, f"t{tid}")
        ring.enter(0, tid, WRITE_CALL, 1, 0, 3)
        ring.exit(0, tid, WRITE_CALL, 3)
    assert [(lane.pid, lane.tid) for lane in of_ring(ring).lanes] == [(5, 5), (5, 6), (9, 9), (9, 3)]


def test_requests_in_flight_at_a_time_have_rows_of_their_own() -> None:
    def request(serial: int, at_ns: int, end_ns: int | None) -> object:
        result = None if end_ns is None else 0
        return call("read", result=result, at_ns=at_ns, end_ns=end_ns, request=Request(serial, 0))

    calls = [request(2, 5, 8), request(1, 0, 10), request(3, 10, 12), request(4, 11, None), call("getpid", (), 1)]
    found = timeline(calls, SNAPSHOT)  # type: ignore[arg-type]
    rows = {one.at_ns - STARTED_NS: found.lanes[one.lane].row for one in found.items if one.name == "io_uring read"}
    assert rows == {5: 1, 0: 2, 10: 1, 11: 2}
    assert [lane.row for lane in found.lanes] == [0, 1, 2]
    for row in (1, 2):
        spans = sorted((one.at_ns, one.at_ns + one.took_ns) for one in found.items if found.lanes[one.lane].row == row)
        assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))


def test_losses_lie_over_all_lanes_where_the_events_are_missing() -> None:
    lost = [
        Lost(STARTED_NS + 100, 0, 40, 80, "overwritten"),
        call("getpid", (), 1, at_ns=100, end_ns=110),
        call("getpid", (), 1, at_ns=120, end_ns=130, cpu=1),
        Lost(STARTED_NS + 300, 0, 2, 2, "rejected"),
        Lost(STARTED_NS + 400, 0, 0, 0, LEFT),
        call("getpid", (), 1, at_ns=490, end_ns=500),
    ]
    found = [one for one in timeline(lost, SNAPSHOT).items if one.lane == EVERYWHERE]
    assert [(one.what, one.name, one.at_ns - STARTED_NS, one.took_ns) for one in found] == [
        ("lost", "overwritten", 0, 100),
        ("lost", "rejected", 110, 190),
        ("lost", LEFT, 400, 100),
    ]
    assert "40 earlier events of cpu#0 were overwritten" in found[0].text


def test_a_thread_has_the_name_that_it_had_last_and_no_name_is_unprintable() -> None:
    calls = [call("prctl", (), 0, comm="sh", end_comm="\x1b[2J<b>"), call("getpid", (), 1, at_ns=5, comm="\x1b[2J<b>")]
    assert [lane.comm for lane in timeline(calls, SNAPSHOT).lanes] == [r"\33[2J<b>"]


RUNTIME, OTHER = "runc:[2:INIT]", "runc:[1:CHILD]"


def test_what_the_runtime_did_before_the_program_is_left_out() -> None:
    lost = Lost(STARTED_NS, 0, 1, 1, "overwritten")
    before = [
        call("clone", (), 0, comm=OTHER),
        call("futex", comm=RUNTIME, tid=11, pid=10),
        TaskExit(STARTED_NS, 0, 10, 11, RUNTIME, 0, group_dead=False),
        lost,
        call("execve", (), -2, comm=RUNTIME),
    ]
    program = [call("execve", (), 0, comm=RUNTIME, end_comm="sh"), call("getpid", (), 1, comm="sh")]
    later = call("getpid", (), 1, comm=RUNTIME)  # a command that joined the container
    assert list(since_program([*before, *program, later])) == [lost, *program, later]
    assert [one for one in since_program(before) if one is not lost] == [one for one in before if one is not lost]
    assert list(since_program([before[0], program[1], later])) == [before[0], program[1], later]
    crun = [call("read", (), 0, comm="crun"), call("execve", (), 0, comm="crun"), call("read", (), 0, comm="crunch")]
    assert list(since_program(crun)) == crun[1:]
    assert list(since_program(crun[2:])) == crun[2:]


def test_an_empty_trace_has_no_lanes() -> None:
    found = timeline([], SNAPSHOT)
    assert (found.lanes, found.items, found.start_ns, found.end_ns) == ((), (), STARTED_NS, STARTED_NS)
    assert isinstance(SNAPSHOT, Snapshot)


def test_a_signal_keeps_its_place_within_a_call() -> None:
    calls = [
        Signal(STARTED_NS + 5, 0, 10, 10, "sh", 17, bytes(48), 1, 0),
        call("wait4", (), 3, at_ns=0, end_ns=10),
    ]
    assert [one.name for one in timeline(calls, SNAPSHOT).items] == ["wait4", "SIGCHLD"]
