# SPDX-License-Identifier: Apache-2.0
"""ioctl arguments for network interfaces: struct ifreq, struct ifconf."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from traceloop_decode.printers.network_address import hardware_address, network_order, sockaddr
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import StructPrinter, View
from traceloop_decode.safe_text import quote
from traceloop_decode.values.options import Options
from traceloop_decode.values.xlat import XLATS

_NAME_MAX: Final = 16
_REQUEST_SIZE: Final = 40
_ADDRESS: Final = slice(16, 32)
_MAP: Final = Struct("<QQHBBB")
_CONF: Final = Struct("<i4xQ")
_GET_NAME: Final = 0x8910
# How long addresses of a type of hardware are, of linux/if_arp.h; of other types all bytes are shown.
_HARDWARE_BYTES: Final = {
    **dict.fromkeys((1, 6, 772, 774, 780, 801, 802, 803), 6),  # ETHER IEEE802 LOOPBACK FDDI HIPPI IEEE80211..
    **dict.fromkeys((0, 3), 7),  # NETROM AX25
    **dict.fromkeys((27, 804, 805, 825, 826), 8),  # EUI64 IEEE802154 IEEE802154_MONITOR 6LOWPAN VSOCKMON
    **dict.fromkeys((270, 271), 5),  # ROSE X25
    **dict.fromkeys((768, 776, 777, 778, 779, 783), 4),  # TUNNEL SIT IPDDP IPGRE PIMREG IRDA
    15: 2,  # DLCI
    **dict.fromkeys((7, 290, 773, 820, 821, 822), 1),  # ARCNET MCTP LOCALTLK PHONET PHONET_PIPE CAIF
}


def _request(data: bytes, view: View) -> str:
    if len(data) < _REQUEST_SIZE:
        return "{...}"
    command = view.registers[1] & 0xFFFFFFFF
    if command == _GET_NAME:
        name = f", ifr_name={_name(data[:_NAME_MAX], view.options)}" if _is_known(view) else ""
        return f"{{ifr_ifindex={_int(data)}{name}}}"
    what = XLATS["ioctls"].names.get(command, "")
    field = _FIELDS.get(what[4:] if what.startswith("SIOC") else "")
    # SIOCG... returns the field, SIOCS... passes it in.
    if field is None or (what.startswith("SIOCG") and not _is_known(view)):
        return f"{{ifr_name={_name(data[:_NAME_MAX], view.options)}}}"
    return f"{{ifr_name={_name(data[:_NAME_MAX], view.options)}, {field(data, view.options)}}}"


def _is_known(view: View) -> bool:
    return view.returned and not view.failed


def _name(data: bytes, options: Options) -> str:
    # A name is a string of at most 15 bytes and a NUL.
    text, end, _ = data.partition(bytes(1))
    return quote(text if end else text[:-1], more=not end, escape=options.escape)


def _int(data: bytes) -> int:
    return int.from_bytes(data[16:20], "little", signed=True)


def _number(field: str) -> Callable[[bytes, Options], str]:
    return lambda data, _options: f"{field}={_int(data)}"


def _address(field: str) -> Callable[[bytes, Options], str]:
    return lambda data, options: f"{field}={sockaddr(data[_ADDRESS], options)}"


def _text(field: str) -> Callable[[bytes, Options], str]:
    return lambda data, options: f"{field}={_name(data[_ADDRESS], options)}"


def _hardware(data: bytes, options: Options) -> str:
    number = int.from_bytes(data[16:18], "little")
    kind = XLATS["hardware_types"].one(number, options)
    text = hardware_address(data[18:32][: _HARDWARE_BYTES.get(number)])
    return f"ifr_hwaddr={{sa_family={kind}, sa_data={network_order(data[18:32], text, options)}}}"


def _flags(data: bytes, options: Options) -> str:
    return f"ifr_flags={XLATS['interface_flags'].flags(int.from_bytes(data[16:18], 'little'), options)}"


def _map(data: bytes, _options: Options) -> str:
    names = ("mem_start", "mem_end", "base_addr", "irq", "dma", "port")
    pairs = zip(names, _MAP.unpack_from(data, _NAME_MAX), strict=True)
    return f"ifr_map={{{', '.join(f'{name}={value:#x}' if value else f'{name}=0' for name, value in pairs)}}}"


def _conf(data: bytes, view: View) -> str:
    if len(data) < _CONF.size:
        return "{...}"
    length, pointer = _CONF.unpack_from(data)
    before = view.data(2)[:4]
    asked = int.from_bytes(before, "little", signed=True) if _is_known(view) and len(before) == 4 else length
    change = f"{_conf_length(asked)} => " if asked != length and pointer else ""
    return f"{{ifc_len={change}{_conf_length(length)}, ifc_buf={_conf_list(length, pointer, view)}}}"


def _conf_list(length: int, pointer: int, view: View) -> str:
    # The call stored the list where the pointer in the struct points.
    item = view.nested(2, 1, out=True) if _is_known(view) else None
    if pointer and _is_known(view) and length < _REQUEST_SIZE:
        return "[]"
    if item is None:
        return address(pointer)
    count = length // _REQUEST_SIZE
    most = count if view.options.verbose else min(count, view.options.string_max)
    whole = [item.data[at : at + _REQUEST_SIZE] for at in range(0, len(item.data) - _REQUEST_SIZE + 1, _REQUEST_SIZE)]
    show = _address("ifr_addr")
    shown = [f"{{ifr_name={_name(one[:_NAME_MAX], view.options)}, {show(one, view.options)}}}" for one in whole[:most]]
    if len(shown) < count:
        shown.append("...")
    return f"[{', '.join(shown)}]"


def _bridge(data: bytes, view: View) -> str:
    # The name of a bridge, which the caller does not have to terminate.
    name, end, _ = data.partition(b"\0")
    return quote(name, more=not end, escape=view.options.escape)


def _conf_length(length: int) -> str:
    count, rest = divmod(length, _REQUEST_SIZE)
    return f"{length} /* {count} * sizeof(struct ifreq) */" if not rest and length > 0 else str(length)


_FIELDS: Final[dict[str, Callable[[bytes, Options], str]]] = {
    f"{direction}{name}": field
    for name, field in {
        "IFADDR": _address("ifr_addr"),
        "IFDSTADDR": _address("ifr_dstaddr"),
        "IFBRDADDR": _address("ifr_broadaddr"),
        "IFNETMASK": _address("ifr_netmask"),
        "IFHWADDR": _hardware,
        "IFHWBROADCAST": _hardware,
        "IFFLAGS": _flags,
        "IFMETRIC": _number("ifr_metric"),
        "IFMTU": _number("ifr_mtu"),
        "IFINDEX": _number("ifr_ifindex"),
        "IFTXQLEN": _number("ifr_qlen"),
        "IFSLAVE": _text("ifr_slave"),
        "IFNAME": _text("ifr_newname"),
        "IFMAP": _map,
    }.items()
    for direction in "GS"
} | {"ADDMULTI": _hardware, "DELMULTI": _hardware}
"""Name of a command without SIOC -> the field of struct ifreq that it uses."""

STRUCTS: Final[dict[str, StructPrinter]] = {
    "ifreq": _request,
    "ifreq_answer": _request,
    "ifconf": _conf,
    "interface_name": _bridge,
}
