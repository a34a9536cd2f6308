# SPDX-License-Identifier: Apache-2.0
"""Options of sockets as text: their names by level, their values by name."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from traceloop_decode.errnos import ERRNO
from traceloop_decode.printers import memory
from traceloop_decode.printers.network_address import hardware_address, inet_addr, inet_pton, interface, network_order
from traceloop_decode.printers.network_message import credentials, ints, user
from traceloop_decode.printers.numbers import address, signed32
from traceloop_decode.printers.view import View
from traceloop_decode.safe_text import quote
from traceloop_decode.values.options import Options
from traceloop_decode.values.xlat import XLATS

_INT: Final = Struct("<i")
_TWO: Final = Struct("<ii")
_FILTER: Final = Struct("<H6xQ")
_GROUP6: Final = Struct("<16sI")
_MEMBERSHIP: Final = Struct("<iHH8s")
_RING: Final = Struct("<IIII")
_STATISTICS: Final = Struct("<II")

_LEVELS: Final = {
    0: XLATS["ip_options"],
    1: XLATS["so_options"],
    6: XLATS["tcp_options"],
    17: XLATS["udp_options"],
    40: XLATS["vsock_options"],
    41: XLATS["ipv6_options"],
    255: XLATS["raw_options"],
    263: XLATS["packet_options"],
    270: XLATS["netlink_options"],
    282: XLATS["tls_options"],
}
_SOL_SOCKET: Final = 1
_SOL_NETLINK: Final = 270

# Of SOL_SOCKET's options, those that are no int by their nature: an int only where their length is an int's.
_NO_INTS: Final = (
    "SO_TYPE SO_ERROR SO_PEERCRED SO_RCVTIMEO_OLD SO_SNDTIMEO_OLD SO_RCVTIMEO_NEW SO_SNDTIMEO_NEW "
    "SO_SECURITY_AUTHENTICATION SO_SECURITY_ENCRYPTION_TRANSPORT SO_SECURITY_ENCRYPTION_NETWORK SO_BINDTODEVICE "
    "SO_GET_FILTER SO_PEERNAME SO_PEERSEC SO_PROTOCOL SO_DOMAIN SO_MAX_PACING_RATE SO_BPF_EXTENSIONS SO_ATTACH_BPF "
    "SO_ATTACH_REUSEPORT_EBPF SO_MEMINFO SO_COOKIE SO_PEERGROUPS SO_TXTIME SO_BINDTOIFINDEX SO_NETNS_COOKIE "
    "SO_BUF_LOCK"
)


def name(view: View, index: int) -> str:
    """The option's name, by the level before it."""
    level, option = (view.registers[n] & 0xFFFFFFFF for n in (index - 1, index))
    if level not in _LEVELS:
        return str(signed32(option))
    if view.call.name == "getsockopt" and _name(level, option) == "SO_ATTACH_FILTER":
        return "SO_GET_FILTER"
    return _LEVELS[level].one(option, view.options)


def given(view: View, index: int) -> str:
    """The value that setsockopt is given."""
    item = view.item(index)
    length = signed32(view.registers[index + 1]) if index + 1 < len(view.registers) else 0
    if item is None or length <= 0 or not item.data:
        return address(view.registers[index])
    level, option = view.registers[index - 2] & 0xFFFFFFFF, _option(view, index)
    data = item.data[:length]
    text: str | None
    if option in _GIVEN:
        text = _GIVEN[option](data, view.options)
    elif length == _INT.size or _is_int(level, option):
        text = _int(data)
    else:
        text = memory.text(data, length, view.options)
    return address(view.registers[index]) if text is None else text


def returned(view: View, index: int) -> str:
    """The value that getsockopt returned."""
    item = view.item(index, out=True) if view.returned and not view.failed else None
    length = _length(view, index + 1, len(item.data)) if item is not None else 0
    if item is None or length <= 0 or not item.data:
        return address(view.registers[index])
    level, option = view.registers[index - 2] & 0xFFFFFFFF, _option(view, index)
    data = item.data[:length]
    text: str | None
    if option in _RETURNED:
        text = _RETURNED[option](data, view.options)
    elif level == _SOL_NETLINK and length % _INT.size == 0:
        text = ints(data, view.options)
    elif length == _INT.size:
        text = _int(data)
    elif _is_int(level, option):
        text = _int(data) or quote(data, escape=2)
    else:
        text = memory.text(data, length, view.options)
    return address(view.registers[index]) if text is None else text


def _length(view: View, index: int, default: int) -> int:
    # What the kernel returned, but no more than there was room for.
    before, after = view.data(index), view.data(index, out=True)
    lengths = [_INT.unpack_from(data)[0] for data in (before, after) if len(data) >= _INT.size]
    return min(lengths, default=default)


def _name(level: int, option: int) -> str:
    return _LEVELS[level].names.get(option, "") if level in _LEVELS else ""


