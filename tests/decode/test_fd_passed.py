# SPDX-License-Identifier: Apache-2.0
"""Descriptors that a socket passes on have the sender's file at the receiver, where no other can be meant."""

from __future__ import annotations

from struct import pack
from typing import Any

import pytest
from fdtrace import Trace

from traceloop_decode import layout
from traceloop_decode.model import Call, Entered, Item, Lost, Returned

STREAM, DGRAM, SEQPACKET = 1, 2, 5
PEEK, CTRUNC, CMSG_CLOEXEC = 0x2, 0x8, 0x40000000
EAGAIN = -11
SENDER, RECEIVER = 7, 8


def pair(kind: int = STREAM) -> Trace:
    """Returns a program whose parent, 7, has one end of a pair of sockets, 5, and its child, 8, the other, 6."""
    trace = Trace()
    trace.call("socketpair", 1, kind, 0, pack("<II", 5, 6))
    trace.call("fork", result=RECEIVER)
    trace.child(RECEIVER)
    return trace


def message(
    name: str, socket: int, fds: list[int], *, msg_flags: int = 0, room: int = 64
) -> dict[int, tuple[Item, ...]]:
    def header(length: int, flags: int) -> bytes:
        return pack("<QI4xQQQQI4x", 0, 0, 0, 0, 0x2000, length, flags)

    out = name == "recvmsg"
    control = pack("<QII", 16 + 4 * len(fds), 1, 1) + pack(f"<{len(fds)}i", *fds) if fds else b""
    size = len(control)
    items = [item(0, layout.KIND_MSG, header(size, msg_flags), out=out)]
    if out:
        items.insert(0, item(0, layout.KIND_BUFFER, header(room, 0), out=False))
    if fds:
        items.append(item(layout.SUB_CONTROL, layout.KIND_BUFFER, control, out=out))
    return {1: tuple(items)}


def item(sub: int, kind: int, data: bytes, *, out: bool) -> Item:
    return Item(sub, kind, data, len(data), more=False, fault=False, out=out)


def made(trace: Trace, name: str, socket: int, *fds: int, flags: int = 0, result: int | None = 1, **how: Any) -> Call:
    thread = SENDER if name == "sendmsg" else RECEIVER
    thread = how.pop("thread", thread)
    call = trace.made(name, socket, 0x1000, flags, result=result, tid=thread, pid=thread)
    return call._replace(items=message(name, socket, [*fds], **how))


def send(trace: Trace, *fds: int, socket: int = 5, **how: Any) -> None:
    trace.table.observe(made(trace, "sendmsg", socket, *fds, **how))


def receive(trace: Trace, *fds: int, socket: int = 6, **how: Any) -> None:
    trace.table.observe(made(trace, "recvmsg", socket, *fds, **how))


@pytest.mark.parametrize("kind", [STREAM, SEQPACKET, STREAM | 0o2000000])
def test_a_descriptor_has_the_senders_name(kind: int) -> None:
    trace = pair(kind)
    trace.open(b"/f", 3)
    trace.open(b"/g", 4)
    send(trace, 3, 4)
    trace.call("close", 3)
    receive(trace, 20, 21)
    assert [trace.fd(fd, RECEIVER) for fd in (20, 21)] == ["</f>", "</g>"]
    send(trace, 4)
    receive(trace, 22)
    assert trace.fd(22, RECEIVER) == "</g>"


def test_a_received_descriptor_loses_what_was_known_of_its_number() -> None:
    trace = pair()
    trace.open(b"/old", 20, tid=RECEIVER, pid=RECEIVER)
    receive(trace, 20)  # the close was not seen; nobody known has sent anything
    assert trace.fd(20, RECEIVER) == ""
    assert trace.fd(6, RECEIVER) == trace.fd(6, SENDER)


def test_messages_of_recvmmsg_replace_what_was_known_too() -> None:
    trace = pair()
    trace.open(b"/f", 3)
    for fd in (20, 21, 22):
        trace.open(b"/old", fd, tid=RECEIVER, pid=RECEIVER)
    send(trace, 3)
    call = trace.made("recvmmsg", 6, 0x1000, 1, 0, 0, result=1, tid=RECEIVER, pid=RECEIVER)
    _, head, control = message("recvmsg", 6, [20])[1]
    trace.table.observe(call._replace(items={1: (head._replace(data=head.data + bytes(8), size=64), control)}))
    assert trace.fd(20, RECEIVER) == "</f>"
    _, _, other = message("recvmsg", 6, [22])[1]
    two = (head, control._replace(data=control.data[:16] + pack("<i", 21)), head, other)
    trace.table.observe(call._replace(items={1: two}, result=2))
    assert [trace.fd(fd, RECEIVER) for fd in (21, 22)] == ["", ""]


def test_two_messages_on_their_way_give_no_name() -> None:
    trace = pair()
    trace.open(b"/f", 3)
    trace.open(b"/g", 4)
    send(trace, 3)  # received by read(2), perhaps, and lost
    send(trace, 4)
    receive(trace, 20)
    receive(trace, 21)
    send(trace, 3)
    receive(trace, 22)
    assert [trace.fd(fd, RECEIVER) for fd in (20, 21, 22)] == ["", "", ""]


@pytest.mark.parametrize(
    ("sent", "received", "how"), [((3, 4), (20,), {}), ((3, 4), (20,), {"msg_flags": CTRUNC}), ((3,), (20, 21), {})]
)
def test_another_number_of_descriptors_gives_no_name(
    sent: tuple[int, ...], received: tuple[int, ...], how: dict[str, int]
) -> None:
    trace = pair()
    trace.open(b"/f", 3)
    trace.open(b"/g", 4)
    send(trace, *sent)
    receive(trace, *received, **how)
    assert trace.fd(20, RECEIVER) == ""


