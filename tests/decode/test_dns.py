# SPDX-License-Identifier: Apache-2.0
"""DNS messages are decoded where the other end is port 53, and nowhere else."""

from __future__ import annotations

import ctypes
import json
import re
from random import Random
from struct import pack

import pytest
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.descriptors.follow import known, protocols
from traceloop_decode.events import events
from traceloop_decode.syscalls import X86_64
from traceloop_decode.text import jsonl, short, strace
from traceloop_decode.values.dns import Message, Question, Record, parsed, text
from traceloop_decode.values.options import Options

NUMBERS = {call.name: number for number, call in X86_64.table().items()}
BUFFER, OUT = layout.KIND_BUFFER, layout.ITEM_OUT
A, AAAA, CNAME, MX = 1, 28, 5, 15
AF_INET, SOCK_STREAM, SOCK_DGRAM = 2, 1, 2


def name(words: str) -> bytes:
    return b"".join(bytes([len(word)]) + word.encode() for word in words.split(".") if word) + b"\0"


def query(words: str = "db.internal", kind: int = A, *, ident: int = 7) -> bytes:
    return pack(">6H", ident, 0x0100, 1, 0, 0, 0) + name(words) + pack(">HH", kind, 1)


def answer(code: int = 0, *records: tuple[int, bytes], words: str = "db.internal", kind: int = A) -> bytes:
    """Each record's name points at the question's."""
    head = pack(">6H", 7, 0x8180 | code, 1, len(records), 0, 0) + name(words) + pack(">HH", kind, 1)
    return head + b"".join(b"\xc0\x0c" + pack(">HHIH", kind, 1, 60, len(data)) + data for kind, data in records)


MESSAGES = [
    (query(), "dns query A db.internal"),
    (query("", 2), "dns query NS ."),
    (query("a b.x", 99), r"dns query TYPE99 a\032b.x"),
    (answer(3), "dns answer NXDOMAIN A db.internal"),
    (answer(2, kind=AAAA), "dns answer SERVFAIL AAAA db.internal"),
    (answer(0, (A, b"\x0a\0\0\7")), "dns answer NOERROR A db.internal: A 10.0.0.7"),
    (
        answer(0, (CNAME, b"\3one\xc0\x0f"), (AAAA, bytes(15) + b"\1"), (MX, b"\0\1\0"), kind=AAAA),
        "dns answer NOERROR AAAA db.internal: CNAME one.internal, AAAA ::1, MX",
    ),
    (answer(0, (A, b"\x0a\0\0\7"), (A, b"\x0a\0\0\x08"))[:-3], "dns answer NOERROR A db.internal: A 10.0.0.7, ..."),
]
NO_MESSAGES = [
    b"",
    b"GET / HTTP/1.1\r\nHost: db.internal\r\n\r\n",
    query()[:-1],
    query()[:20],
    pack(">6H", 7, 0x0100, 1, 0, 0, 0) + b"\xc0\x0c" + pack(">HH", 1, 1),  # points at itself
    pack(">6H", 7, 0x0100, 1, 0, 0, 0) + bytes([64]) + bytes(80),
    pack(">6H", 7, 0x2900, 1, 0, 0, 0) + name("x") + pack(">HH", 6, 1),  # an update
]


@pytest.mark.parametrize(("data", "shown"), MESSAGES, ids=[shown for _, shown in MESSAGES])
def test_messages(data: bytes, shown: str) -> None:
    message = parsed(data)
    assert message is not None
    assert text(message) == shown


@pytest.mark.parametrize("data", NO_MESSAGES)
def test_what_is_no_message(data: bytes) -> None:
    assert parsed(data) is None


def test_queries_as_the_c_library_makes_them() -> None:
    resolver = ctypes.CDLL("libresolv.so.2")
    made = getattr(resolver, "res_mkquery", None) or resolver.__res_mkquery
    buffer = ctypes.create_string_buffer(512)
    for words, kind, number in (
        ("db.internal", "A", A),
        ("x.example.org", "AAAA", AAAA),
        ("1.0.0.127.in-addr.arpa", "PTR", 12),
    ):
        size = made(0, words.encode(), 1, number, None, 0, None, buffer, len(buffer))
        assert size > 0
        message = parsed(buffer.raw[:size])
        assert message is not None
        assert (message.question, message.code, message.cut) == (Question(words, kind), "", False)


