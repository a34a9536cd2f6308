# SPDX-License-Identifier: Apache-2.0
"""Netlink messages as text: their headers, and what all protocols have in common: netlink(7).

A message's type has a meaning only together with the socket's protocol, which a call does not tell. If `descriptors`
does not know the socket, the protocol's own types are printed as numbers, and the payload as bytes.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.errnos import ERRNO
from traceloop_decode.printers import netlink_diag, netlink_others, netlink_route
from traceloop_decode.printers import netlink_types as types
from traceloop_decode.printers.netlink_attributes import Scope, attributes
from traceloop_decode.printers.netlink_groups import groups
from traceloop_decode.printers.netlink_memory import NESTED_MAX, Memory
from traceloop_decode.values.options import Options, styled

AF_NETLINK: Final = 16

_HEADER: Final = Struct("<IHHII")
"""struct nlmsghdr: len, type, flags, seq, pid."""
_INT: Final = Struct("<i")
_REQUEST: Final = 1
_CAPPED: Final = 0x100


def is_netlink(address: bytes, protocol: int | None = None) -> bool:
    """Tells whether data is netlink's, by its address or socket."""
    named = len(address) > 1 and int.from_bytes(address[:2], "little") == AF_NETLINK
    return named or protocol is not None


def messages(memory: Memory, size: int, protocol: int | None) -> str:
    """Returns the messages in `size` bytes, several of them in brackets. protocol: None if not known."""
    if protocol == types.KOBJECT_UEVENT:
        return netlink_others.device_event(memory, size)
    options, shown, at = memory.view.options, list[str](), 0
    most = size if options.verbose else options.string_max
    while True:
        if size < _HEADER.size:
            shown.append(memory.hex(at, size))
            break
        header = memory.read(at, _HEADER.size)
        if header is None:
            shown.append(memory.rest(at) if shown else _unread(memory, at, size))
            break
        if len(shown) == most:
            shown.append("...")
            break
        shown.append(_message(memory, at, size, header, protocol=protocol, depth=0))
        length: int = _HEADER.unpack(header)[0]
        step = (length + 3) & ~3
        if length < _HEADER.size or size <= step:
            break
        at, size = at + step, size - step
    return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"


def _unread(memory: Memory, at: int, size: int) -> str:
    # A first header that was not kept whole: its bytes say more than nothing.
    return memory.missing(at) if memory.unreadable else memory.hex(at, size)


def _message(memory: Memory, at: int, size: int, header: bytes, *, protocol: int | None, depth: int) -> str:
    # depth: the number of messages of which it is the answer.
    length, kind, flags, number, pid = _HEADER.unpack(header)
    options = memory.view.options
    text = (
        f"{{nlmsg_len={length}, nlmsg_type={types.type_text(kind, protocol, options)}, "
        f"nlmsg_flags={types.flags_text(flags, kind, protocol, options)}, nlmsg_seq={number}, nlmsg_pid={pid}}}"
    )
    size = min(length, size) - _HEADER.size
    if size <= 0:
        return text
    return f"[{text}, {_payload(memory, at + _HEADER.size, size, header, protocol=protocol, depth=depth)}]"


def _payload(memory: Memory, at: int, size: int, header: bytes, *, protocol: int | None, depth: int) -> str:
    _, kind, flags, _, _ = _HEADER.unpack(header)
    if kind == types.ERROR:
        return _error(memory, at, size, protocol, depth, capped=bool(flags & _CAPPED))
    scope = Scope(groups())
    text = None
    if kind >= types.OWN_TYPES:
        if protocol == types.ROUTE:
            text = netlink_route.payload(memory, at, size, kind, scope)
        elif protocol == types.SOCK_DIAG:
            text = netlink_diag.payload(memory, at, size, kind, scope, is_request=bool(flags & _REQUEST))
        elif protocol in netlink_others.PAYLOADS:
            text = netlink_others.PAYLOADS[protocol](memory, at, size, kind, scope)
    if text is None and kind == types.DONE and size == _INT.size:
        data = memory.read(at, size)
        text = memory.missing(at) if data is None else str(_INT.unpack(data)[0])
    return memory.hex(at, size) if text is None else text


def _error(memory: Memory, at: int, size: int, protocol: int | None, depth: int, *, capped: bool) -> str:
    # An answer repeats the message that it answers: its header, and the rest of it unless it is capped.
    if size < _INT.size + _HEADER.size or depth >= NESTED_MAX:
        return memory.hex(at, size)
    data = memory.read(at, _INT.size + _HEADER.size)
    if data is None:
        return memory.missing(at)
    (number,), header = _INT.unpack_from(data), data[_INT.size :]
    at, size = at + _INT.size, size - _INT.size
    asked = min(size, _HEADER.size if capped else max(_HEADER.size, _HEADER.unpack(header)[0]))
    text = (
        f"{{error={_errno(number, memory.view.options)}, "
        f"msg={_message(memory, at, asked, header, protocol=protocol, depth=depth + 1)}}}"
    )
    if size <= asked:
        return text
    rest = attributes(memory, at + asked, size - asked, groups()["nla_error"], Scope(groups()))
    return f"[{text}, {rest}]"


def _errno(number: int, options: Options) -> str:
    return styled(f"-{ERRNO[-number][0]}" if -number in ERRNO else "", str(number), options.constants)
