# SPDX-License-Identifier: Apache-2.0
"""Netlink's messages as text: their headers, and what is common to every protocol.

A message's type says what is in it only together with the socket's protocol. A call does not tell that: where
`descriptors` does not know the socket, types of protocols are printed as numbers, and what they carry as bytes.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.errnos import ERRNO
from traceloop_decode.printers.network_route import head
from traceloop_decode.safe_text import quote
from traceloop_decode.values.options import Options
from traceloop_decode.values.xlat import XLATS, Xlat

AF_NETLINK: Final = 16

_HEADER: Final = Struct("<IHHII")
"""struct nlmsghdr: len, type, flags, seq, pid."""
_INT: Final = Struct("<i")
_TYPES: Final = XLATS["netlink_types"]
_FLAGS: Final = XLATS["netlink_flags"]
_ANSWER_FLAGS: Final = XLATS["netlink_answer_flags"]
_ERROR: Final = 2
_DONE: Final = 3
_CAPPED: Final = 0x100
_OWN_TYPES: Final = 16  # NLMSG_MIN_TYPE: from here on they are the protocol's
_ROUTE, _SOCK_DIAG, _XFRM, _AUDIT, _KOBJECT_UEVENT, _GENERIC = 0, 4, 6, 9, 15, 16
_PROTOCOLS: Final = {
    _ROUTE: XLATS["route_messages"],
    _SOCK_DIAG: XLATS["diag_messages"],
    _XFRM: XLATS["xfrm_messages"],
    _AUDIT: XLATS["audit_messages"],
    _GENERIC: XLATS["generic_messages"],
}
_GET_FLAGS: Final = XLATS["netlink_get_flags"]
_ROUTE_FLAGS: Final = (XLATS["netlink_new_flags"], XLATS["netlink_delete_flags"], _GET_FLAGS, _FLAGS)  # by type % 4


def is_netlink(address: bytes, protocol: int | None = None) -> bool:
    """Is it an address of that family, or the socket known to be of it? But of what the kernel tells udev: as text."""
    named = len(address) > 1 and int.from_bytes(address[:2], "little") == AF_NETLINK
    return (named or protocol is not None) and protocol != _KOBJECT_UEVENT


def messages(data: bytes, options: Options, *, more: bool = False, protocol: int | None = None) -> str:
    """All that was sent or received at once. more: there was more than `data`. protocol: None if not known."""
    if len(data) < _HEADER.size:
        return _bytes(data, options, more=more)
    shown, at = [], 0
    while at + _HEADER.size <= len(data):
        length: int = _HEADER.unpack_from(data, at)[0]
        end = min(at + max(length, _HEADER.size), len(data))
        shown.append(_message(data[at:end], options, protocol, more=more and end == len(data)))
        at += (max(length, _HEADER.size) + 3) & ~3
        if length < _HEADER.size:
            break
    return shown[0] if len(shown) == 1 else f"[{', '.join([*shown, '...'] if more else shown)}]"


def _message(data: bytes, options: Options, protocol: int | None, *, more: bool) -> str:
    _, kind, flags, _, _ = _HEADER.unpack_from(data)
    payload = data[_HEADER.size :]
    header = _header(data, options, protocol)
    if not payload:
        return header
    if kind == _ERROR and len(payload) >= _INT.size + _HEADER.size:
        error = _INT.unpack_from(payload)[0]
        size = _INT.size + max(int.from_bytes(payload[_INT.size : 2 * _INT.size], "little"), _HEADER.size)
        asked, rest = payload[_INT.size : size], payload[size:]
        text = _header(asked, options, protocol) if flags & _CAPPED else _message(asked, options, protocol, more=more)
        told = f"{{error={_error(error, options)}, msg={text}}}"
        if rest and not flags & _CAPPED:
            told = f"[{told}, {_bytes(rest, options, more=more)}]"
        return f"[{header}, {told}]"
    if kind == _DONE and len(payload) == _INT.size:
        return f"[{header}, {_INT.unpack_from(payload)[0]}]"
    found = head(kind, payload, options) if protocol == _ROUTE else None
    if found is not None:
        text, size = found
        behind = f", {_bytes(payload[size:], options, more=more)}" if len(payload) > size else ""
        return f"[{header}, {text}{behind}]"
    return f"[{header}, {_bytes(payload, options, more=more)}]"


def _error(number: int, options: Options) -> str:
    if -number not in ERRNO or options.constants == "raw":
        return str(number)
    name = f"-{ERRNO[-number][0]}"
    return name if options.constants == "abbrev" else f"{number} /* {name} */"


def _header(data: bytes, options: Options, protocol: int | None) -> str:
    length, kind, flags, number, pid = _HEADER.unpack_from(data)
    own = _PROTOCOLS.get(protocol) if protocol is not None and kind >= _OWN_TYPES else None
    table = _ANSWER_FLAGS if kind == _ERROR else _request_flags(kind, protocol)
    return (
        f"{{nlmsg_len={length}, nlmsg_type={(own or _TYPES).one(kind, options)}, "
        f"nlmsg_flags={table.flags(flags, options)}, "
        f"nlmsg_seq={number}, nlmsg_pid={pid}}}"
    )


def _request_flags(kind: int, protocol: int | None) -> Xlat:
    if protocol == _ROUTE and kind >= _OWN_TYPES:
        return _ROUTE_FLAGS[kind & 3]
    return _GET_FLAGS if protocol == _SOCK_DIAG and kind >= _OWN_TYPES else _FLAGS


def _bytes(data: bytes, options: Options, *, more: bool) -> str:
    shown = data[: options.string_max]
    return quote(shown, more=more or len(shown) < len(data), escape=2)
