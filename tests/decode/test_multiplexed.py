# SPDX-License-Identifier: Apache-2.0
"""32-bit programs call socketcall and ipc: shown, picked and followed is the call that they make by these."""

from __future__ import annotations

import json
import re
from struct import pack

import pytest
from ringwriter import RingWriter, item

from traceloop_decode import constants, layout
from traceloop_decode.arguments.words import compat_lines
from traceloop_decode.descriptors.follow import known
from traceloop_decode.events import events
from traceloop_decode.multiplexed_calls import CALLS, IPC, SOCKETCALL
from traceloop_decode.selection.select import Selection, selected, trace_set
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import I386
from traceloop_decode.text import jsonl, short, strace

ARRAY, OUT = 0xFF80_1000, layout.ITEM_OUT
INET = pack("<H", 2) + b"\x1f\x90\x7f\0\0\1" + bytes(8)
ECONNREFUSED = 111


def nested(arg: int, number: int, kind: int, data: bytes, *, out: bool = False) -> bytes:
    return item(arg | number << layout.ITEM_SUB_SHIFT, kind, data, flags=OUT if out else 0)


def words(*values: int, arg: int = 1) -> bytes:
    return item(arg, layout.KIND_BUFFER, pack(f"<{len(values)}I", *(value & 0xFFFFFFFF for value in values)))


def ring(*calls: tuple[int, tuple[int, ...], int, bytes, bytes], between: bool = False) -> Snapshot:
    """Each a number, registers, the result, and the items at entry and at exit."""
    made = RingWriter(1 << 20, 1 << 14)
    made.name(7, 7, "old")
    for number, registers, result, entered, returned in calls:
        short_nr = number | len(registers) << layout.NR_ARGS_SHIFT | layout.NR_COMPAT
        made.record(
            0,
            7,
            layout.TYPE_ENTER,
            short_nr,
            bytes(layout.ROOM.size) + pack(f"<{len(registers)}Q", *registers) + entered,
        )
        if between:
            made.task_exit(0, 8, 0)
        made.record(0, 7, layout.TYPE_EXIT, number | layout.NR_COMPAT, pack("<q", result) + returned)
    return made.snapshot()


BUFFER, MSG = layout.KIND_BUFFER, layout.KIND_MSG
CONNECT = (
    SOCKETCALL,
    (3, ARRAY),
    -ECONNREFUSED,
    words(3, 0x5000, 16) + nested(1, 1, BUFFER, INET),
    b"",
)
HEADER = pack("<7I", 0, 0, 0x6000, 1, 0, 0, 0)
SHOWN = [
    ((SOCKETCALL, (1, ARRAY), 3, words(2, 1, 0), b""), "socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3"),
    (
        CONNECT,
        (
            'connect(3, {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("127.0.0.1")}, 16)'
            " = -1 ECONNREFUSED (Connection refused)"
        ),
    ),
    ((SOCKETCALL, (4, ARRAY), 0, words(3, 5), b""), "listen(3, 5) = 0"),
    (
        (
            SOCKETCALL,
            (5, ARRAY),
            4,
            words(3, 0x5000, 0x5800) + nested(1, 2, BUFFER, pack("<I", 128)),
            nested(1, 1, BUFFER, INET, out=True) + nested(1, 2, BUFFER, pack("<I", 16), out=True),
        ),
        'accept(3, {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("127.0.0.1")}, [128 => 16]) = 4',
    ),
    (
        (SOCKETCALL, (9, ARRAY), 2, words(3, 0x5000, 2, 0x4000) + nested(1, 1, BUFFER, b"hi"), b""),
        'send(3, "hi", 2, MSG_NOSIGNAL) = 2',
    ),
    (
        (SOCKETCALL, (10, ARRAY), 2, words(3, 0x5000, 99, 0), nested(1, 1, BUFFER, b"ho", out=True)),
        'recv(3, "ho", 99, 0) = 2',
    ),
    (
        (
            SOCKETCALL,
            (16, ARRAY),
            2,
            words(3, 0x5000, 0)
            + nested(1, 1, MSG, HEADER)
            + nested(1, 0, layout.KIND_IOVEC, pack("<II", 0x7000, 2))
            + nested(1, 0, BUFFER, b"hi"),
            b"",
        ),
        (
            'sendmsg(3, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="hi", iov_len=2}], msg_iovlen=1, '
            "msg_controllen=0, msg_flags=0}, 0) = 2"
        ),
    ),
    (
        (SOCKETCALL, (14, ARRAY), 0, words(3, 1, 2, 0x5000, 4) + nested(1, 1, BUFFER, pack("<I", 1)), b""),
        "setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0",
    ),
    ((SOCKETCALL, (13, ARRAY), 0, words(3, 2), b""), "shutdown(3, SHUT_RDWR) = 0"),
    # the array could not be read, or there is no such call
    ((SOCKETCALL, (3, ARRAY), -14, b"", b""), "socketcall(SYS_CONNECT, 0xff801000) = -1 EFAULT (Bad address)"),
    (
        (SOCKETCALL, (99, ARRAY), -22, b"", b""),
        "socketcall(99, 0xff801000) = -1 EINVAL (Invalid argument)",
    ),
    (
        (IPC, (1, 5, 1, 0, 0x5000, 0), 0, item(4, BUFFER, pack("<Hhh", 0, -1, 0x1000)), b""),
        "semop(5, [{sem_num=0, sem_op=-1, sem_flg=SEM_UNDO}], 1) = 0",
    ),
    ((IPC, (2, 0, 1, 0o1600, 0, 0), 5, b"", b""), "semget(IPC_PRIVATE, 1, IPC_CREAT|0600) = 5"),
    ((IPC, (3, 5, 0, 0x110, 0x5000, 0), 0, words(7, arg=4), b""), "semctl(5, 0, IPC_64|SETVAL, [0x7]) = 0"),
    (
        (IPC, (11, 6, 2, 0, 0x5000, 0), 0, item(4, BUFFER, pack("<i", 3) + b"hi"), b""),
        'msgsnd(6, {mtype=3, mtext="hi"}, 2, 0) = 0',
    ),
    (
        (
            IPC,
            (12, 6, 99, 0, 0x5000, 0),
            2,
            words(0x6000, -3, arg=4),
            nested(4, 1, BUFFER, pack("<i", 3) + b"hi", out=True),
        ),
        'msgrcv(6, {mtype=3, mtext="hi"}, 99, -3, 0) = 2',
    ),
    ((IPC, (23, 0, 4096, 0o1600, 0, 0), 9, b"", b""), "shmget(IPC_PRIVATE, 4096, IPC_CREAT|0600) = 9"),
    (
        (IPC, (21, 9, 0, 0x5000, 0, 0), 0, b"", item(3, BUFFER, pack("<I", 0xF7F0_0000), flags=OUT)),
        "shmat(9, NULL, 0) = 0xf7f00000",
    ),
    ((IPC, (22, 0, 0, 0, 0xF7F0_0000, 0), 0, b"", b""), "shmdt(0xf7f00000) = 0"),
    ((IPC, (24, 9, 0x100, 0, 0, 0), 0, b"", b""), "shmctl(9, IPC_64|IPC_RMID, NULL) = 0"),
]