def test_any_bytes_are_a_message_or_none() -> None:
    chance = Random(5)
    seeds = [data for data, _ in MESSAGES]
    for _ in range(5000):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randrange(6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        found = parsed(bytes(data[: chance.randrange(len(data) + 1)]))
        if found is not None:
            assert text(found).isascii()
            assert text(found).isprintable()


class Trace:
    """Calls on sockets, and how they look."""

    def __init__(self) -> None:
        self.ring = RingWriter(1 << 20, 1 << 14)

    def call(self, name_: str, *registers: int, result: int = 0, entered: bytes = b"", returned: bytes = b"") -> None:
        self.ring.enter(0, 7, NUMBERS[name_], *registers, items=entered)
        self.ring.exit(0, 7, NUMBERS[name_], result, items=returned)

    def connected(self, port: int = 53, kind: int = SOCK_DGRAM) -> None:
        self.call("socket", AF_INET, kind, 0, result=3)
        self.call("connect", 3, 0x100, 16, entered=item(1, BUFFER, address(port)))

    def last(self, *, options: Options | None = None) -> str:
        snapshot = self.ring.snapshot()
        found = protocols(events(snapshot), dns=True)
        lines = list(short.lines(found, snapshot) if options is None else strace.lines(found, snapshot, options))
        return re.sub(r" +", " ", lines[-1].split("] ", 1)[-1])

    def objects(self) -> list[dict]:
        snapshot = self.ring.snapshot()
        return [json.loads(line) for line in jsonl.lines(protocols(events(snapshot), dns=True), snapshot)]


def address(port: int) -> bytes:
    return pack("<H", AF_INET) + port.to_bytes(2, "big") + b"\x0a\0\0\2" + bytes(8)


@pytest.fixture
def trace() -> Trace:
    return Trace()


def out(arg: int, data: bytes, **how: int) -> bytes:
    return item(arg, BUFFER, data, flags=OUT, **how)


def test_on_a_connected_socket(trace: Trace) -> None:
    """glibc and Go connect their sockets."""
    trace.connected()
    sent = query()
    trace.call("sendto", 3, 0x100, len(sent), 0x4000, 0, 0, result=len(sent), entered=item(1, BUFFER, sent))
    assert "buff={dns query A db.internal}, len=29" in trace.last()
    trace.call("write", 3, 0x100, len(sent), result=len(sent), entered=item(1, BUFFER, sent))
    assert trace.last() == "write(fd=3, buf={dns query A db.internal}, count=29) = 29"
    told = answer(3)
    trace.call("recvfrom", 3, 0x100, 512, 0, 0, 0, result=len(told), returned=out(1, told))
    assert "ubuf={dns answer NXDOMAIN A db.internal}" in trace.last()
    trace.call("read", 3, 0x100, 512, result=len(told), returned=out(1, told))
    assert "buf={dns answer NXDOMAIN A db.internal}" in trace.last()


def test_by_the_address_of_the_call(trace: Trace) -> None:
    """musl gives the address with each message."""
    sent, told = query(kind=AAAA), answer(0, (A, b"\x0a\0\0\7"))
    to = item(4, BUFFER, address(53))
    trace.call("sendto", 3, 0x100, len(sent), 0, 0x200, 16, result=len(sent), entered=item(1, BUFFER, sent) + to)
    assert "{dns query AAAA db.internal}" in trace.last()
    size = item(5, BUFFER, pack("<I", 16))
    back = out(1, told) + out(4, address(53)) + out(5, pack("<I", 16))
    trace.call("recvfrom", 3, 0x100, 512, 0, 0x200, 0x300, result=len(told), entered=size, returned=back)
    assert "{dns answer NOERROR A db.internal: A 10.0.0.7}" in trace.last()


def test_in_messages(trace: Trace) -> None:
    sent = query()
    header = pack("<QI4xQQQQI4x", 0x500, 16, 0x600, 1, 0, 0, 0)
    parts = item(1, layout.KIND_MSG, header) + item(1, BUFFER, address(53), sub=layout.SUB_NAME)
    vector = item(1, layout.KIND_IOVEC, pack("<QQ", 0x700, len(sent))) + item(1, BUFFER, sent)
    trace.call("sendmsg", 3, 0x100, 0, result=len(sent), entered=parts + vector)
    assert "msg_iov=[{iov_base={dns query A db.internal}, iov_len=29}]" in trace.last()


def test_behind_its_length_in_a_stream(trace: Trace) -> None:
    trace.connected(kind=SOCK_STREAM | SOCK_DGRAM)  # else nothing is followed
    trace.connected()
    sent = query()
    framed = len(sent).to_bytes(2, "big") + sent
    trace.call("write", 3, 0x100, len(framed), result=len(framed), entered=item(1, BUFFER, framed))
    assert "{dns query A db.internal}" in trace.last()


def test_other_ports_and_other_data_stay_as_they_are(trace: Trace) -> None:
    trace.connected(5353)
    sent = query()
    trace.call("write", 3, 0x100, len(sent), result=len(sent), entered=item(1, BUFFER, sent))
    assert "dns" not in trace.last()
    trace.connected()
    trace.call("write", 3, 0x100, 3, result=3, entered=item(1, BUFFER, b"abc"))
    assert 'buf="abc"' in trace.last()


def test_strace_shows_it_only_where_it_is_asked_for(trace: Trace) -> None:
    trace.connected()
    sent = query()
    trace.call("write", 3, 0x100, len(sent), result=len(sent), entered=item(1, BUFFER, sent))
    assert r'write(3, "\0\7\1\0\0\1\0\0\0\0\0\0\2db\10internal\0\0\1\0\1", 29)' in trace.last(options=Options())
    assert "write(3, {dns query A db.internal}, 29)" in trace.last(options=Options(dns=True))


def test_fields_of_jsonl(trace: Trace) -> None:
    trace.connected()
    told = answer(0, (A, b"\x0a\0\0\7"))
    trace.call("read", 3, 0x100, 512, result=len(told), returned=out(1, told))
    *others, made = trace.objects()
    assert not any("dns" in one for one in others)
    record = {"name": "db.internal", "kind": "A", "ttl_s": 60, "data": "10.0.0.7"}
    assert made["dns"] == [
        {"id": 7, "code": "NOERROR", "name": "db.internal", "kind": "A", "records": [record], "cut": False}
    ]
    assert made["args"][1]["text"].startswith('"')


def test_what_is_known_says_it_too(trace: Trace) -> None:
    """-y follows all descriptors from the start."""
    trace.connected()
    sent = query()
    trace.call("write", 3, 0x100, len(sent), result=len(sent), entered=item(1, BUFFER, sent))
    snapshot = trace.ring.snapshot()
    *_, line = short.lines(known(events(snapshot), sockets=True), snapshot)
    assert "write(fd=3<UDP:[->10.0.0.2:53]>, buf={dns query A db.internal}" in line


def test_the_values_of_a_message() -> None:
    assert parsed(answer(0, (A, b"\x0a\0\0\7"))) == Message(
        7, "NOERROR", Question("db.internal", "A"), (Record("db.internal", "A", 60, "10.0.0.7"),), cut=False
    )
