# SPDX-License-Identifier: Apache-2.0
"""Types and flags of netlink messages as text; both depend on the socket's protocol, the flags on the type too."""

from __future__ import annotations

import re
from typing import Final

from traceloop_decode.printers.kit import hexadecimal
from traceloop_decode.values.options import Options
from traceloop_decode.values.xlat import XLATS, Xlat

ERROR: Final = 2
DONE: Final = 3
OWN_TYPES: Final = 16  # NLMSG_MIN_TYPE: types from here on belong to the protocol

ROUTE: Final = 0
SOCK_DIAG: Final = 4
XFRM: Final = 6
SELINUX: Final = 7
AUDIT: Final = 9
NETFILTER: Final = 12
KOBJECT_UEVENT: Final = 15
GENERIC: Final = 16
CRYPTO: Final = 21

_TYPES: Final = XLATS["netlink_types"]
_PROTOCOLS: Final = {
    ROUTE: XLATS["route_messages"],
    SOCK_DIAG: XLATS["diag_messages"],
    XFRM: XLATS["xfrm_messages"],
    SELINUX: XLATS["selinux_messages"],
    AUDIT: XLATS["audit_messages"],
    GENERIC: XLATS["generic_messages"],
    CRYPTO: XLATS["crypto_messages"],
}
_BATCHES: Final = XLATS["netfilter_batches"]
_SUBSYSTEMS: Final = XLATS["netfilter_subsystems"]
_SUBSYSTEM_TYPES: Final = {
    1: XLATS["nf_ctnetlink"],
    2: XLATS["nf_expectations"],
    3: XLATS["nf_queue"],
    4: XLATS["nf_log"],
    5: XLATS["nf_osf"],
    6: XLATS["nf_ipset"],
    7: XLATS["nf_accounting"],
    8: XLATS["nf_timeouts"],
    9: XLATS["nf_helpers"],
    10: XLATS["nf_tables"],
    11: XLATS["nf_compat"],
    12: XLATS["nf_hooks"],
}
_NO_TYPES: Final = Xlat((), "")

_FLAGS: Final = XLATS["netlink_flags"]
_ANSWER_FLAGS: Final = XLATS["netlink_answer_flags"]
_NEW, _DELETE, _GET = XLATS["netlink_new_flags"], XLATS["netlink_delete_flags"], XLATS["netlink_get_flags"]
_BY_VERB: Final = {"NEW": _NEW, "DEL": _DELETE, "GET": _GET}
_VERB: Final = re.compile(r"(?!IPSET|.*_DEFAULT_?|SELNL|AUDIT).*_(NEW|DEL|GET)")
_ROUTE_FLAGS: Final = (_NEW, _DELETE, _GET, _FLAGS)  # by type % 4
_DELETE_ACTION: Final = 49  # RTM_DELACTION takes the flags of RTM_GETACTION


def type_text(kind: int, protocol: int | None, options: Options) -> str:
    """Returns the type of a message. protocol: of its socket; None if not known."""
    if kind < OWN_TYPES or protocol is None:
        return _TYPES.one(kind, options)
    if protocol != NETFILTER:
        return _PROTOCOLS.get(protocol, _TYPES).one(kind, options)
    if kind in _BATCHES.names:
        return _BATCHES.one(kind, options)
    subsystem, own = kind >> 8, kind & 0xFF
    names = _SUBSYSTEM_TYPES.get(subsystem)
    text = hexadecimal(own) if names is None else names.one(own, options)
    return f"{_SUBSYSTEMS.one(subsystem, options)}<<8|{text}"


def flags_text(flags: int, kind: int, protocol: int | None, options: Options) -> str:
    """Returns the flags of a message."""
    return _flags(kind, protocol).flags(flags, options)


def _flags(kind: int, protocol: int | None) -> Xlat:
    if kind < OWN_TYPES:
        return _ANSWER_FLAGS if kind == ERROR else _FLAGS
    if protocol == ROUTE:
        return _GET if kind == _DELETE_ACTION else _ROUTE_FLAGS[kind & 3]
    if protocol == SOCK_DIAG:
        return _GET
    if protocol == NETFILTER:
        name = _SUBSYSTEM_TYPES.get(kind >> 8, _NO_TYPES).names.get(kind & 0xFF, "")
    else:
        name = _PROTOCOLS[protocol].names.get(kind, "") if protocol in (XFRM, CRYPTO) else ""
    verb = _VERB.match(name)
    return _BY_VERB[verb[1]] if verb is not None else _FLAGS