def lines(snapshot: Snapshot) -> list[str]:
    return [re.sub(r"\) += ", ") = ", line.removeprefix("7     ")) for line in strace.lines(events(snapshot), snapshot)]


@pytest.mark.parametrize(("call", "line"), SHOWN, ids=[line.partition("(")[0] for _, line in SHOWN])
def test_a_line_as_strace_has_it(call: tuple[int, tuple[int, ...], int, bytes, bytes], line: str) -> None:
    assert lines(ring(call)) == [line]
    name = line.partition("(")[0]
    begun, _, resumed = lines(ring(call, between=True))
    assert begun.startswith(f"{name}(")
    assert resumed.startswith(f"<... {name} resumed>")
    assert resumed.endswith(line.rpartition(") = ")[2])


def test_an_array_that_was_read_at_the_exit() -> None:
    """The page was not there yet at entry."""
    fault = item(1, BUFFER, b"", size=12, flags=layout.ITEM_FAULT)
    call = (SOCKETCALL, (1, ARRAY), 3, fault, words(2, 1, 0))
    assert lines(ring(call)) == ["socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3"]


def test_names_and_numbers_in_the_other_formats() -> None:
    snapshot = ring(CONNECT)
    (line,) = short.lines(events(snapshot), snapshot)
    assert "connect(fd=3, uservaddr={sa_family=AF_INET" in line
    (text,) = jsonl.lines(events(snapshot), snapshot)
    made = json.loads(text)
    assert (made["syscall"], made["number"], made["compat"]) == ("connect", SOCKETCALL, True)
    assert [arg["raw"] for arg in made["args"]] == [3, 0x5000, 16]


@pytest.mark.parametrize(("words_", "found"), [("%network", 1), ("connect", 1), ("connect@32", 1), ("connect@64", 0)])
def test_it_is_picked_by_its_own_name(words_: str, found: int) -> None:
    picked = list(selected(events(ring(CONNECT)), Selection(trace_set(words_))))
    assert len(picked) == found


def test_what_it_opens_is_followed() -> None:
    connected = (*CONNECT[:2], 0, *CONNECT[3:])
    snapshot = ring(SHOWN[0][0], connected, (4, (3, 0x5000, 1), 1, b"", b""))
    shown = list(strace.lines(known(events(snapshot), sockets=True), snapshot))
    assert "write(3<TCP:[->127.0.0.1:8080]>" in shown[2]


def test_the_table_reads_what_is_placed_where() -> None:
    """Nested memory is that of the word which points to it, and the array has a word for each argument."""
    tables = {SOCKETCALL: "socket_op", IPC: "ipc_ops"}
    by_name = {text: (number, op) for number, name in tables.items() for op, text in constants.entries(name, "x86_64")}
    seen = set()
    for line in compat_lines():
        if line.name not in ("socketcall", "ipc"):
            continue
        for name in line.selector.split(",") if line.selector else ():
            number, operation = by_name[name]
            call = CALLS[number | operation << 64]
            seen.add(number | operation << 64)
            (word,) = [word for word in line.words if word.what == "words" and word.direction == "in"] or [None]
            if word is None:
                assert not any(source < 0 for source in call.sources)
                continue
            assert int(word.count) == -min(call.sources)
            assert tuple(call.sources.index(-1 - nested.at // 4) for nested in word.nested) == call.nested
    assert {number for number, call in CALLS.items() if any(source < 0 for source in call.sources)} <= seen
    assert {call.name for call in CALLS.values()} == {I386.within[n].partition("(")[0] for n in CALLS}
