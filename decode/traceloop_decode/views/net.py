# SPDX-License-Identifier: Apache-2.0
"""Peers that a container connected to, addresses that it listened on, failures and bytes (``traceloopctl net``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from traceloop_decode.descriptors.names import address
from traceloop_decode.descriptors.opened import Opened
from traceloop_decode.descriptors.tables import open_file
from traceloop_decode.errnos import ERRNO
from traceloop_decode.model import Call, Event, Socket
from traceloop_decode.printers.core import view_of
from traceloop_decode.printers.network_dns import messages
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.values.options import Options
from traceloop_decode.views.moved import error_name, known_file, moved
from traceloop_decode.views.table import Column, Table, Unit, limited, whole

_COLUMNS: Final = (
    Column("kind", "KIND"),
    Column("role", "ROLE"),
    Column("local", "LOCAL"),
    Column("peer", "PEER"),
    Column("names", "NAME"),
    Column("count", "COUNT", Unit.COUNT),
    Column("errors", "ERRORS"),
    Column("sent_bytes", "SENT", Unit.BYTES),
    Column("received_bytes", "RECEIVED", Unit.BYTES),
)
_INT: Final = 0xFFFFFFFF
_ADDRESS_AT: Final = {"connect": 1, "bind": 1, "sendto": 4, "recvfrom": 4}
_PENDING: Final = frozenset(("EINPROGRESS", "EALREADY", "EISCONN", "EAGAIN"))  # not yet a failure
_SOL_SOCKET, _SO_ERROR = 1, 4
_OPTIONS: Final = Options(dns=True)


class _Key(NamedTuple):
    kind: str
    role: str
    local: str
    peer: str


@dataclass(slots=True)
class _Peer:
    count: int = 0
    sent: int = 0
    received: int = 0
    errors: list[str] = field(default_factory=list)


class _Net:
    """Rows so far. names: address -> the names that name servers gave it in the trace.

    pending: the peer of a connect that was in progress when its call returned, by open file.
    """

    def __init__(self) -> None:
        self.peers: dict[_Key, _Peer] = {}
        self.names: dict[str, dict[str, None]] = {}
        self.pending: dict[Opened | None, str] = {}

    def row(self, kind: str, role: str, local: str = "", peer: str = "") -> _Peer:
        return self.peers.setdefault(_Key(kind, role, local, peer), _Peer())

    def of_socket(self, call: Call, fd: int, socket: Socket) -> _Peer | None:
        # The row to which a socket's bytes and errors belong: that of its accept, or that of its connect.
        accepted = self.peers.get(_Key(socket.kind, "accept", socket.local, _host(socket.remote)))
        remote = socket.remote or self.pending.get(open_file(call, fd), "")
        return accepted or (self.row(socket.kind, "connect", peer=remote) if remote else None)


def net(events: Iterable[Event], _snapshot: Snapshot) -> Table:
    """Returns a row per peer and per address that was listened on, in the order of their first use.

    events: whole calls, with files of descriptors. Accepted connections of one host are one row. The names of an
    address are those that a name server's answer in the trace gave it. A connect that goes on after its call counts as
    failed if SO_ERROR said so later. Netlink and unnamed sockets are left out.
    """
    found = _Net()
    for event in whole(events):
        if isinstance(event, Call) and event.registers:
            _resolve(event, found)
            socket = _socket(event)
            if event.name in _LEARN and socket is not None:
                _LEARN[event.name](event, socket, found)
            _move(event, found)
    return Table(_COLUMNS, tuple(_rows(found)))


def _rows(found: _Net) -> Iterator[tuple[int | str | None, ...]]:
    for key, peer in found.peers.items():
        names = ", ".join(found.names.get(_host(key.peer), ()))
        yield (*key, names, peer.count, limited(peer.errors), peer.sent, peer.received)


def _socket(call: Call) -> Socket | None:
    known = known_file(call, call.registers[0] & _INT)
    return known.socket if known is not None else None


def _address(call: Call, index: int) -> str:
    data = next((item.data for item in reversed(call.items.get(index, ())) if item.data), b"")
    return address(data)


def _connect(call: Call, socket: Socket, found: _Net) -> None:
    peer, error, opened = _address(call, 1), error_name(call), open_file(call, call.registers[0] & _INT)
    if not error:
        found.pending.pop(opened, None)
    if not peer:
        return
    row = found.row(socket.kind, "connect", peer=peer)
    row.count += error not in ("EALREADY", "EISCONN")
    if error and error not in _PENDING:
        row.errors.append(error)
    if error == "EINPROGRESS":
        found.pending[opened] = peer


def _so_error(call: Call, socket: Socket, found: _Net) -> None:
    if len(call.registers) < 3 or [word & _INT for word in call.registers[1:3]] != [_SOL_SOCKET, _SO_ERROR]:
        return
    value = next((item.data for item in call.items.get(3, ()) if item.out), b"")
    number = int.from_bytes(value[:4], "little")
    row = found.of_socket(call, call.registers[0] & _INT, socket) if number else None
    if row is not None:
        row.errors.append(ERRNO.get(number, (str(number), ""))[0])


def _bind(call: Call, socket: Socket, found: _Net) -> None:
    local, error = _address(call, 1), error_name(call)
    if local and error:
        found.row(socket.kind, "bind", local).errors.append(error)


def _listen(call: Call, socket: Socket, found: _Net) -> None:
    row, error = found.row(socket.kind, "listen", socket.local), error_name(call)
    row.count += 1
    if error:
        row.errors.append(error)


def _accept(call: Call, socket: Socket, found: _Net) -> None:
    error = error_name(call)
    if error:
        if error not in _PENDING:
            found.row(socket.kind, "listen", socket.local).errors.append(error)
        return
    made = call.files.result.socket if call.files is not None and call.files.result is not None else None
    if made is not None:
        found.row(made.kind, "accept", made.local, _host(made.remote)).count += 1


_LEARN: Final[dict[str, Callable[[Call, Socket, _Net], None]]] = {
    "connect": _connect,
    "getsockopt": _so_error,
    "bind": _bind,
    "listen": _listen,
    "accept": _accept,
    "accept4": _accept,
}


def _move(call: Call, found: _Net) -> None:
    for fd, received, sent in moved(call):
        known = known_file(call, fd)
        socket = known.socket if known is not None else None
        if socket is None:
            continue
        peer = _address(call, 4) if call.name in ("sendto", "recvfrom") else ""
        if peer:
            row = found.row(socket.kind, "connect" if peer == socket.remote else "datagrams", peer=peer)
            row.count += peer != socket.remote
        elif (own := found.of_socket(call, fd, socket)) is not None:
            row = own
        else:
            continue
        row.sent, row.received = row.sent + sent, row.received + received


def _resolve(call: Call, found: _Net) -> None:
    for message in messages(view_of(call, _OPTIONS)):
        for record in message.records:
            if record.kind in ("A", "AAAA") and record.data:
                found.names.setdefault(record.data, {})[message.question.name] = None


def _host(end: str) -> str:
    # ``10.0.0.1`` of ``10.0.0.1:80``; paths of UNIX sockets as they are.
    if end[:1] in ('"', "@", ""):
        return end
    return end.rpartition(":")[0].strip("[]")
