# SPDX-License-Identifier: Apache-2.0
"""Arguments of the socket calls: families, types, protocols, addresses and their lengths, messages, options."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from traceloop_decode.printers import memory, network_dns, network_message, network_options
from traceloop_decode.printers.netlink_memory import memory_of
from traceloop_decode.printers.network_address import SOCKADDR_MAX, ethernet_protocol, sockaddr
from traceloop_decode.printers.network_netlink import is_netlink, messages
from traceloop_decode.printers.numbers import address, signed32
from traceloop_decode.printers.view import Printer, View
from traceloop_decode.values.xlat import XLATS

_TYPE_MASK: Final = 0xF
_PAIR: Final = Struct("<ii")
_TIME: Final = Struct("<qQ")
_LIMIT_INDEX: Final = 4
_ADDRESS_INDEX: Final = 4
_AF_INET: Final = 2
_AF_INET6: Final = 10
_AF_NETLINK: Final = 16
_AF_PACKET: Final = 17
_AF_BLUETOOTH: Final = 31
_PROTOCOLS: Final = {
    _AF_INET: XLATS["ipprotos"],
    _AF_INET6: XLATS["ipprotos"],
    _AF_NETLINK: XLATS["netlink_protocols"],
    _AF_BLUETOOTH: XLATS["bluetooth_protocols"],
}


def _socket_type(view: View, index: int) -> str:
    value = view.registers[index] & 0xFFFFFFFF
    types, flags = XLATS["socktypes"], XLATS["sock_type_flags"]
    if value & _TYPE_MASK not in types.names:
        return flags.flags(value, view.options)
    name = types.one(value & _TYPE_MASK, view.options)
    rest = value & ~_TYPE_MASK
    return f"{name}|{flags.flags(rest, view.options)}" if rest else name


def _protocol(view: View, index: int) -> str:
    # The first argument of socket() is the family, which decides the protocol's names.
    family, value = view.registers[0] & 0xFFFFFFFF, view.registers[index] & 0xFFFFFFFF
    if family in _PROTOCOLS:
        return _PROTOCOLS[family].one(value, view.options)
    return ethernet_protocol(value, view.options) if family == _AF_PACKET else str(value)


def _sockaddr(view: View, index: int) -> str:
    # Prints an address that is passed in; its length is the next argument.
    length = signed32(view.registers[index + 1]) if index + 1 < len(view.registers) else 0
    data = view.data(index)
    shown = (
        sockaddr(data[:length], view.options, view.fd)
        if length >= 2 and len(data) >= min(length, SOCKADDR_MAX)
        else None
    )
    return shown or address(view.registers[index])


def _peer(view: View, index: int) -> str:
    # Prints an address that is returned, as far as there was room for it; the next argument points at its length.
    if not view.returned or view.failed:
        return address(view.registers[index])
    before, after = (_socklen(view, index + 1, out=out) for out in (False, True))
    if before is None or after is None:
        return address(view.registers[index])
    data = view.data(index, out=True)[: max(0, min(before, after))]
    return sockaddr(data, view.options) or address(view.registers[index])


def _socklen(view: View, index: int, *, out: bool) -> int | None:
    data = view.data(index, out=out)
    return int.from_bytes(data[:4], "little", signed=True) if len(data) >= 4 else None


def _length(view: View, index: int) -> str:
    # Prints ``[16]``, or ``[128 => 16]`` if the kernel changed the length.
    before = _socklen(view, index, out=False)
    if before is None:
        return address(view.registers[index])
    after = _socklen(view, index, out=True) if view.returned and not view.failed else None
    return f"[{before}]" if after is None or after == before else f"[{before} => {after}]"


def _name_length(view: View, index: int) -> str:
    # Prints the length of an address, which has no meaning without an address.
    return _length(view, index) if view.registers[index - 1] else address(view.registers[index])


def _received(view: View, index: int) -> str:
    # Prints a buffer that was received into; with MSG_TRUNC the result may exceed the buffer's size.
    item = view.item(index, out=True) if view.returned and not view.failed else None
    if item is None:
        return address(view.registers[index])
    size = min(item.size, view.registers[index + 1]) if index + 1 < len(view.registers) else item.size
    protocol = view.netlink()
    if is_netlink(view.data(_ADDRESS_INDEX, out=True), protocol):
        return messages(memory_of(item, view.registers[index], view, size), size, protocol)
    return network_dns.shown(view, item.data[:size]) or memory.text(item.data[:size], size, view.options)


def _sent(view: View, index: int) -> str:
    item = view.item(index)
    if item is None:
        return address(view.registers[index])
    protocol = view.netlink()
    if is_netlink(view.data(_ADDRESS_INDEX), protocol):
        return messages(memory_of(item, view.registers[index], view), item.size, protocol)
    return network_dns.shown(view, item.data) or memory.counted(item, view.registers[index], item.size, view.options)


def _message(view: View, index: int) -> str:
    return network_message.received(view, index) if view.call.name == "recvmsg" else network_message.sent(view, index)


def _pair(view: View, index: int) -> str:
    data = view.data(index, out=True) if view.returned and not view.failed else b""
    if len(data) < _PAIR.size:
        return address(view.registers[index])
    return "[{}, {}]".format(*_PAIR.unpack_from(data))


def _time_left(view: View) -> str:
    # Follows recvmmsg's result if the call had a time limit.
    left = _time(view.data(_LIMIT_INDEX, out=True))
    return f" (left {left})" if left else ""


def _time(data: bytes) -> str | None:
    return "{{tv_sec={}, tv_nsec={}}}".format(*_TIME.unpack_from(data)) if len(data) >= _TIME.size else None


def _time_limit(view: View, index: int) -> str:
    return _time(view.data(index)) or address(view.registers[index])


def _socketcall_op(view: View, index: int) -> str:
    value = view.registers[index] & 0xFFFFFFFF
    table = XLATS["socket_op"]
    return table.one(value, view.options) if value in table.names else str(signed32(value))


VALUES: Final[dict[str, Printer]] = {
    "socketcall_op": _socketcall_op,
    "socket_type": _socket_type,
    "socket_protocol": _protocol,
    "sockaddr": _sockaddr,
    "peer": _peer,
    "peer_length": _name_length,
    "option_length": _length,
    "sent": _sent,
    "received": _received,
    "time_limit": _time_limit,
    "msghdr": _message,
    "mmsghdr": network_message.many,
    "socket_pair": _pair,
    "option_name": network_options.name,
    "option_given": network_options.given,
    "option": network_options.returned,
}
RESULTS: Final[dict[str, Callable[[View], str]]] = {"recvmmsg": _time_left}
# strace prints sendmsg's message when the call begins, but a recvmsg that waits has nothing to show yet.
LATE: Final = ("inout:msghdr",)