def _option(view: View, index: int) -> str:
    return _name(view.registers[index - 2] & 0xFFFFFFFF, view.registers[index - 1] & 0xFFFFFFFF)


def _is_int(level: int, option: str) -> bool:
    return level == _SOL_NETLINK or (level == _SOL_SOCKET and bool(option) and option not in _OF_OTHERS)


def _int(data: bytes) -> str | None:
    return f"[{_INT.unpack_from(data)[0]}]" if len(data) >= _INT.size else None


def _linger(data: bytes, _options: Options) -> str | None:
    return "{{l_onoff={}, l_linger={}}}".format(*_TWO.unpack_from(data)) if len(data) >= _TWO.size else None


def _linger_returned(data: bytes, options: Options) -> str:
    if len(data) < _INT.size:
        return f"{{l_onoff={quote(data, escape=2)}}}"
    return _linger(data, options) or f"{{l_onoff={_INT.unpack_from(data)[0]}}}"


def _peer(data: bytes, options: Options) -> str:
    if len(data) < 4:
        return f"{{pid={quote(data, escape=2)}}}"
    whole = credentials(data, options)
    if whole is not None:
        return whole
    uid = f", uid={user(int.from_bytes(data[4:8], 'little'))}" if len(data) >= 8 else ""
    return f"{{pid={_INT.unpack_from(data)[0]}{uid}}}"


def _error(data: bytes, options: Options) -> str | None:
    number = _INT.unpack_from(data)[0] if len(data) >= _INT.size else 0
    if number not in ERRNO or options.constants == "raw":
        return _int(data)
    name = ERRNO[number][0]
    return f"[{name}]" if options.constants == "abbrev" else f"[{number} /* {name} */]"


def _filter(data: bytes, _options: Options) -> str | None:
    if len(data) < _FILTER.size:
        return None
    length, program = _FILTER.unpack_from(data)
    return f"{{len={length}, filter={address(program)}}}"


def _group(data: bytes, options: Options) -> str | None:
    if len(data) < 8:
        return None
    return f"{{imr_multiaddr={inet_addr(data[:4], options)}, imr_interface={inet_addr(data[4:8], options)}}}"


def _group6(prefix: str) -> Callable[[bytes, Options], str | None]:
    def print_group(data: bytes, options: Options) -> str | None:
        if len(data) < _GROUP6.size:
            return None
        group, index = _GROUP6.unpack_from(data)
        field = inet_pton(f"{prefix}_multiaddr", group, options)
        return f"{{{field}, {prefix}_interface={interface(index, options)}}}"

    return print_group


def _membership(data: bytes, options: Options) -> str | None:
    if len(data) < _MEMBERSHIP.size:
        return None
    index, kind, length, hardware = _MEMBERSHIP.unpack_from(data)
    shown = hardware[: min(length, len(hardware))]
    address_text = network_order(shown, hardware_address(shown), options)
    return (
        f"{{mr_ifindex={interface(index, options)}, mr_type={XLATS['packet_memberships'].one(kind, options)}, "
        f"mr_alen={length}, mr_address={address_text}}}"
    )


def _ring(data: bytes, _options: Options) -> str | None:
    if len(data) < _RING.size:
        return None
    return "{{tp_block_size={}, tp_block_nr={}, tp_frame_size={}, tp_frame_nr={}}}".format(*_RING.unpack_from(data))


def _statistics(data: bytes, _options: Options) -> str | None:
    if len(data) < _STATISTICS.size:
        return None
    return "{{tp_packets={}, tp_drops={}}}".format(*_STATISTICS.unpack_from(data))


_OF_OTHERS: Final = frozenset(_NO_INTS.split())

_Printers = dict[str, Callable[[bytes, Options], str | None]]
_GIVEN: Final[_Printers] = {
    "SO_LINGER": _linger,
    "SO_ATTACH_FILTER": _filter,
    "SO_ATTACH_REUSEPORT_CBPF": _filter,
    "IP_ADD_MEMBERSHIP": _group,
    "IP_DROP_MEMBERSHIP": _group,
    "IPV6_ADD_MEMBERSHIP": _group6("ipv6mr"),
    "IPV6_DROP_MEMBERSHIP": _group6("ipv6mr"),
    "IPV6_JOIN_ANYCAST": _group6("ipv6mr"),
    "IPV6_LEAVE_ANYCAST": _group6("ipv6mr"),
    "PACKET_ADD_MEMBERSHIP": _membership,
    "PACKET_DROP_MEMBERSHIP": _membership,
    "PACKET_RX_RING": _ring,
    "PACKET_TX_RING": _ring,
}
_RETURNED: Final[_Printers] = {
    "SO_LINGER": _linger_returned,
    "SO_PEERCRED": _peer,
    "SO_ERROR": _error,
    "PACKET_STATISTICS": _statistics,
}
