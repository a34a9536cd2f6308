# SPDX-License-Identifier: Apache-2.0
"""Payload of netlink messages of netfilter, SELinux and the crypto API, and of udev's events."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from traceloop_decode.printers import netlink_types as types
from traceloop_decode.printers.kit import hexadecimal
from traceloop_decode.printers.netlink_attributes import NAMELESS, Scope, attributes
from traceloop_decode.printers.netlink_memory import Memory
from traceloop_decode.printers.netlink_structs import layout_of, struct_text
from traceloop_decode.values.options import styled
from traceloop_decode.values.xlat import XLATS

_NETFILTER: Final = Struct("<BBH")
"""struct nfgenmsg: family, version, resource id (in network byte order)."""
_NFTABLES: Final = 10
_BATCHES: Final = (0x10, 0x11)  # NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END
_SELINUX: Final = {0x10: "selnl_msg_setenforce", 0x11: "selnl_msg_policyload"}
_ALGORITHMS: Final = (0x10, 0x11, 0x12, 0x13)  # CRYPTO_MSG_NEWALG to CRYPTO_MSG_GETALG
_DEVICE_EVENT: Final = Struct("<8s4sIII4s4s4s4s")
"""struct udev_monitor_netlink_header of systemd: prefix, magic, header_size, properties_off and _len, filters."""
_LIBUDEV: Final = b"libudev\0"
_FILTERS: Final = ("filter_subsystem_hash", "filter_devtype_hash", "filter_tag_bloom_hi", "filter_tag_bloom_lo")


def _netfilter(memory: Memory, at: int, size: int, kind: int, _scope: Scope) -> str | None:
    if size < _NETFILTER.size:
        return None
    data = memory.read(at, _NETFILTER.size)
    if data is None:
        return memory.missing(at)
    family, version, resource = _NETFILTER.unpack(data)
    options = memory.view.options
    text = (
        f"{{nfgen_family={XLATS['address_families'].one(family, options)}, "
        f"version={XLATS['netfilter_versions'].one(version, options)}, res_id={_resource(resource, kind, memory)}}}"
    )
    at, size = at + _NETFILTER.size, size - _NETFILTER.size
    if size <= 0:
        return text
    return f"{text}, {memory.hex(at, size) if kind in _BATCHES else attributes(memory, at, size, NAMELESS, Scope({}))}"


def _resource(number: int, kind: int, memory: Memory) -> str:
    swapped = (number & 0xFF) << 8 | number >> 8
    name = ""
    if kind >> 8 == _NFTABLES and _NFTABLES in (number, swapped):  # some programs forget htons()
        name = "NFNL_SUBSYS_NFTABLES" if number == _NFTABLES else "htons(NFNL_SUBSYS_NFTABLES)"
    return styled(name, hexadecimal(number), memory.view.options.constants) if name else f"htons({swapped})"


def _selinux(memory: Memory, at: int, size: int, kind: int, _scope: Scope) -> str | None:
    return struct_text(memory, at, size, _SELINUX[kind], 0) if kind in _SELINUX else None


def _crypto(memory: Memory, at: int, size: int, kind: int, scope: Scope) -> str | None:
    if kind not in _ALGORITHMS:
        return None
    layout = layout_of("crypto_user_alg")
    text = struct_text(memory, at, size, "crypto_user_alg", 0)
    if text is None or size <= layout.size or memory.read(at, layout.size) is None:
        return memory.string(at, size) if text is None else text
    after = (layout.size + 3) & ~3
    return f"{text}, {attributes(memory, at + after, size - after, scope.groups['nla_crypto'], scope)}"


def device_event(memory: Memory, size: int) -> str:
    """Returns an event about a device: udev's header, if it is there, and text."""
    data = memory.read(0, _DEVICE_EVENT.size)
    if size < _DEVICE_EVENT.size or data is None or not data.startswith(_LIBUDEV):
        return memory.string(0, size)
    _, magic, own, start, length, *filters = _DEVICE_EVENT.unpack(data)
    shown = [f'prefix="{_LIBUDEV[:-1].decode()}"', f"magic={_network(magic)}"]
    shown += [f"header_size={own}", f"properties_off={start}", f"properties_len={length}"]
    shown += [f"{name}={_network(value)}" for name, value in zip(_FILTERS, filters, strict=True)]
    text = f"{{{', '.join(shown)}}}"
    if size <= _DEVICE_EVENT.size:
        return text
    return f"[{text}, {memory.string(_DEVICE_EVENT.size, size - _DEVICE_EVENT.size)}]"


def _network(data: bytes) -> str:
    return f"htonl({hexadecimal(int.from_bytes(data))})"


PAYLOADS: Final[dict[int, Callable[[Memory, int, int, int, Scope], str | None]]] = {
    types.NETFILTER: _netfilter,
    types.SELINUX: _selinux,
    types.CRYPTO: _crypto,
}
"""Protocol -> printer of its messages' payload, from the message's type; None: the bytes are printed."""
