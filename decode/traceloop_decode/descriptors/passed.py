# SPDX-License-Identifier: Apache-2.0
"""Descriptors that sockets pass on (SCM_RIGHTS): which file a received one stands for.

Theory of operation. Both ends of a connected pair that socketpair(2) made are in processes of the trace, so all
messages are seen, from the begin of their sending on. If one message with descriptors is on its way to an end, and as
many descriptors are received there, they are those. With two on their way, the earlier one may have been received
without its descriptors, by read(2): then nothing is told of this end any more. Nor is it where a message may have been
sent that was not seen as one to this end: by an unknown socket, or after an end itself was passed on.

The receiver's call may return before the sender's does.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final
from weakref import WeakKeyDictionary

from traceloop_decode import layout
from traceloop_decode.descriptors.opened import Opened
from traceloop_decode.descriptors.tables import Begun, Table, Task
from traceloop_decode.errnos import is_error
from traceloop_decode.model import Call, Item

SENDS: Final = frozenset(("sendmsg", "sendmmsg"))
RECEIVES: Final = frozenset(("recvmsg", "recvmmsg"))
_INT: Final = 0xFFFFFFFF
_AF_UNIX: Final = 1
_CONNECTED: Final = (1, 5)  # SOCK_STREAM and SOCK_SEQPACKET: one of SOCK_DGRAM may be connected anew
_TYPE_MASK: Final = 0xF
_UNIX: Final = "UNIX-"
_MSG_PEEK: Final = 2
_MSG_CMSG_CLOEXEC: Final = 0x40000000
_FLAGS_AT: Final = {"recvmsg": 2, "recvmmsg": 3}
_CONTROL_LENGTH: Final = Struct("<40xQ")  # of struct user_msghdr
_CONTROL_LENGTH_32: Final = Struct("<20xI")
_CONTROL: Final = Struct("<QII")  # struct cmsghdr: len, level, type
_CONTROL_32: Final = Struct("<III")
_MESSAGES_MAX: Final = 16
"""An end to which more are on their way is not followed: it gets no name in any case."""
_RIGHTS: Final = (1, 1)  # SOL_SOCKET, SCM_RIGHTS


class _Message:
    """A message on its way. sender: whose call has not returned; None afterwards."""

    __slots__ = ("_files", "_numbers", "_table", "sender")

    def __init__(self, sender: int, table: Table, numbers: list[int], files: list[Opened | None]) -> None:
        self.sender: int | None = sender
        self._table, self._numbers, self._files = table, numbers, files

    @property
    def files(self) -> list[Opened | None]:
        """Files of its descriptors. While the call runs, another thread may give the numbers others: None for these."""
        if self.sender is None:
            return self._files
        now = [self._table.get(number) for number in self._numbers]
        return [file if file is found else None for file, found in zip(self._files, now, strict=True)]

    def sent(self) -> None:
        """Notes that the sender's call has returned."""
        self._files, self.sender = self.files, None


class _End:
    """An end of a pair: the messages on their way to it. doubts: how many had arisen when it was made."""

    __slots__ = ("doubts", "messages", "sure")

    def __init__(self, doubts: int) -> None:
        self.doubts, self.sure = doubts, True
        self.messages: list[_Message] = []

    def doubt(self) -> None:
        """Notes that there may be other messages."""
        self.sure = False
        self.messages.clear()


