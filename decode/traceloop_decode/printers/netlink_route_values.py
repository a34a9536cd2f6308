# SPDX-License-Identifier: Apache-2.0
"""Values of NETLINK_ROUTE attributes that depend on other values of the message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from struct import Struct
from typing import Final

from traceloop_decode.printers.kit import hexadecimal
from traceloop_decode.printers.netlink_attributes import Group, Scope, Value, attributes, nested
from traceloop_decode.printers.netlink_memory import Memory
from traceloop_decode.printers.netlink_structs import AF_INET, AF_INET6, address_text, layout_of, struct_text
from traceloop_decode.printers.network_address import interface
from traceloop_decode.values.xlat import XLATS

AF_BRIDGE: Final = 7
_AF_MPLS: Final = 28
_AF_MCTP: Final = 45
_KIND_MAX: Final = 64  # a longer kind names no link
_GUIDS: Final = {12: Struct("<IQ"), 16: Struct("<I4xQ")}  # with and without padding, by architecture
_NEXT_HOP: Final = 8  # sizeof(struct rtnexthop)
_FAMILIES: Final = XLATS["address_families"]

_DATA: Final = {b"bridge": "nla_bridge", b"tun": "nla_tun"}
_PORT_DATA: Final = {b"bridge": "nla_bridge_port"}


def _kind_of(memory: Memory, at: int, size: int) -> bytes:
    data = memory.read(at, size) if size < _KIND_MAX else None
    name, end, _ = data.partition(b"\0") if data is not None else (b"", b"", b"")
    return name if end else b""


def _kind(memory: Memory, at: int, size: int, scope: Scope) -> str:
    scope.kind = _kind_of(memory, at, size)
    return memory.up_to_nul(at, size)


def _port_kind(memory: Memory, at: int, size: int, scope: Scope) -> str:
    scope.port_kind = _kind_of(memory, at, size)
    return memory.up_to_nul(at, size)


def _data(memory: Memory, at: int, size: int, scope: Scope) -> str | None:
    return nested(_DATA[scope.kind])(memory, at, size, scope) if scope.kind in _DATA else None


def _port_data(memory: Memory, at: int, size: int, scope: Scope) -> str | None:
    return nested(_PORT_DATA[scope.port_kind])(memory, at, size, scope) if scope.port_kind in _PORT_DATA else None


def _counters(memory: Memory, at: int, size: int, scope: Scope) -> str | None:
    return struct_text(memory, at, size, "can_device_stats", scope.family) if scope.kind == b"can" else None


def _by_family(families: Mapping[int, str]) -> Value:
    # Attributes of the group of the attribute's type, which is an address family.
    def print_family(memory: Memory, at: int, size: int, scope: Scope) -> str | None:
        return nested(families[scope.outer])(memory, at, size, scope) if scope.outer in families else None

    group = Group(_FAMILIES, {}, print_family)
    return lambda memory, at, size, scope: attributes(memory, at, size, group, replace(scope, depth=scope.depth + 1))


_LINK_FAMILIES: Final = {AF_INET: "nla_link_inet", AF_INET6: "nla_link_inet6", _AF_MCTP: "nla_link_mctp"}
_BY_LINK_FAMILY: Final = _by_family(_LINK_FAMILIES)
_LINK_PROTOCOLS: Final = {AF_BRIDGE: "nla_bridge_port", AF_INET6: "nla_link_inet6"}


def _families(memory: Memory, at: int, size: int, scope: Scope) -> str | None:
    # A bridge's links use this attribute in their own way: linux/if_bridge.h.
    value = nested("nla_link_bridge") if scope.family == AF_BRIDGE else _BY_LINK_FAMILY
    return value(memory, at, size, scope)


def _protocol(memory: Memory, at: int, size: int, scope: Scope) -> str | None:
    name = _LINK_PROTOCOLS.get(scope.family)
    return nested(name)(memory, at, size, scope) if name is not None else None


def _guid(memory: Memory, at: int, size: int, _scope: Scope) -> str | None:
    if size not in _GUIDS:
        return None
    data = memory.read(at, size)
    if data is None:
        return memory.missing(at)
    vf, guid = _GUIDS[size].unpack(data)
    return f"{{vf={vf}, guid={hexadecimal(guid)}}}"


def _multipath(memory: Memory, at: int, size: int, scope: Scope) -> str | None:
    # Next hops, each with attributes of routes.
    if size < _NEXT_HOP:
        return None
    shown, in_array = list[str](), False
    while True:
        data = memory.read(at, _NEXT_HOP)
        if data is None:
            shown.append(memory.missing(at))
            break
        length = int.from_bytes(data[:2], "little")
        in_array = in_array or length < size
        length = min(size, length)
        text = f"{{{', '.join(layout_of('rtnexthop').text(data, scope.family, memory.view.options))}}}"
        if length > _NEXT_HOP:
            inner = replace(scope, depth=scope.depth + 1)
            text = (
                f"[{text}, {attributes(memory, at + _NEXT_HOP, length - _NEXT_HOP, scope.groups['nla_route'], inner)}]"
            )
        shown.append(text)
        step = (length + 3) & ~3
        if step >= size or not step:
            break
        at, size = at + step, size - step
    return f"[{', '.join(shown)}]" if in_array else shown[0]


def _via(memory: Memory, at: int, size: int, _scope: Scope) -> str | None:
    data = memory.read(at, 2)
    if size < 2 or data is None:
        return memory.missing(at) if size >= 2 else None
    options = memory.view.options
    family, at, size = int.from_bytes(data, "little"), at + 2, size - 2
    text = f"{{rtvia_family={_FAMILIES.one(family, options)}"
    if size:
        wanted = {AF_INET: 4, AF_INET6: 16}.get(family, 0)
        address = memory.read(at, wanted) if wanted and size >= wanted else None
        if address is not None:
            text += f", {address_text(address, family, options, 'rtvia_addr')}"
        elif wanted and size >= wanted:
            text += f", rtvia_addr={memory.missing(at)}"
        else:
            text += f", rtvia_addr={memory.hex(at, size)}"
    return text + "}"


def _mdb_entry(memory: Memory, at: int, size: int, scope: Scope) -> str | None:
    layout = layout_of("br_mdb_entry")
    if size < layout.size:
        return None
    data = memory.read(at, layout.size)
    if data is None:
        return memory.missing(at)
    options = memory.view.options
    protocol = int.from_bytes(data[24:26])
    source = data[8:24] if protocol != AF_INET else data[8:12]
    address = _entry_address(data[8:24], source, protocol, memory)
    parts = [
        *layout.text(data, scope.family, options),
        f"addr={{{address}, proto=htons({_FAMILIES.one(protocol, options)})}}",
    ]
    return _with_attributes(
        f"{{{', '.join(parts)}}}", memory, at, size, own=layout.size, group="nla_mdb_extra", scope=scope
    )


def _entry_address(union: bytes, source: bytes, protocol: int, memory: Memory) -> str:
    if protocol in (AF_INET, AF_INET6):
        return address_text(source, protocol, memory.view.options, "u")
    return address_text(union, 0, memory.view.options, "u")


def _router_port(memory: Memory, at: int, size: int, scope: Scope) -> str | None:
    if size < 4:
        return None
    data = memory.read(at, 4)
    if data is None:
        return memory.missing(at)
    text = interface(int.from_bytes(data, "little"), memory.view.options)
    return _with_attributes(text, memory, at, size, own=4, group="nla_router_port", scope=scope)


def _with_attributes(text: str, memory: Memory, at: int, size: int, *, own: int, group: str, scope: Scope) -> str:
    # Adds the attributes that follow `own` bytes of an attribute's value.
    own = (own + 3) & ~3
    return f"{text}, {nested(group)(memory, at + own, size - own, scope)}" if size > own else text


VALUES: Final[dict[str, Value]] = {
    "link_kind": _kind,
    "link_port_kind": _port_kind,
    "link_data": _data,
    "link_port_data": _port_data,
    "link_counters": _counters,
    "link_families": _families,
    "link_protocol": _protocol,
    "stats_families": _by_family({_AF_MPLS: "nla_stats_mpls"}),
    "vf_guid": _guid,
    "multipath": _multipath,
    "via": _via,
    "mdb_entry": _mdb_entry,
    "router_port": _router_port,
}
"""Words of the tables of groups, beside those of `netlink_values`."""
