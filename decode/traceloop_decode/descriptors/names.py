# SPDX-License-Identifier: Apache-2.0
"""Text in angle brackets after a descriptor: ``</etc/hosts>``, ``<TCP:[127.0.0.1:8080->127.0.0.1:5000]>``."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import Final

from traceloop_decode.descriptors.paths import PATH_MAX, Place
from traceloop_decode.model import Socket
from traceloop_decode.safe_text import quote

_KEPT_MAX: Final = 256  # the text of a longer name is not cached
_DELETED: Final = b" (deleted)"
_SOCKETS: Final = {
    (2, 1): "TCP",
    (2, 2): "UDP",
    (2, 3): "RAW",
    (10, 1): "TCPv6",
    (10, 2): "UDPv6",
    (10, 3): "RAWv6",
    (1, 1): "UNIX-STREAM",
    (1, 2): "UNIX-DGRAM",
    (1, 5): "UNIX-SEQPACKET",
}
_OWN_PROTOCOLS: Final = {(2, 1): (0, 6), (10, 1): (0, 6), (2, 2): (0, 17), (10, 2): (0, 17)}
_TYPE_MASK: Final = 0xF
_AF_NETLINK: Final = 16
_BRACKET: Final = re.compile("([<>])(?=([0-7])?)")
NETLINK: Final = "NETLINK"


class Known:
    """Facts about an open file: its place, its socket, or its printed form."""

    __slots__ = ("_text", "place", "socket")

    def __init__(self, text: str | None = None, place: Place | None = None, socket: Socket | None = None) -> None:
        self._text, self.place, self.socket = text, place, socket

    @property
    def text(self) -> str:
        """Printed form; "" for a socket about which nothing is known."""
        if self._text is not None:
            return self._text
        text = in_brackets(self.place.path) if self.place is not None else ""
        if len(text) <= _KEPT_MAX:
            self._text = text
        return text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Known):
            return NotImplemented
        return self is other or (
            (self.place, self.socket) == (other.place, other.socket)
            and (self.place is not None or self.text == other.text)
        )

    __hash__ = None  # type: ignore[assignment]


def of_place(place: Place) -> Known:
    """Returns a file or directory with a place."""
    return Known(place=place)


def of_link(name: bytes) -> Known | None:
    """Returns what a link in /proc/PID/fd names; None if it is longer than the kernel can return."""
    if len(name) > PATH_MAX + len(_DELETED):
        return None
    if not name.startswith(b"/"):
        return Known(in_brackets(name))
    if name.endswith(_DELETED):
        return Known(f"{in_brackets(name.removesuffix(_DELETED))}(deleted)")
    return of_place(Place.of(name, real=True))


def of_socket(socket: Socket, *, ends: bool) -> Known:
    """Returns a socket; ends: with its addresses. If its own address is not known: ``[->127.0.0.1:5000]``."""
    arrow = f"->{socket.remote}" if socket.remote else ""
    shown = f"<{socket.kind}:[{socket.local}{arrow}]>" if ends and (socket.local or arrow) else ""
    return Known(shown, socket=socket)


def in_brackets(name: bytes) -> str:
    """Returns a name as strace prints it, in angle brackets."""
    return f"<{_BRACKET.sub(_escaped, quote.__wrapped__(name)[1:-1])}>"


def _escaped(found: re.Match[str]) -> str:
    # All three digits, where a digit follows.
    digits = "74" if found[1] == "<" else "76"
    return f"\\0{digits}" if found[2] else f"\\{digits}"


def socket_kind(family: int, kind: int, protocol: int) -> str | None:
    """Returns ``TCP``, or None for a socket that has no name here."""
    if family == _AF_NETLINK:
        return NETLINK
    key = (family, kind & _TYPE_MASK)
    return _SOCKETS.get(key) if protocol in _OWN_PROTOCOLS.get(key, (protocol,)) else None


def address(data: bytes) -> str:
    """Returns one end of a socket: ``127.0.0.1:80``, ``[::1]:80``, ``"/run/socket"``, ``@"name"``; "" if unnamed."""
    family = int.from_bytes(data[:2], "little")
    if family == 2 and len(data) >= 8:
        return f"{'.'.join(map(str, data[4:8]))}:{int.from_bytes(data[2:4])}"
    if family == 10 and len(data) >= 24:
        return f"[{_inet6(data[8:24])}]:{int.from_bytes(data[2:4])}"
    if family == 1 and len(data) > 2:
        return f"@{quote(data[3:])}" if data[2] == 0 else quote(data[2:].partition(b"\0")[0])
    return ""


def _inet6(data: bytes) -> str:
    found = IPv6Address(data)
    return f"::ffff:{found.ipv4_mapped}" if found.ipv4_mapped else str(found)


def is_definite(end: str) -> bool:
    """Tells whether it is one address and port: a wildcard stands for several, and the kernel chooses for port 0."""
    return not end.endswith(":0") and not end.startswith(("0.0.0.0:", "[::]:"))
