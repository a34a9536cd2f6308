# SPDX-License-Identifier: Apache-2.0
"""Requests of io_uring: their records become events that are shown and picked as calls are, and are no calls."""

from __future__ import annotations

import json
import random
import re
import subprocess
from pathlib import Path

import pytest
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.arguments.capture import request_call
from traceloop_decode.descriptors.follow import known
from traceloop_decode.events import events
from traceloop_decode.model import CQE_F_MORE, CQE_SKIP_SUCCESS, FIXED_FILE, Call, Entered, Event, Returned
from traceloop_decode.places import places
from traceloop_decode.requests import ANY_SLOT, OPCODES
from traceloop_decode.selection.select import Selection, selected, status_set, trace_set
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import Syscall, parsed
from traceloop_decode.text import classic, jsonl, records, short, strace, summary

NOP, READ, ACCEPT, OPENAT, CLOSE, TIMEOUT = 0, 22, 13, 18, 19, 11
OPEN_CALL, ENTER_CALL, WRITE_CALL = 257, 426, 1
CWD = -100
STRING, BUFFER = layout.KIND_STRING, layout.KIND_BUFFER
OUT = layout.ITEM_OUT


def path(name: bytes, arg: int = 1) -> bytes:
    return item(arg, STRING, name)


def opened(ring: RingWriter, name: bytes, result: int, tid: int = 7, **how: int) -> None:
    """An openat by a request, whole."""
    ring.submit(0, tid, OPENAT, CWD, 0x1000, 0, 0, items=path(name), **how)
    ring.complete(0, tid, OPENAT, result, request=how.get("request", 1), user_data=how.get("user_data", 0))


def lines(ring: RingWriter, module=short) -> list[str]:  # type: ignore[no-untyped-def]
    snapshot = ring.snapshot()
    return [re.sub(r"^[\d:.]+ cpu#\d ", "", line) for line in module.lines(events(snapshot), snapshot)]


def objects(ring: RingWriter) -> list[dict[str, object]]:
    snapshot = ring.snapshot()
    return [json.loads(line) for line in jsonl.lines(events(snapshot), snapshot)]


def test_a_request_is_shown_as_one_and_not_as_a_call() -> None:
    ring = RingWriter()
    opened(ring, b"/missing", -2)
    error = "-1 ENOENT (No such file or directory)"
    assert lines(ring) == [f'pid 7 [t7] io_uring openat(dfd=AT_FDCWD, filename="/missing", flags=O_RDONLY) = {error}']
    assert lines(ring, strace) == [f'7     --- io_uring openat(AT_FDCWD, "/missing", O_RDONLY) = {error} ---']
    assert lines(ring, classic) == [
        'pid 7 [t7] io_uring openat(dfd=18446744073709551516, filename=4096 "/missing", flags=0, mode=0) = '
        + str((1 << 64) - 2)
    ]


def test_as_json_it_has_a_field_of_its_own() -> None:
    ring = RingWriter()
    ring.submit(0, 7, OPENAT, CWD, 0x1000, 0, 0, user_data=5, flags=0x14, slot=4, items=path(b"/x"), refused=True)
    ring.complete(1, 8, OPENAT, -9, user_data=5)
    (found,) = objects(ring)
    assert (found["event"], found["syscall"], found["number"], found["errno"]) == ("io_uring", None, OPENAT, "EBADF")
    assert (found["pid"], found["cpu"], found["end_cpu"], found["duration_ns"]) == (7, 0, 1, 1000)
    assert found["io_uring"] == {
        "request": "openat",
        "user_data": 5,
        "flags": ["IOSQE_IO_LINK", "IOSQE_ASYNC"],
        "slot": 3,
        "refused": True,
        "goes_on": False,
    }
    args = found["args"]
    assert isinstance(args, list)
    assert [(arg["name"], arg["text"]) for arg in args[:2]] == [("dfd", "AT_FDCWD"), ("filename", '"/x"')]


def test_a_call_has_no_such_field() -> None:
    ring = RingWriter()
    ring.enter(0, 7, WRITE_CALL, 1, 0, 0)
    ring.exit(0, 7, WRITE_CALL, 0)
    (found,) = objects(ring)
    assert found["event"] == "syscall"
    assert "io_uring" not in found


