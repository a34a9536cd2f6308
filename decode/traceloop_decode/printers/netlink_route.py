# SPDX-License-Identifier: Apache-2.0
"""Payload of NETLINK_ROUTE messages: a struct that begins with an address family, then attributes: rtnetlink(7)."""

from __future__ import annotations

from typing import Final

from traceloop_decode.printers.netlink_attributes import Scope, attributes
from traceloop_decode.printers.netlink_memory import Memory
from traceloop_decode.printers.netlink_payload import family_and_data, head
from traceloop_decode.printers.netlink_route_values import AF_BRIDGE
from traceloop_decode.values.options import styled
from traceloop_decode.values.xlat import XLATS

_KINDS: Final = {
    "LINK": ("ifinfomsg", "nla_link"),
    "ADDR": ("ifaddrmsg", "nla_addr"),
    "MULTICAST": ("ifaddrmsg", "nla_addr"),
    "ANYCAST": ("ifaddrmsg", "nla_addr"),
    "ROUTE": ("rtmsg", "nla_route"),
    "NEIGH": ("ndmsg", "nla_neigh"),
    "RULE": ("fib_rule_hdr", "nla_rule"),
    "QDISC": ("tcmsg", "nla_tc"),
    "TCLASS": ("tcmsg", "nla_tc"),
    "TFILTER": ("tcmsg", "nla_tc"),
    "CHAIN": ("tcmsg", "nla_tc"),
    "ACTION": ("tcamsg", "nla_tc_action"),
    "NEIGHTBL": ("ndtmsg", "nla_neightbl"),
    "ADDRLABEL": ("ifaddrlblmsg", "nla_addrlabel"),
    "DCB": ("dcbmsg", "nla_dcb"),
    "NETCONF": ("netconfmsg", "nla_netconf"),
    "MDB": ("br_port_msg", "nla_mdb_port"),
    "NSID": ("rtgenmsg", "nla_nsid"),
    "STATS": ("if_stats_msg", "nla_stats"),
    "NEXTHOP": ("nhmsg", "nla_nexthop"),
}
"""Type of a message without RTM_NEW, DEL, GET or SET -> its struct, and the group of its attributes."""
_HEADS: Final = {
    number: _KINDS[name.removeprefix("RTM_")[3:]]
    for number, name in XLATS["route_messages"].entries
    if name.removeprefix("RTM_")[3:] in _KINDS
}
_GET_NEIGHBOUR: Final = 30
_CACHE_REPORT: Final = 96  # RTM_NEWCACHEREPORT
_REPORTS: Final = {128: "nla_cache_report", 129: "nla_cache_report6"}  # RTNL_FAMILY_IPMR, RTNL_FAMILY_IP6MR


def payload(memory: Memory, at: int, size: int, kind: int, scope: Scope) -> str:
    """Returns the payload of a message of a type."""
    first = memory.read(at, 1)
    if first is None:
        return memory.missing(at)
    scope.family = first[0]
    if kind == _CACHE_REPORT:
        return _cache_report(memory, at, size, scope)
    is_link = kind == _GET_NEIGHBOUR and scope.family == AF_BRIDGE
    found = _KINDS["LINK"] if is_link else _HEADS.get(kind)
    if found is None:
        return family_and_data(memory, at, size, scope.family)
    return head(memory, at, size, found, scope)


def _cache_report(memory: Memory, at: int, size: int, scope: Scope) -> str:
    options, table = memory.view.options, XLATS["multicast_families"]
    names = table.names | XLATS["address_families"].names
    number = f"{scope.family:#x}" if scope.family else "0"
    named = names.get(scope.family)
    family = styled(named or "", number, options.constants)
    if named is None and options.constants != "raw":
        family = f"{number} /* {table.unknown} */"
    text, at, size = f"{{rtgen_family={family}}}", at + 4, size - 4
    if size <= 0:
        return text
    group = _REPORTS.get(scope.family)
    rest = memory.hex(at, size) if group is None else attributes(memory, at, size, scope.groups[group], scope)
    return f"{text}, {rest}"
