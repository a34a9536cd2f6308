# SPDX-License-Identifier: Apache-2.0
"""Payload of NETLINK_SOCK_DIAG messages: a struct by address family and direction, then attributes: sock_diag(7)."""

from __future__ import annotations

from typing import Final

from traceloop_decode.printers.netlink_attributes import Scope
from traceloop_decode.printers.netlink_memory import Memory
from traceloop_decode.printers.netlink_payload import family_and_data, head
from traceloop_decode.printers.netlink_structs import AF_INET, AF_INET6

_AF_UNIX: Final = 1
_AF_NETLINK: Final = 16
_AF_PACKET: Final = 17
_AF_SMC: Final = 43
_OLD_TYPES: Final = (18, 19)  # TCPDIAG_GETSOCK, DCCPDIAG_GETSOCK
_INET: Final = ("inet_diag_req_v2", "nla_inet_request"), ("inet_diag_msg", "nla_inet")

_HEADS: Final = {
    _AF_UNIX: (("unix_diag_req", ""), ("unix_diag_msg", "nla_unix")),
    AF_INET: _INET,
    AF_INET6: _INET,
    _AF_NETLINK: (("netlink_diag_req", ""), ("netlink_diag_msg", "nla_netlink")),
    _AF_PACKET: (("packet_diag_req", ""), ("packet_diag_msg", "nla_packet")),
    _AF_SMC: (("smc_diag_req", ""), ("smc_diag_msg", "nla_smc")),
}
"""Family -> the struct and the group of attributes of requests, and those of answers."""


def payload(memory: Memory, at: int, size: int, kind: int, scope: Scope, *, is_request: bool) -> str:
    """Returns the payload of a message of a type."""
    first = memory.read(at, 1)
    if first is None:
        return memory.missing(at)
    family = scope.family = first[0]
    if family not in _HEADS or size <= 1:
        return family_and_data(memory, at, size, family)
    struct, group = _HEADS[family][0 if is_request else 1]
    if struct == "inet_diag_req_v2" and kind in _OLD_TYPES:
        struct = "inet_diag_req"
    return head(memory, at, size, (struct, group), scope)