def test_the_call_that_submits_stays_whole() -> None:
    ring = RingWriter()
    ring.enter(0, 7, ENTER_CALL, 3, 2, 2, 1, 0, 0)
    opened(ring, b"/a", 4)
    ring.submit(0, 7, NOP, request=2)
    ring.submit(0, 7, CLOSE, 4, request=3)
    ring.complete(0, 7, NOP, 0, request=2)
    ring.complete(0, 7, CLOSE, 0, request=3)
    ring.exit(0, 7, ENTER_CALL, 2)
    shown = lines(ring)
    assert shown[0].startswith("pid 7 [t7] io_uring_enter(fd=3, to_submit=2,")
    assert shown[0].endswith(" = 2")
    assert [line.removeprefix("pid 7 [t7] ") for line in shown[2:]] == [
        *("io_uring nop()...", "io_uring close(fd=4)...", "...io_uring nop() = 0", "...io_uring close() = 0"),
    ]
    times = [
        event.call.ts_ns if isinstance(event, Entered | Returned) else event.ts_ns for event in events(ring.snapshot())
    ]
    assert times[:2] == sorted(times[:2])


def test_a_call_of_another_process_comes_between() -> None:
    ring = RingWriter()
    ring.enter(0, 7, ENTER_CALL, 3, 1, 1, 1, 0, 0)
    ring.submit(0, 7, NOP)
    ring.enter(0, 9, WRITE_CALL, 1, 0, 0)
    ring.exit(0, 9, WRITE_CALL, 0)
    ring.complete(0, 7, NOP, 0)
    ring.exit(0, 7, ENTER_CALL, 1)
    assert [type(event).__name__ for event in events(ring.snapshot())] == [
        *("Entered", "Entered", "Call", "Returned", "Returned"),
    ]


def calls(ring: RingWriter) -> list[Call]:
    return [
        event.call if isinstance(event, Returned) else event
        for event in events(ring.snapshot())
        if isinstance(event, Call | Returned)
    ]


def test_requests_of_one_thread_end_in_any_order() -> None:
    ring = RingWriter()
    for number in range(1, 6):
        ring.submit(0, 7, READ, number, 0, 1, 0, 0, request=number)
    for number in (3, 1, 5, 2, 4):
        ring.complete(1, 7, READ, 10 * number, request=number, items=item(1, BUFFER, b"%d" % number, flags=OUT))
    assert [(call.registers[0], call.result, call.items[1][0].data) for call in calls(ring)] == [
        (number, 10 * number, b"%d" % number) for number in (3, 1, 5, 2, 4)
    ]


def test_a_number_is_used_again_after_a_request_without_a_completion() -> None:
    ring = RingWriter()
    ring.submit(0, 7, OPENAT, CWD, 0x1000, 0, 0, flags=CQE_SKIP_SUCCESS, user_data=1, items=path(b"/silent"))
    opened(ring, b"/told", 5, user_data=2)
    assert [call.items[1][0].data for call in calls(ring)] == [b"/told"]
    assert lines(ring)[0].endswith("flags=O_RDONLY)... /* no completion if it succeeds */")
    assert [found["ret"] for found in objects(ring)] == [5, None]


def test_a_completion_of_another_request_of_that_number_is_not_taken() -> None:
    ring = RingWriter()
    ring.submit(0, 7, OPENAT, CWD, 0x1000, 0, 0, user_data=1, items=path(b"/one"))
    ring.complete(0, 7, OPENAT, 5, user_data=2)
    (found,) = calls(ring)
    assert (found.entry_lost, found.registers, found.name, found.result) == (True, (), "openat", 5)


def test_nothing_is_paired_across_a_loss() -> None:
    ring = RingWriter(ring_size=1 << 14)
    ring.submit(1, 7, OPENAT, CWD, 0x1000, 0, 0, items=path(b"/one"))
    ring.cpus[1].dropped = 1
    for _ in range(3000):
        ring.enter(0, 9, WRITE_CALL, 1, 0, 0)
        ring.exit(0, 9, WRITE_CALL, 0)
    ring.complete(0, 7, OPENAT, 5)
    assert calls(ring)[-1].entry_lost


