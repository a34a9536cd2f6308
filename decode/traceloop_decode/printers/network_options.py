# SPDX-License-Identifier: Apache-2.0
"""Socket options as text: their names by level, their values by name."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from traceloop_decode.errnos import ERRNO
from traceloop_decode.model import Item
from traceloop_decode.printers.bpf_programs import classic_filter
from traceloop_decode.printers.netlink_memory import Memory, memory_of
from traceloop_decode.printers.netlink_values import array
from traceloop_decode.printers.network_address import (
    hardware_address,
    inet_addr,
    inet_pton,
    interface,
    network_order,
    sockaddr,
)
from traceloop_decode.printers.numbers import address, signed32, user
from traceloop_decode.printers.view import View
from traceloop_decode.safe_text import quote
from traceloop_decode.values.options import Options, styled
from traceloop_decode.values.xlat import XLATS

_INT: Final = Struct("<i")
_TWO: Final = Struct("<ii")
_FILTER: Final = Struct("<H6xQ")
_FILTER_32: Final = Struct("<H2xI")
"""struct sock_fprog: number of instructions, their address."""
_GROUP6: Final = Struct("<16sI")
_GROUP_REQUEST: Final = 136
"""sizeof(struct group_req): an interface, and a struct sockaddr_storage."""
_MEMBERSHIP: Final = Struct("<iHH8s")
_RING: Final = Struct("<IIII")
_STEP: Final = 8  # sizeof(struct sock_filter)

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

# SOL_SOCKET's options that are not ints by nature: they are printed as an int only if their length is an int's.
_NO_INTS: Final = (
    "SO_TYPE SO_ERROR SO_PEERCRED SO_RCVTIMEO_OLD SO_SNDTIMEO_OLD SO_RCVTIMEO_NEW SO_SNDTIMEO_NEW "
    "SO_SECURITY_AUTHENTICATION SO_SECURITY_ENCRYPTION_TRANSPORT SO_SECURITY_ENCRYPTION_NETWORK SO_BINDTODEVICE "
    "SO_GET_FILTER SO_PEERNAME SO_PEERSEC SO_PROTOCOL SO_DOMAIN SO_MAX_PACING_RATE SO_BPF_EXTENSIONS SO_ATTACH_BPF "
    "SO_ATTACH_REUSEPORT_EBPF SO_MEMINFO SO_COOKIE SO_PEERGROUPS SO_TXTIME SO_BINDTOIFINDEX SO_NETNS_COOKIE "
    "SO_BUF_LOCK SO_TXREHASH"
)

_Printer = Callable[[Memory, int], str]
"""Prints an option's value, from its memory and the length that the call gives."""


def name(view: View, index: int) -> str:
    """Prints the option's name, by the level in the argument before it."""
    level, option = (view.registers[n] & 0xFFFFFFFF for n in (index - 1, index))
    if level not in _LEVELS:
        return str(option)
    if view.call.name == "getsockopt" and _name(level, option) == "SO_ATTACH_FILTER":
        return styled("SO_GET_FILTER", f"{option:#x}", view.options.constants)
    return _LEVELS[level].one(option, view.options)


def given(view: View, index: int) -> str:
    """Prints the value that setsockopt is given."""
    item = view.item(index)
    length = signed32(view.registers[index + 1]) if index + 1 < len(view.registers) else 0
    level, option = view.registers[index - 2] & 0xFFFFFFFF, _option(view, index)
    if item is not None and not length and not (option in _PROGRAMS or option in _GIVEN or _is_int(level, option)):
        return memory_of(item, view.registers[index], view, 0).string(0, 0)
    if item is None or length <= 0 or not item.data:
        return address(view.registers[index])
    memory = memory_of(item, view.registers[index], view, length)
    if option in _PROGRAMS:
        return _program(memory, length, view.nested(index, 1))
    if option in _GIVEN:
        return _GIVEN[option](memory, length)
    if length == _INT.size or _is_int(level, option):
        return _int(memory) if length >= _INT.size else address(view.registers[index])
    return memory.string(0, length)


