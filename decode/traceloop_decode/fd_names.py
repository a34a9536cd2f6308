# SPDX-License-Identifier: Apache-2.0
"""What stands in angle brackets behind a descriptor: ``</etc/hosts>``, ``<TCP:[127.0.0.1:8080->127.0.0.1:5000]>``."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final, NamedTuple

from traceloop_decode.text.values import quote

_CACHE_MAX: Final = 4096
_DELETED: Final = b" (deleted)"
# What these names mean depends on who opens them, and when: the file behind them has another name.
_MAGIC: Final = re.compile(
    rb"/proc/(?:self|thread-self)(?:/|$)|/proc/(?:.*/)?(?:fd|cwd|root|exe|map_files|ns)(?:/|$)|/dev/(?:fd(?:/|$)|std)"
)
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
NETLINK: Final = "NETLINK"


class Place(NamedTuple):
    """An absolute path. real: the kernel said it, so that it has no symbolic link in it."""

    path: bytes
    real: bool = False


class Socket(NamedTuple):
    """A socket's kind, as ``TCP``, and the addresses of its ends; "" for what is not known.

    protocol: as socket(2) was given it.
    """

    kind: str
    local: str = ""
    remote: str = ""
    protocol: int = 0


class Known(NamedTuple):
    """What is known of an open file. text: as it is printed, "" for a socket of which nothing is known."""

    text: str
    place: Place | None = None
    socket: Socket | None = None


def of_place(place: Place) -> Known:
    """An open file or directory."""
    return Known(in_brackets(place.path), place)


def of_link(name: bytes) -> Known:
    """What a link of /proc/PID/fd says."""
    if not name.startswith(b"/"):
        return Known(in_brackets(name))
    if name.endswith(_DELETED):
        return Known(f"{in_brackets(name.removesuffix(_DELETED))}(deleted)")
    return of_place(Place(name, real=True))


def of_socket(socket: Socket, *, ends: bool) -> Known:
    """A socket; its ends only if asked for. Of one whose own end is not known: ``[->127.0.0.1:5000]``."""
    arrow = f"->{socket.remote}" if socket.remote else ""
    shown = f"<{socket.kind}:[{socket.local}{arrow}]>" if ends and (socket.local or arrow) else ""
    return Known(shown, socket=socket)


@lru_cache(maxsize=_CACHE_MAX)
def in_brackets(name: bytes) -> str:
    """A name as strace has it."""
    text = quote(name)[1:-1].replace("<", r"\74").replace(">", r"\76")
    return f"<{text}>"


def join(base: Place | None, root: Place | None, path: bytes) -> Place | None:
    """Where a path leads. Symbolic links stay as they are, and so does ``..`` behind what may be one.

    base: where a path begins that is not absolute; None: not known.
    """
    begin = root if path.startswith(b"/") else base
    if begin is None or not path:
        return None
    at, real = begin
    for part in path.split(b"/"):
        if part in (b"", b"."):
            continue
        if part != b"..":
            at, real = at.rstrip(b"/") + b"/" + part, False
        elif root is None:
            return None
        elif at == root.path:
            continue
        elif real:
            at = at.rpartition(b"/")[0] or b"/"
        elif at != b"/":
            at = at + b"/.."
    return None if _MAGIC.match(at) else Place(at, real)


def below(root: Place | None, said: bytes) -> Place | None:
    """A path that the kernel said in a process's own view."""
    if root is None or not said.startswith(b"/"):
        return None
    return Place(root.path.rstrip(b"/") + said, root.real)


def socket_kind(family: int, kind: int, protocol: int) -> str | None:
    """``TCP``; None for one without a name here."""
    if family == _AF_NETLINK:
        return NETLINK
    key = (family, kind & _TYPE_MASK)
    return _SOCKETS.get(key) if protocol in _OWN_PROTOCOLS.get(key, (protocol,)) else None


def address(data: bytes) -> str:
    """An end of a socket: ``127.0.0.1:80``, ``[::1]:80``, ``"/run/socket"``, ``@"name"``; "" where it has no name."""
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
    """Is it one address and one port? A wildcard stands for more, and port 0 is chosen by the kernel."""
    return not end.endswith(":0") and not end.startswith(("0.0.0.0:", "[::]:"))