def test_a_request_gives_several_results() -> None:
    ring = RingWriter()
    ring.submit(0, 7, ACCEPT, 3, 0, 0, 0, user_data=9)
    ring.complete(0, 7, ACCEPT, 4, user_data=9, flags=CQE_F_MORE, again=True)
    ring.complete(0, 7, ACCEPT, 5, user_data=9, flags=CQE_F_MORE, again=True)
    ring.complete(0, 7, ACCEPT, -125, user_data=9)
    found = calls(ring)
    assert [(call.name, call.result, call.request is not None and call.request.goes_on) for call in found] == [
        *(("accept4", 4, True), ("accept4", 5, True), ("accept4", -125, False)),
    ]
    assert not any(call.entry_lost for call in found)


def test_a_completion_for_which_the_queue_had_no_room() -> None:
    ring = RingWriter()
    opened(ring, b"/one", 4, user_data=8)
    ring.submit(0, 7, NOP, user_data=9)
    ring.complete(0, 7, NOP, 0, user_data=9, again=True, last=True)
    assert [(call.name, call.result, call.entry_lost) for call in calls(ring)] == [
        *(("openat", 4, False), ("nop", 0, False)),
    ]


def test_a_completion_that_a_program_posts_to_itself_takes_no_request_away() -> None:
    ring = RingWriter()
    ring.submit(0, 7, READ, 3, 0, 1, 0, 0, user_data=9)
    ring.complete(0, 7, NOP, 77, user_data=9, again=True)
    ring.complete(0, 7, READ, 1, user_data=9)
    assert [(call.name, call.result, call.entry_lost) for call in calls(ring)] == [
        *(("completion", 77, True), ("read", 1, False)),
    ]


def test_a_completion_that_names_no_request_is_shown() -> None:
    """A completion that another instance posts, by IORING_OP_MSG_RING, names no request."""
    ring = RingWriter()
    ring.complete(0, 7, NOP, 4, user_data=9, again=True)
    assert lines(ring) == ["pid 7 [t7] ...io_uring completion() = 4"]


def test_requests_that_a_process_leaves() -> None:
    ring = RingWriter()
    ring.submit(0, 7, READ, 3, 0, 1, 0, 0)
    ring.submit(0, 8, READ, 4, 0, 1, 0, 0, request=2)
    ring.task_exit(0, 7, 9)
    snapshot = ring.snapshot()

    def having(status: str) -> list[int]:
        picked = selected(events(snapshot), Selection(statuses=status_set(status)))
        calls = [event.call if isinstance(event, Entered) else event for event in picked]
        return [call.registers[0] for call in calls if isinstance(call, Call)]

    assert (having("unfinished"), having("detached")) == ([3, 4], [4])
    assert [(found["event"], found["ret"]) for found in objects(ring)] == [
        *(("io_uring", None), ("exit", None), ("io_uring", None)),
    ]


def picked(ring: RingWriter, selection: Selection) -> list[str]:
    found = selected(known(events(ring.snapshot()), requests=True), selection)
    return [event.title for event in found if isinstance(event, Call)]


def test_requests_are_picked_as_calls_are() -> None:
    ring = RingWriter()
    opened(ring, b"/a", 4)
    opened(ring, b"/missing", -2)
    ring.submit(0, 7, READ, 4, 0x2000, 9, 0, 0)
    ring.complete(0, 7, READ, 0)
    ring.submit(0, 7, NOP)
    ring.complete(0, 7, NOP, 0)
    ring.enter(0, 7, OPEN_CALL, CWD & (1 << 64) - 1, 0x1000, 0, 0, items=path(b"/a"))
    ring.exit(0, 7, OPEN_CALL, 5)
    request = "io_uring openat"
    for what, expected in (
        ("openat", [request, request, "openat"]),
        ("%file", [request, request, "openat"]),
        ("nop", ["io_uring nop"]),
        ("!%file", ["io_uring read", "io_uring nop"]),
        ("/^open", [request, request, "openat"]),
    ):
        assert picked(ring, Selection(calls=trace_set(what))) == expected
    assert picked(ring, Selection(paths=(b"/a",))) == [request, "io_uring read", "openat"]
    assert picked(ring, Selection(statuses=status_set("failed"))) == [request]


def test_they_are_counted_apart() -> None:
    ring = RingWriter()
    opened(ring, b"/a", 4)
    opened(ring, b"/missing", -2)
    table = list(summary.lines(events(ring.snapshot())))
    assert [line.split()[-2:] for line in table if "openat" in line] == [["io_uring", "openat"]]
    assert [line.split()[3:5] for line in table if "openat" in line] == [["2", "1"]]