def returned(view: View, index: int) -> str:
    """Prints the value that getsockopt returned."""
    item = view.item(index, out=True) if view.returned and not view.failed else None
    length = _length(view, index + 1, len(item.data)) if item is not None else 0
    if item is None or length <= 0 or not item.data:
        return address(view.registers[index])
    level, option = view.registers[index - 2] & 0xFFFFFFFF, _option(view, index)
    if option == "SO_ATTACH_FILTER":  # the length is one of instructions
        whole = item._replace(size=length * _STEP)
        return classic_filter(whole, view.registers[index], length, view, seccomp=False)
    memory = memory_of(item, view.registers[index], view, length)
    if option in _RETURNED:
        return _RETURNED[option](memory, length)
    if length == _INT.size or level == _SOL_NETLINK:
        return _int(memory)
    if _is_int(level, option):
        return _int(memory) if length > _INT.size else memory.hex(0, length)
    return memory.string(0, length)


def _length(view: View, index: int, default: int) -> int:
    # The length that the kernel returned, but no more than there was room for.
    before, after = view.data(index), view.data(index, out=True)
    lengths = [_INT.unpack_from(data)[0] for data in (before, after) if len(data) >= _INT.size]
    return min(lengths, default=default)


def _name(level: int, option: int) -> str:
    return _LEVELS[level].names.get(option, "") if level in _LEVELS else ""


def _option(view: View, index: int) -> str:
    return _name(view.registers[index - 2] & 0xFFFFFFFF, view.registers[index - 1] & 0xFFFFFFFF)


def _is_int(level: int, option: str) -> bool:
    return level == _SOL_NETLINK or (level == _SOL_SOCKET and bool(option) and option not in _OF_OTHERS)


def _int(memory: Memory) -> str:
    data = memory.read(0, _INT.size)
    return memory.missing(0) if data is None else f"[{_INT.unpack(data)[0]}]"


def _whole(layout: Struct, show: Callable[..., str], *, exact: bool = False) -> _Printer:
    # Prints a struct from its members; its address if it is too short or, if `exact`, too long.
    def print_struct(memory: Memory, length: int) -> str:
        data = memory.read(0, layout.size)
        if data is None or length < layout.size or (exact and length != layout.size):
            return address(memory.base)
        return show(memory.view.options, *layout.unpack(data))

    return print_struct


def _leading(*members: str, signed: bool, ids: bool = False) -> _Printer:
    # Prints the members of 32 bits that were returned; the bytes of one that is not complete.
    def print_members(memory: Memory, length: int) -> str:
        size = min(length, 4 * len(members))
        data = memory.read(0, size)
        if data is None:
            return memory.missing(0)
        shown = []
        for at, member in zip(range(0, size, 4), members, strict=False):
            part = data[at : at + 4]
            number = int.from_bytes(part, "little", signed=signed and not (ids and at))
            whole = user(number) if ids and at else str(number)
            shown.append(f"{member}={whole if len(part) == 4 else quote(part, escape=2)}")
        return f"{{{', '.join(shown)}}}"

    return print_members


