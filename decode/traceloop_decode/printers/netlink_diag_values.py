# SPDX-License-Identifier: Apache-2.0
"""Values of sock_diag(7) attributes that are not plain numbers, strings or structs."""

from __future__ import annotations

from typing import Final

from traceloop_decode.model import Item
from traceloop_decode.printers.bpf_programs import classic_filter
from traceloop_decode.printers.kit import hexadecimal
from traceloop_decode.printers.netlink_attributes import Scope, Value
from traceloop_decode.printers.netlink_memory import Memory
from traceloop_decode.printers.netlink_structs import address_text, layout_of, struct_text
from traceloop_decode.printers.netlink_values import elements
from traceloop_decode.printers.network_address import interface, sockaddr
from traceloop_decode.safe_text import quote
from traceloop_decode.values.xlat import XLATS

_STORAGE: Final = 128  # sizeof(struct sockaddr_storage)
_OPERATION: Final = 4  # sizeof(struct inet_diag_bc_op)
_STEP: Final = 8  # sizeof(struct sock_filter)
_PAGE: Final = 4096
_OPTIONS: Final = (
    *("recverr", "is_icsk", "freebind", "hdrincl", "mc_loop", "transparent", "mc_all", "nodefrag"),
    *("bind_address_no_port", "recverr_rfc4884", "defer_connect"),
)
"""Bits of struct inet_diag_sockopt, from the lowest of the first byte on."""
_COMPARISONS: Final = frozenset((2, 3, 4, 5))  # INET_DIAG_BC_S_GE to INET_DIAG_BC_D_LE
_HOSTS: Final = frozenset((7, 8))  # INET_DIAG_BC_S_COND, INET_DIAG_BC_D_COND
_DEVICE: Final = 9  # INET_DIAG_BC_DEV_COND
_MARK: Final = 10  # INET_DIAG_BC_MARK_COND


def _bytecode(memory: Memory, at: int, size: int, scope: Scope) -> str | None:
    text = struct_text(memory, at, size, "inet_diag_bc_op", scope.family)
    data = memory.read(at, _OPERATION)
    if text is None or data is None or size <= _OPERATION:
        return text
    return f"{text}, {_operand(memory, at + _OPERATION, size - _OPERATION, data[0], scope)}"


def _operand(memory: Memory, at: int, size: int, code: int, scope: Scope) -> str:
    text: str | None = None
    if code in _HOSTS:
        text = _host(memory, at, size)
    elif code in _COMPARISONS:
        text = struct_text(memory, at, size, "inet_diag_bc_op", scope.family)
    elif code == _MARK:
        text = struct_text(memory, at, size, "inet_diag_markcond", scope.family)
    elif code == _DEVICE and size >= 4:
        data = memory.read(at, 4)
        text = memory.missing(at) if data is None else interface(int.from_bytes(data, "little"), memory.view.options)
    return memory.hex(at, size) if text is None else text


def _host(memory: Memory, at: int, size: int) -> str | None:
    layout = layout_of("inet_diag_hostcond")
    if size < layout.size:
        return None
    data = memory.read(at, layout.size)
    if data is None:
        return memory.missing(at)
    options, family = memory.view.options, data[0]
    parts = layout.text(data, family, options)
    at, size = at + layout.size, size - layout.size
    if size:
        wanted = {2: 4, 10: 16}.get(family, 0)
        address = memory.read(at, wanted) if wanted and size >= wanted else None
        if address is not None:
            parts.append(address_text(address, family, options, "addr"))
        else:
            parts.append(f"addr={memory.missing(at) if wanted and size >= wanted else memory.hex(at, size)}")
    return f"{{{', '.join(parts)}}}"


def _sockaddr(_n: int, data: bytes, memory: Memory, _scope: Scope) -> str:
    return sockaddr(data, memory.view.options) or quote(data, escape=2)


def _md5_key(_n: int, data: bytes, memory: Memory, _scope: Scope) -> str:
    options, family = memory.view.options, data[0]
    length = int.from_bytes(data[2:4], "little")
    address = data[4:20] if family != 2 else data[4:8]
    return (
        f"{{tcpm_family={XLATS['address_families'].one(family, options)}, tcpm_prefixlen={data[1]}, "
        f"tcpm_keylen={length}, {address_text(address, family, options, 'tcpm_addr')}, "
        f"tcpm_key={quote(data[20 : 20 + min(80, length)], escape=2)}}}"
    )


def _member(_n: int, data: bytes, memory: Memory, _scope: Scope) -> str:
    length = int.from_bytes(data[10:12], "little")
    index, count = int.from_bytes(data[:4], "little"), int.from_bytes(data[4:8], "little")
    return (
        f"{{pdmc_index={interface(index, memory.view.options)}, pdmc_count={count}, "
        f"pdmc_type={int.from_bytes(data[8:10], 'little')}, pdmc_alen={length}, "
        f"pdmc_addr={quote(data[12 : 12 + min(32, length)], escape=2)}}}"
    )


def _socket_options(memory: Memory, at: int, size: int, _scope: Scope) -> str | None:
    if size < 2:
        return None
    data = memory.read(at, 2)
    if data is None:
        return memory.missing(at)
    bits, options = int.from_bytes(data, "little"), memory.view.options
    shown = [f"{name}={bits >> n & 1}" for n, name in enumerate(_OPTIONS) if options.verbose or bits >> n & 1]
    unused = bits >> len(_OPTIONS)
    if options.verbose or unused:
        shown.append(f"unused={hexadecimal(unused)} /* bits 3..8 */")
    text, total = f"{{{', '.join(shown)}}}", min(size, _PAGE)
    rest = memory.data[at + 2 : at + total]
    if total > 2 and any(rest):
        part = rest[: options.string_max]
        text += f", /* bytes 2..{total - 1} */ {quote(part, more=len(part) < total - 2, escape=2)}"
    return text


def _filter(memory: Memory, at: int, size: int, _scope: Scope) -> str | None:
    count = size // _STEP
    if not count or count > 0xFFFF:
        return None
    data = memory.data[at : at + count * _STEP]
    item = Item(0, 0, data, count * _STEP, len(data) < count * _STEP, memory.unreadable, out=False)
    return classic_filter(item, memory.base + at, count, memory.view, seccomp=False)


def _crypto_type(memory: Memory, at: int, size: int, _scope: Scope) -> str:
    return f"{{type={memory.up_to_nul(at, size)}}}"


VALUES: Final[dict[str, Value]] = {
    "bytecode": _bytecode,
    "sockaddrs": elements(_STORAGE, _sockaddr),
    "md5_keys": elements(layout_of("tcp_diag_md5sig").size, _md5_key),
    "multicast_list": elements(layout_of("packet_diag_mclist").size, _member),
    "socket_options": _socket_options,
    "classic_filter": _filter,
    "crypto_type": _crypto_type,
}
"""Words of the tables of groups, beside those of `netlink_values`."""