def with_names(ring: RingWriter, *, requests: bool = True) -> list[str]:
    snapshot = ring.snapshot()
    return list(strace.lines(known(events(snapshot), requests=requests), snapshot))


def write(ring: RingWriter, fd: int) -> None:
    ring.enter(0, 7, WRITE_CALL, fd, 0, 0)
    ring.exit(0, 7, WRITE_CALL, 0)


def test_descriptors_that_requests_open_and_close_have_names() -> None:
    ring = RingWriter()
    ring.enter(0, 7, 425, 8, 0x1000)
    ring.exit(0, 7, 425, 3)
    opened(ring, b"/etc/hosts", 4)
    write(ring, 4)
    ring.submit(0, 7, CLOSE, 4)
    ring.complete(0, 7, CLOSE, 0)
    write(ring, 4)
    shown = with_names(ring)
    assert "= 4</etc/hosts> ---" in shown[1]
    assert "write(4</etc/hosts>, " in shown[2]
    assert "close(4</etc/hosts>) = 0 ---" in shown[3]
    assert "write(4, " in shown[4]


def test_none_has_where_requests_are_not_recorded() -> None:
    ring = RingWriter()
    opened(ring, b"/etc/hosts", 4)
    ring.enter(0, 7, 425, 8, 0x1000)
    ring.exit(0, 7, 425, 3)
    write(ring, 4)
    assert "write(4, " in with_names(ring, requests=False)[-1]


def test_direct_descriptors_are_no_descriptors() -> None:
    ring = RingWriter()
    opened(ring, b"/ordinary", 0)
    ring.submit(0, 7, OPENAT, CWD, 0x1000, 0, 0, slot=3, items=path(b"/direct"))
    ring.complete(0, 7, OPENAT, 0)
    ring.submit(0, 7, OPENAT, CWD, 0x1000, 0, 0, slot=ANY_SLOT, items=path(b"/direct"))
    ring.complete(0, 7, OPENAT, 5)
    ring.submit(0, 7, READ, 0, 0, 1, 0, 0, flags=FIXED_FILE)
    ring.complete(0, 7, READ, 0)
    ring.submit(0, 7, CLOSE, 0, slot=1)
    ring.complete(0, 7, CLOSE, 0)
    write(ring, 0)
    shown = with_names(ring)
    assert '"/direct", O_RDONLY) = 0 (direct 2) ---' in shown[1]
    assert '"/direct", O_RDONLY) = 5 (direct 5) ---' in shown[2]
    assert "read(direct 0, " in shown[3]
    assert "close(direct 0) = 0 ---" in shown[4]
    assert "write(0</ordinary>, " in shown[5]


def test_what_they_read_is_found_by_redaction() -> None:
    ring = RingWriter()
    ring.submit(0, 7, OPENAT, CWD, 0x1000, 0, 0, items=path(b"/secret"))
    ring.complete(0, 7, OPENAT, 4)
    ring.submit(0, 7, READ, 4, 0x1000, 9, 0, 0)
    ring.complete(0, 7, READ, 5, items=item(1, BUFFER, b"bytes", flags=OUT))
    snapshot = ring.snapshot()
    found = places(snapshot)
    assert [snapshot.data[begin:end] for begin, end in zip(found.begins, found.ends, strict=True)] == [
        *(b"/secret", b"bytes"),
    ]


def test_the_raw_records() -> None:
    ring = RingWriter()
    ring.submit(0, 7, OPENAT, 3, 0x1000, 0, 0, request=0xAB, user_data=5, slot=1, refused=True, items=path(b"/x"))
    ring.complete(0, 7, OPENAT, -9, request=0xAB, user_data=5, flags=2)
    *_, enter, leave = [line.partition("delta_ns=")[2] for line in records.lines(ring.snapshot()) if "opcode" in line]
    assert enter == (
        "0 opcode=18 request=0xab instance=0x1 user_data=0x5 flags=0x0 slot=0x1 refused 0x3 0x1000 0x0 0x0 "
        "item arg=1 sub=0 kind=1 copied=2 size=2 2f78"
    )
    assert leave == "1000 opcode=18 request=0xab instance=0x1 user_data=0x5 result=-9 flags=0x2"