def _memberships(memory: Memory, length: int) -> str:
    return array(memory, 0, length // _INT.size, _INT.size, lambda _, data: str(int.from_bytes(data, "little")))


def _linger(_options: Options, on: int, seconds: int) -> str:
    return f"{{l_onoff={on}, l_linger={seconds}}}"


def _error(memory: Memory, length: int) -> str:
    if length < _INT.size:
        return memory.hex(0, length)
    data = memory.read(0, _INT.size)
    if data is None:
        return memory.missing(0)
    number = _INT.unpack(data)[0]
    name = ERRNO[number][0] if number in ERRNO else ""
    return f"[{styled(name, str(number), memory.view.options.constants)}]"


def _rehash(memory: Memory, length: int) -> str:
    if length < _INT.size:
        return memory.hex(0, length) if memory.view.call.name == "getsockopt" else address(memory.base)
    data = memory.read(0, _INT.size)
    if data is None:
        return memory.missing(0)
    number, options = _INT.unpack(data)[0], memory.view.options
    name = XLATS["rehash_modes"].names.get(number & 0xFFFFFFFF)
    if name is None and options.constants != "raw":
        return f"[{number} /* SOCK_TXREHASH_??? */]"
    return f"[{styled(name or '', str(number), options.constants)}]"


def _program(memory: Memory, length: int, steps: Item | None) -> str:
    layout = _FILTER_32 if memory.view.call.compat else _FILTER
    data = memory.read(0, layout.size)
    if length != layout.size or data is None:
        return address(memory.base)
    count, at = layout.unpack(data)
    return f"{{len={count}, filter={classic_filter(steps, at, count, memory.view, seccomp=False)}}}"


def _types(memory: Memory, length: int) -> str:
    # A set of ICMP types; of one with more than half of them, those that are missing.
    size = min(length, 4)
    data = memory.read(0, size)
    if data is None:
        return memory.missing(0)
    bits = int.from_bytes(data.ljust(4, b"\xff"), "little")
    inverted = bits.bit_count() > 16
    bits ^= 0xFFFFFFFF if inverted else 0
    shown = (XLATS["icmp_types"].one(n, memory.view.options) for n in range(32) if bits >> n & 1)
    return f"{'~' if inverted else ''}[{' '.join(shown)}]"


def _group(options: Options, group: bytes, local: bytes) -> str:
    return f"{{imr_multiaddr={inet_addr(group, options)}, imr_interface={inet_addr(local, options)}}}"


def _group_request(memory: Memory, length: int) -> str:
    data = memory.read(0, _GROUP_REQUEST)
    if length < _GROUP_REQUEST or data is None:
        return address(memory.base)
    options = memory.view.options
    index = int.from_bytes(data[:4], "little")
    return f"{{gr_interface={interface(index, options)}, gr_group={sockaddr(data[8:], options)}}}"


def _group6(options: Options, group: bytes, index: int) -> str:
    field = inet_pton("ipv6mr_multiaddr", group, options)
    return f"{{{field}, ipv6mr_interface={interface(index, options)}}}"


def _membership(options: Options, index: int, kind: int, length: int, hardware: bytes) -> str:
    shown = hardware[: min(length, len(hardware))]
    address_text = network_order(shown, hardware_address(shown), options)
    return (
        f"{{mr_ifindex={interface(index, options)}, mr_type={XLATS['packet_memberships'].one(kind, options)}, "
        f"mr_alen={length}, mr_address={address_text}}}"
    )


def _ring(_options: Options, *numbers: int) -> str:
    return "{{tp_block_size={}, tp_block_nr={}, tp_frame_size={}, tp_frame_nr={}}}".format(*numbers)


_OF_OTHERS: Final = frozenset(_NO_INTS.split())
_PROGRAMS: Final = ("SO_ATTACH_FILTER", "SO_ATTACH_REUSEPORT_CBPF")
_MEMBERSHIPS: Final = _whole(Struct("<4s4s"), _group)
_MEMBERSHIPS6: Final = _whole(_GROUP6, _group6)
_PACKET_MEMBERSHIPS: Final = _whole(_MEMBERSHIP, _membership, exact=True)
_RINGS: Final = _whole(_RING, _ring, exact=True)

_GIVEN: Final[dict[str, _Printer]] = {
    "SO_LINGER": _whole(_TWO, _linger),
    "SO_TXREHASH": _rehash,
    "IP_ADD_MEMBERSHIP": _MEMBERSHIPS,
    "IP_DROP_MEMBERSHIP": _MEMBERSHIPS,
    "IPV6_ADD_MEMBERSHIP": _MEMBERSHIPS6,
    "IPV6_DROP_MEMBERSHIP": _MEMBERSHIPS6,
    "IPV6_JOIN_ANYCAST": _MEMBERSHIPS6,
    "IPV6_LEAVE_ANYCAST": _MEMBERSHIPS6,
    "MCAST_JOIN_GROUP": _group_request,
    "MCAST_LEAVE_GROUP": _group_request,
    "PACKET_ADD_MEMBERSHIP": _PACKET_MEMBERSHIPS,
    "PACKET_DROP_MEMBERSHIP": _PACKET_MEMBERSHIPS,
    "PACKET_RX_RING": _RINGS,
    "PACKET_TX_RING": _RINGS,
    "ICMP_FILTER": _types,
}
_RETURNED: Final[dict[str, _Printer]] = {
    "SO_LINGER": _leading("l_onoff", "l_linger", signed=True),
    "SO_PEERCRED": _leading("pid", "uid", "gid", signed=True, ids=True),
    "SO_ERROR": _error,
    "SO_TXREHASH": _rehash,
    "NETLINK_LIST_MEMBERSHIPS": _memberships,
    "PACKET_STATISTICS": _leading("tp_packets", "tp_drops", "tp_freeze_q_cnt", signed=False),
    "ICMP_FILTER": _types,
}
