# SPDX-License-Identifier: Apache-2.0
"""A netlink message's type has its protocol's name if the trace shows the socket's protocol, otherwise a number."""

from __future__ import annotations

import re
from collections.abc import Callable
from struct import pack

import pytest
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.descriptors.follow import known, protocols, unnamed
from traceloop_decode.events import events
from traceloop_decode.syscalls import X86_64
from traceloop_decode.text import strace

NUMBERS = {call.name: number for number, call in X86_64.table().items()}
AF_INET, AF_NETLINK, NETLINK_ROUTE, NETLINK_UEVENT = 2, 16, 0, 15
GETLINK = pack("<IHHII", 17, 18, 0x301, 1, 0) + b"\0"
UEVENT = b"add@/devices/virtual/x\0"
NAMED = (
    "[{nlmsg_len=17, nlmsg_type=RTM_GETLINK, nlmsg_flags=NLM_F_REQUEST|NLM_F_DUMP, nlmsg_seq=1, nlmsg_pid=0}, "
    "{ifi_family=AF_UNSPEC, ...}]"
)
TEXT = '"\\21\\0\\0\\0\\22\\0\\1\\3\\1\\0\\0\\0\\0\\0\\0\\0\\0"'


class Trace:
    """A ring's calls, and the text of the messages among them."""

    def __init__(self) -> None:
        self.ring = RingWriter()

    def call(self, pid: int, name: str, *registers: int, result: int = 0, items: bytes = b"") -> None:
        self.ring.enter(0, pid, NUMBERS[name], *registers, items=items)
        self.ring.exit(0, pid, NUMBERS[name], result)

    def socket(self, pid: int, fd: int, family: int = AF_NETLINK, protocol: int = NETLINK_ROUTE) -> None:
        self.call(pid, "socket", family, 3, protocol, result=fd)

    def send(self, pid: int, fd: int, data: bytes = GETLINK) -> None:
        sent = item(1, layout.KIND_BUFFER, data)
        self.call(pid, "sendto", fd, 0x1000, len(data), 0, 0, 0, result=len(data), items=sent)

    def sent(self, follow: Callable = protocols) -> list[str]:
        snapshot = self.ring.snapshot()
        lines = strace.lines(follow(events(snapshot)), snapshot)
        return [match[1] for line in lines if (match := re.search(r"sendto\(\d+, (.*), \d+, 0, NULL, 0\)", line))]


@pytest.fixture
def trace() -> Trace:
    return Trace()


def test_by_the_socket(trace: Trace) -> None:
    trace.send(7, 3)
    trace.socket(7, 3)
    trace.send(7, 3)
    trace.call(7, "dup", 3, result=4)
    trace.send(7, 4)
    trace.call(7, "close", 3)
    trace.socket(7, 3, AF_INET)
    trace.send(7, 3)
    trace.send(8, 4)
    assert trace.sent() == [TEXT, NAMED, NAMED, TEXT, TEXT]


def test_a_child_has_its_parents(trace: Trace) -> None:
    trace.ring.name(8, 8, "t7")
    trace.socket(7, 3)
    trace.call(7, "fork", result=8)
    trace.ring.exit(0, 8, NUMBERS["fork"], 0)
    trace.send(8, 3)
    assert trace.sent() == [NAMED]


def test_what_the_kernel_tells_udev_is_text(trace: Trace) -> None:
    trace.socket(7, 3, protocol=NETLINK_UEVENT)
    trace.send(7, 3, UEVENT)
    assert trace.sent() == ['"add@/devices/virtual/x\\0"']


def test_following_all_says_the_same(trace: Trace) -> None:
    trace.socket(7, 3)
    trace.send(7, 3)
    assert trace.sent(known) == trace.sent(lambda found: unnamed(known(found))) == [NAMED]


def test_nothing_else_is_named(trace: Trace) -> None:
    trace.socket(7, 3)
    path = item(0, layout.KIND_STRING, b"/etc/hosts")
    trace.call(7, "open", 0x1000, 0, 0, result=5, items=path)
    trace.call(7, "fsync", 5)
    snapshot = trace.ring.snapshot()
    assert list(strace.lines(protocols(events(snapshot)), snapshot)) == list(strace.lines(events(snapshot), snapshot))
