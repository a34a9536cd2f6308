# SPDX-License-Identifier: Apache-2.0
"""What a message of NETLINK_ROUTE begins with, behind its netlink header: rtnetlink(7), linux/rtnetlink.h."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from traceloop_decode.printers.network_address import interface
from traceloop_decode.values.options import Options
from traceloop_decode.values.xlat import XLATS

_FIRST: Final = 16  # RTM_BASE; from there, four types are of one kind: new, del, get, set
_LINK: Final = Struct("<BxHiII")
_ADDRESS: Final = Struct("<BBBBI")
_ROUTE: Final = Struct("<BBBBBBBBI")
_NEIGHBOUR: Final = Struct("<B3xiHBB")


def _family(number: int, options: Options) -> str:
    return XLATS["address_families"].one(number, options)


def _link(fields: tuple[int, ...], options: Options) -> str:
    family, kind, index, flags, change = fields
    named = XLATS["interface_flags"]
    return (
        f"{{ifi_family={_family(family, options)}, ifi_type={XLATS['hardware_types'].one(kind, options)}, "
        f"ifi_index={interface(index, options)}, ifi_flags={named.flags(flags, options)}, "
        f"ifi_change={f'{change:#x}' if change else '0'}}}"
    )


def _address(fields: tuple[int, ...], options: Options) -> str:
    family, length, flags, scope, index = fields
    return (
        f"{{ifa_family={_family(family, options)}, ifa_prefixlen={length}, "
        f"ifa_flags={XLATS['ifa_flags'].flags(flags, options)}, ifa_scope={XLATS['route_scopes'].one(scope, options)}, "
        f"ifa_index={interface(index, options)}}}"
    )


def _route(fields: tuple[int, ...], options: Options) -> str:
    family, to, source, service, table, protocol, scope, kind, flags = fields
    return (
        f"{{rtm_family={_family(family, options)}, rtm_dst_len={to}, rtm_src_len={source}, "
        f"rtm_tos={XLATS['service_types'].flags(service, options)}, "
        f"rtm_table={XLATS['route_tables'].one(table, options)}, "
        f"rtm_protocol={XLATS['route_protocols'].one(protocol, options)}, "
        f"rtm_scope={XLATS['route_scopes'].one(scope, options)}, rtm_type={XLATS['route_types'].one(kind, options)}, "
        f"rtm_flags={XLATS['route_flags'].flags(flags, options)}}}"
    )


def _neighbour(fields: tuple[int, ...], options: Options) -> str:
    family, index, state, flags, kind = fields
    return (
        f"{{ndm_family={_family(family, options)}, ndm_ifindex={interface(index, options)}, "
        f"ndm_state={XLATS['neighbour_states'].flags(state, options)}, "
        f"ndm_flags={XLATS['neighbour_flags'].flags(flags, options)}, "
        f"ndm_type={XLATS['route_types'].one(kind, options)}}}"
    )


_HEADS: Final[dict[int, tuple[str, Struct, Callable[[tuple[int, ...], Options], str]]]] = {
    0: ("ifi_family", _LINK, _link),
    1: ("ifa_family", _ADDRESS, _address),
    2: ("rtm_family", _ROUTE, _route),
    3: ("ndm_family", _NEIGHBOUR, _neighbour),
}
"""By the type's kind, counted from the first."""


def head(kind: int, payload: bytes, options: Options) -> tuple[str, int] | None:
    """The struct that a message's payload begins with, and how many bytes it is; None of a type without one here."""
    found = _HEADS.get((kind - _FIRST) // 4)
    if found is None or not payload:
        return None
    name, layout, show = found
    if len(payload) < layout.size:
        return f"{{{name}={_family(payload[0], options)}, ...}}", len(payload)
    return show(layout.unpack_from(payload), options), layout.size