def test_the_bits_that_the_kernel_adds_are_not_shown() -> None:
    ring = RingWriter()
    ring.submit(0, 7, OPENAT, CWD, 0x1000, 0o100002, 0, items=path(b"/x"))
    ring.complete(0, 7, OPENAT, 3)
    ring.submit(0, 7, 6, 3, 0xC0000001)
    ring.complete(0, 7, 6, 1)
    shown = lines(ring)
    assert "flags=O_RDWR)" in shown[0]
    assert "io_uring poll_add(fd=3, events=POLLIN) = 1" in shown[1]


def test_any_record_gives_text_in_every_format() -> None:
    chance = random.Random(12)
    for _ in range(300):
        ring = RingWriter()
        for _ in range(30):
            kind = chance.choice((layout.TYPE_ENTER, layout.TYPE_EXIT))
            nr = layout.REQUEST | chance.getrandbits(12) | 0x8000 * chance.getrandbits(1)
            body = chance.randbytes(8 * chance.choice((0, 1, 3, 4, 7, 9, 20)))
            if chance.getrandbits(1):
                registers = [chance.getrandbits(64) for _ in range(chance.randrange(8))]
                some = b"".join(
                    item(chance.randrange(8), chance.choice((1, 2, 4, 5)), chance.randbytes(chance.randrange(40)))
                    for _ in range(chance.randrange(3))
                )
                ring.submit(0, 7, chance.randrange(70), *registers, request=chance.randrange(4), items=some)
            else:
                ring.record(0, 7, kind, nr, body)
        snapshot = ring.snapshot()
        for module in (short, classic, strace, jsonl):
            assert [line for line in module.lines(events(snapshot), snapshot) if not line.isascii()] == []
        assert list(records.lines(snapshot))
        assert list(selected(known(events(snapshot), requests=True), Selection(paths=(b"/a",)))) is not None


@pytest.mark.parametrize("opcode", OPCODES)
def test_each_prototype_can_be_read(opcode: int) -> None:
    call = parsed(OPCODES[opcode])
    assert call.name.isidentifier()
    assert len(call.params) == (OPCODES[opcode].count(",") + 1 if "()" not in OPCODES[opcode] else 0)


@pytest.mark.parametrize("opcode", OPCODES)
def test_a_kernel_may_lack_any_argument(opcode: int) -> None:
    """The recorder loads on kernels that know fewer arguments: the rest is not recorded."""
    call = parsed(OPCODES[opcode])
    for count in range(len(call.params) + 1):
        packed = request_call(Syscall(call.name, call.params[:count]), 256, 1024, more_bytes=0)
        assert len(packed) == layout.CALL_SIZE


def test_the_opcodes_are_those_of_the_kernels_header() -> None:
    header = Path("/usr/include/linux/io_uring.h")
    if not header.exists():
        pytest.skip(f"needs {header}")
    source = f"#include <{header.relative_to('/usr/include')}>\n" + "int last = IORING_OP_LAST;\n"
    names = re.findall(r"^\s+(IORING_OP_\w+)", header.read_text(), re.MULTILINE)
    source += "".join(f'_Static_assert({name} == {number}, "");\n' for number, name in enumerate(names))
    subprocess.run(["gcc", "-fsyntax-only", "-xc", "-"], input=source, text=True, check=True)
    alike = {
        *("accept", "openat", "close", "statx", "read", "write", "send", "recv", "connect", "timeout", "nop", "splice"),
        *("unlinkat", "renameat", "mkdirat", "symlinkat", "linkat", "socket", "shutdown", "tee", "fallocate", "readv"),
        *("writev", "fsync", "openat2", "epoll_ctl", "msg_ring", "madvise", "fadvise", "poll_add", "poll_remove"),
    }
    for number, name in enumerate(names):
        word = name.removeprefix("IORING_OP_").lower()
        if word in alike:
            assert OPCODES[number].startswith(word), name


def returned_events(found: list[Event]) -> int:
    return sum(isinstance(event, Returned) for event in found)


def test_an_archive_without_requests_reads_as_before() -> None:
    ring = RingWriter()
    write(ring, 1)
    snapshot = Snapshot.decode(ring.snapshot().encode())
    assert returned_events(list(events(snapshot))) == 0
    (call,) = (event for event in events(snapshot) if isinstance(event, Call))
    assert (call.request, call.key, call.title) == (None, 7, "write")