def test_a_failed_message_is_not_on_its_way() -> None:
    trace = pair()
    trace.open(b"/f", 3)
    trace.open(b"/g", 4)
    send(trace, 3, result=EAGAIN)
    send(trace, 4)
    receive(trace, 20)
    assert trace.fd(20, RECEIVER) == "</g>"


def test_a_look_at_a_message_leaves_it() -> None:
    trace = pair()
    trace.open(b"/f", 3)
    send(trace, 3)
    receive(trace, 20, flags=PEEK)
    receive(trace, 21)
    assert [trace.fd(fd, RECEIVER) for fd in (20, 21)] == ["</f>", "</f>"]


def test_execve_closes_what_was_received_so() -> None:
    trace = pair()
    trace.open(b"/f", 3)
    send(trace, 3)
    receive(trace, 20, flags=CMSG_CLOEXEC)
    send(trace, 3)
    receive(trace, 21)
    trace.call("execve", b"/bin/x", 0, 0, tid=RECEIVER, pid=RECEIVER)
    assert [trace.fd(fd, RECEIVER) for fd in (20, 21)] == ["", "</f>"]


@pytest.mark.parametrize("changed", [False, True])
def test_a_receiver_may_return_before_the_sender(*, changed: bool) -> None:
    """The number is read while the call runs: a name is certain if it stands for the same file still."""
    trace = pair()
    trace.open(b"/f", 3)
    trace.open(b"/g", 4)
    call = made(trace, "sendmsg", 5, 3)
    trace.table.observe(Entered(call._replace(result=None, end_ns=None)))
    if changed:
        trace.call("dup2", 4, 3, result=3)
    receive(trace, 20)
    trace.table.observe(Returned(call))
    assert trace.fd(20, RECEIVER) == ("" if changed else "</f>")
    send(trace, 4)
    receive(trace, 21)
    assert trace.fd(21, RECEIVER) == "</g>"


def test_sockets_with_other_senders_give_no_name() -> None:
    trace = pair(DGRAM)  # it may be connected anew
    trace.open(b"/f", 3)
    send(trace, 3)
    receive(trace, 20)
    trace.call("socket", 1, 1, 0, result=10)
    send(trace, 3, socket=10)
    receive(trace, 21, socket=10)
    assert [trace.fd(fd, RECEIVER) for fd in (20, 21)] == ["", ""]


def unknown_socket(trace: Trace) -> None:
    send(trace, 3, socket=99)


def end_passed_on(trace: Trace) -> None:
    trace.call("socket", 1, 1, 0, result=10)
    send(trace, 5, socket=10)


def other_end_passed_on(trace: Trace) -> None:
    trace.call("socket", 1, 1, 0, result=10)
    send(trace, 6, socket=10)


def unknown_passed_on(trace: Trace) -> None:
    trace.call("socket", 1, 1, 0, result=10)
    send(trace, 98, socket=10)


def socket_from_proc(trace: Trace) -> None:
    trace.call("fstat", 97, pack("<QQQIIIIQ", 1, 5, 1, 0o140777, 0, 0, 0, 0).ljust(144, b"\0"))
    assert trace.fd(97) == "<socket:[5]>"
    send(trace, 3, socket=97)


def unread_message(trace: Trace) -> None:
    trace.call("sendmsg", 99, 0x1000, 0, result=1)


def several_messages(trace: Trace) -> None:
    trace.call("sendmmsg", 5, 0x1000, 2, 0, result=2)


def requests_unseen(trace: Trace) -> None:
    trace.call("io_uring_setup", 8, 0, result=11, tid=9, pid=9)


@pytest.mark.parametrize(
    "doubt",
    [
        unknown_socket,
        socket_from_proc,
        end_passed_on,
        other_end_passed_on,
        unknown_passed_on,
        unread_message,
        several_messages,
        requests_unseen,
    ],
    ids=lambda doubt: doubt.__name__,
)
def test_where_another_may_have_sent_there_is_no_name(doubt: Any) -> None:
    trace = pair()
    trace.open(b"/f", 3)
    doubt(trace)
    send(trace, 3)
    receive(trace, 20)
    assert trace.fd(20, RECEIVER) == ""


def test_an_end_that_may_be_of_another_pair_gives_no_name() -> None:
    """Each of two children may be the one that has descriptor 5 of this pair, or of that."""
    trace = Trace()
    trace.open(b"/f", 3)
    trace.call("socketpair", 1, STREAM, 0, pack("<II", 5, 6))
    first = trace.made("fork", result=2)
    trace.table.observe(Entered(first._replace(result=None, end_ns=None)))
    trace.call("socketpair", 1, STREAM, 0, pack("<II", 5, 6), tid=9, pid=9)
    second = trace.made("fork", result=2, tid=9, pid=9)
    trace.table.observe(Entered(second._replace(result=None, end_ns=None)))
    trace.child(50)
    send(trace, 3, socket=6)
    receive(trace, 20, socket=5, thread=50)
    assert trace.fd(20, 50) == ""


def test_a_descriptor_of_another_process_has_no_name() -> None:
    trace = Trace()
    trace.open(b"/old", 20)
    trace.call("pidfd_getfd", 3, 4, 0, result=20)
    assert trace.fd(20) == ""


def test_nothing_is_on_its_way_after_a_loss() -> None:
    trace = pair()
    trace.open(b"/f", 3)
    send(trace, 3)
    trace.table.observe(Lost(trace.now_ns, 0, 1, 1, "overwritten"))
    receive(trace, 20)
    assert trace.fd(20, RECEIVER) == ""
