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
_UNIX: Final = "UNIX-"


class Known:
    """Facts about an open file: its place, its socket, or its printed form.

    deleted: the place is that of a file which has lost its name since. device: as strace prints it, ``char 1:3``.
    """

    __slots__ = ("_shown", "_text", "deleted", "device", "place", "socket")

    def __init__(
        self,
        text: str | None = None,
        place: Place | None = None,
        socket: Socket | None = None,
        *,
        shown: str = "",
        device: str = "",
        deleted: bool = False,
    ) -> None:
        """shown: the printed form, if it has more than `text`."""
        self._text, self.place, self.socket = text, place, socket
        self._shown, self.device, self.deleted = shown, device, deleted

    @property
    def text(self) -> str:
        """Name in angle brackets; "" for a socket about which nothing is known."""
        if self._text is not None:
            return self._text
        text = in_brackets(self.place.path) if self.place is not None else ""
        if self.deleted:
            text += "(deleted)"
        if len(text) <= _KEPT_MAX:
            self._text = text
        return text

    @property
    def shown(self) -> str:
        """Printed form, as strace has it."""
        return f"{self.text[:-1]}<{self.device}>>" if self.device else self._shown or self.text

    def moved(self, to: Place | None) -> Known:
        """Returns what is known once the file has another place, or, with None, has lost its name."""
        return Known(place=to, device=self.device) if to is not None else Known(place=self.place, deleted=True)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Known):
            return NotImplemented
        return self is other or (
            (self.place, self.socket, self.deleted) == (other.place, other.socket, other.deleted)
            and (self.place is not None or self.text == other.text)
            and (self.device, self._shown) == (other.device, other._shown)
        )

    __hash__ = None  # type: ignore[assignment]


def of_place(place: Place, device: str = "") -> Known:
    """Returns a file or directory with a place."""
    return Known(place=place, device=device)


def of_link(name: bytes, device: str = "", *, outside: bool = False) -> Known | None:
    """Returns what a link in /proc/PID/fd names; None if it is longer than the kernel can return.

    outside: as Place has it.
    """
    if len(name) > PATH_MAX + len(_DELETED):
        return None
    if not name.startswith(b"/"):
        return Known(in_brackets(name))
    if name.endswith(_DELETED):
        return Known(f"{in_brackets(name.removesuffix(_DELETED))}(deleted)")
    return of_place(Place.of(name, real=True, outside=outside), device)


def of_socket(socket: Socket, *, ends: bool) -> Known:
    """Returns a socket; ends: with its addresses. If its own address is not known: ``[->127.0.0.1:5000]``.

    Without addresses its inode is shown, if that is known. A socket of AF_UNIX that has a name has both.
    """
    arrow = f"->{socket.remote}" if socket.remote else ""
    text = f"<{socket.kind}:[{socket.local}{arrow}]>" if ends and (socket.local or arrow) else ""
    shown = ""
    if socket.inode and not ends:
        shown = f"<socket:[{socket.inode}]>"
    elif socket.inode and not text and socket.kind != NETLINK:
        shown = f"<{socket.kind}:[{socket.inode}]>"
    elif socket.inode and socket.kind.startswith(_UNIX) and not arrow:
        shown = f"<{socket.kind}:[{socket.inode},{socket.local}]>"
    return Known(text, socket=socket, shown=shown)


def of_pipe(inode: int) -> Known:
    """Returns an end of a pipe, as /proc names it."""
    return Known(f"<pipe:[{inode}]>")


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
