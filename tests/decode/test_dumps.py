# SPDX-License-Identifier: Apache-2.0
"""The bytes that -e read= and -e write= show below a call, compared with what strace 6.1 shows."""

from __future__ import annotations

from struct import pack

from madeevents import NUMBERS, args, call, item

from traceloop_decode import layout
from traceloop_decode.model import Item
from traceloop_decode.syscalls import table
from traceloop_decode.text import dumps

_CALLS = table(compat=False)


def dumped(name: str, *registers: int, items: tuple[Item, ...], result: int) -> list[str]:
    params = _CALLS[NUMBERS[name]].params
    values = [(value, *items) if index == 1 else value for index, value in enumerate(registers)]
    made = call(name, args(params, *values), result)
    return list(dumps.lines(made, lambda _fd: True, lambda _fd: True))


def row(data: str, text: str) -> str:
    return f" | 00000  {data:<48}  {text:<16} |"


def test_what_was_to_be_written_is_shown_even_if_the_call_failed():
    assert dumped("write", 1, 16, 2, items=(item(b"hi"),), result=-9) == [row("68 69", "hi")]
    assert dumped("read", 0, 16, 2, items=(item(b"hi", out=True),), result=-9) == []
    assert dumped("write", 1, 16, 9, items=(item(b"hi", size=9, fault=True),), result=-14) == []
    half = item(bytes(16), layout.KIND_IOVEC, size=32, fault=True)
    assert dumped("writev", 1, 16, 2, items=(half, item(b"hi", sub=0)), result=-14) == []
    assert dumped("write", 2**32 - 1, 16, 2, items=(item(b"hi"),), result=-9) == []  # no descriptor


def test_buffers_are_shown_as_far_as_was_read():
    pieces = (
        item(bytes(32), layout.KIND_IOVEC, out=True),
        item(b"abc", size=8, out=True, sub=0),
        item(b"", size=15, out=True, sub=1),
    )
    assert dumped("readv", 0, 16, 2, items=pieces, result=3) == [" * 3 bytes in buffer 0", row("61 62 63", "abc")]


def message(iov_count: int, length: int, sub: int) -> Item:
    """A struct mmsghdr as the recorder reads it after the call."""
    return item(pack("<24xQ24xI4x", iov_count, length), layout.KIND_MSG, size=64, sub=sub, out=True)


def test_buffers_of_several_messages_are_shown_by_message():
    """The lines are those of strace's test mmsg: two messages were moved, with 8 and 7 bytes."""
    items = (
        message(2, 8, 0),
        item(bytes(32), layout.KIND_IOVEC, out=True),
        item(b"012", out=True, sub=0),
        item(b"34567", out=True, sub=1),
        message(2, 7, 1),
        item(b"/tmp/a", out=True, sub=layout.SUB_NAME),
        item(bytes(32), layout.KIND_IOVEC, out=True),
        item(b"89abcde", size=7, out=True, sub=0),
        item(b"", size=5, out=True, sub=1),
        message(1, 3, 2),
        item(bytes(16), layout.KIND_IOVEC, out=True),
        item(b"not", out=True, sub=0),
    )
    expected = [
        " = 2 buffers in vector 0",
        " * 3 bytes in buffer 0",
        row("30 31 32", "012"),
        " * 5 bytes in buffer 1",
        row("33 34 35 36 37", "34567"),
        " = 2 buffers in vector 1",
        " * 7 bytes in buffer 0",
        row("38 39 61 62 63 64 65", "89abcde"),
    ]
    assert dumped("recvmmsg", 3, 16, 3, 0, 0, items=items, result=2) == expected
    assert dumped("sendmmsg", 3, 16, 3, 0, items=items, result=2) == expected
    assert dumped("sendmmsg", 3, 16, 3, 0, items=items, result=-9) == []
    assert dumped("recvmmsg", 3, 16, 3, 0, 0, items=(), result=2) == []


def test_messages_of_queues_are_shown():
    assert dumped("mq_timedsend", 3, 16, 1, 0, 0, items=(item(b"m"),), result=0) == [row("6d", "m")]
    assert dumped("mq_timedreceive", 3, 16, 9, 0, 0, items=(item(b"m", out=True),), result=1) == [row("6d", "m")]