class Passed:
    """Messages with descriptors on their way between sockets of the trace."""

    __slots__ = ("_doubts", "_ends", "_never", "_running")

    def __init__(self) -> None:
        self._ends: WeakKeyDictionary[Opened, _End] = WeakKeyDictionary()
        self._running: dict[int, tuple[_End, _Message]] = {}  # by sender
        self._doubts, self._never = 0, False

    def forget(self) -> None:
        """Forgets all pairs made until now."""
        self._ends.clear()
        self._running.clear()

    def give_up(self) -> None:
        """Notes that messages may be sent without a call that is seen."""
        self._never = True

    def pair(self, call: Call, ends: tuple[Opened, Opened]) -> None:
        """Notes the two sockets that socketpair(2) made."""
        family, kind = (register & _INT for register in call.registers[:2])
        if family == _AF_UNIX and kind & _TYPE_MASK in _CONNECTED:
            ends[0].twin, ends[1].twin = ends[1], ends[0]
            self._ends.update({end: _End(self._doubts) for end in ends})

    def begin(self, call: Call, task: Task, begun: Begun) -> None:
        """Notes a message whose sending begins."""
        if not self._ends:
            return
        direct = call.request is not None and call.request.direct
        socket = begun.fds.opened(call.registers[0] & _INT) if call.registers and not direct else None
        end = self._ends.get(socket.twin) if socket is not None and socket.twin is not None else None
        numbers = _sent(call)
        if numbers is None and _is_any(socket, _UNIX):
            self._doubts += 1  # it may have passed on any of the ends
        if not numbers:
            return
        files = [begun.fds.opened(number) for number in numbers]
        if None in files or (end is None and _is_any(socket)):
            self._doubts += 1
        for file in files:
            if file is not None and file in self._ends and file.twin is not None:
                self._ends[file].doubt()
                self._ends[file.twin].doubt()
        if end is not None and end.sure:
            if len(end.messages) >= _MESSAGES_MAX:
                end.doubt()
                return
            message = _Message(call.key, task.table, numbers, files)
            end.messages.append(message)
            self._running[call.key] = (end, message)

    def end(self, call: Call) -> None:
        """Notes that a call which sends has returned."""
        end, message = self._running.pop(call.key, (None, None))
        if end is None or message is None:
            return
        message.sent()
        if call.result is not None and is_error(call.result) and message in end.messages:
            end.messages.remove(message)

    def receive(self, call: Call, task: Task, begun: Begun) -> None:
        """Notes the descriptors that a call received."""
        received = [numbers for numbers in _received(call) if numbers]
        flags = call.registers[_FLAGS_AT[call.name]]
        socket = begun.fds.opened(call.registers[0] & _INT)
        end = self._ends.get(socket) if socket is not None else None
        files = list[Opened | None]()
        if end is not None and received and end.sure:
            if len(received) == len(end.messages) == 1:
                files = end.messages[0].files
            if len(files) != len(received[0]):
                end.doubt()
            elif not flags & _MSG_PEEK:
                end.messages.clear()
        if end is None or not end.sure or end.doubts < self._doubts or self._never:
            files = []
        for n, number in enumerate(number for numbers in received for number in numbers):
            closed = flags & _MSG_CMSG_CLOEXEC != 0
            task.table.put(number, files[n] if n < len(files) else None, closed_by_exec=closed)


def _is_any(opened: Opened | None, kind: str | None = None) -> bool:
    # Tells whether it may be any socket, or, where it is known which, one of a kind.
    known = opened.now if opened is not None else None
    socket = known.socket if known is not None else None
    return socket is None or (kind is not None and socket.kind.startswith(kind))


def _sent(call: Call) -> list[int] | None:
    # Returns the descriptors that a message is given; None if they are not known.
    if call.name != "sendmsg":
        return None
    items = [item for item in call.items.get(1, ()) if not item.out]
    header = next((item.data for item in items if item.kind == layout.KIND_MSG), b"")
    control = next((item for item in items if item.sub == layout.SUB_CONTROL), None)
    length = _CONTROL_LENGTH_32 if call.compat else _CONTROL_LENGTH
    if len(header) < length.size:
        return None
    if not length.unpack_from(header)[0]:
        return []
    return None if control is None or control.more or control.fault else _rights(control, compat=call.compat)


def _received(call: Call) -> Iterator[list[int]]:
    for item in call.items.get(1, ()):
        if item.out and item.sub == layout.SUB_CONTROL and item.kind == layout.KIND_BUFFER:
            yield _rights(item, compat=call.compat)


def _rights(control: Item, *, compat: bool) -> list[int]:
    head, align = (_CONTROL_32, 3) if compat else (_CONTROL, 7)
    data, at, found = control.data, 0, list[int]()
    while at + head.size <= len(data):
        length, *kind = head.unpack_from(data, at)
        if length < head.size:
            break
        if tuple(kind) == _RIGHTS:
            rest = data[at + head.size : at + length]
            found += (int.from_bytes(rest[n : n + 4], "little") for n in range(0, len(rest) // 4 * 4, 4))
        at += (length + align) & ~align
    return found
