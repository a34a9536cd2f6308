# SPDX-License-Identifier: Apache-2.0
"""Socket addresses, ``struct sockaddr`` of all common families, as text."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from traceloop_decode.printers import network_families
from traceloop_decode.safe_text import quote
from traceloop_decode.values.options import Options, styled
from traceloop_decode.values.xlat import XLATS

SOCKADDR_MAX: Final = 128
"""sizeof(struct sockaddr_storage); nothing after it is printed."""

_FAMILY: Final = Struct("<H")
_NETLINK: Final = Struct("<HiI")
_PACKET: Final = Struct("<HiHBB")
_PACKET_HEAD: Final = 12  # where sll_addr begins, which may be longer than in struct sockaddr_ll
_VSOCK: Final = Struct("<HIIB3s")
_XDP: Final = Struct("<HIIi")

_FAMILIES: Final = XLATS["address_families"]
_ABBREVIATED: Final = Options()
_LOOPBACK_INDEX: Final = 1
_UNIX_MAX: Final = 110  # sizeof(struct sockaddr_un)
_AF_XDP: Final = 44
_XDP_SHARED: Final = 1  # XDP_SHARED_UMEM


def sockaddr(data: bytes, options: Options, fd: Callable[[int], str] = str) -> str | None:
    """Returns an address of as many bytes as the call gave, or None if they are too few to hold a family.

    fd: prints a descriptor in it.
    """
    data = data[:SOCKADDR_MAX]
    if len(data) < 2:
        return None
    (family,) = _FAMILY.unpack_from(data)
    printed = None
    if family == _AF_XDP:
        printed = _xdp(data, options, fd)
    elif len(data) > 2 and family in _PRINTERS:
        printed = _PRINTERS[family](data, options)
    if printed is None:
        printed = f", sa_data={_quoted(data[2:], options)}" if len(data) > 2 else ""
    return f"{{sa_family={_FAMILIES.one(family, options)}{printed}}}"


def network_order(data: bytes, text: str, options: Options) -> str:
    """Returns the bytes, `text`, or both, as -X says."""
    return styled(text, quote(data, escape=2), options.constants)


def inet_addr(address: bytes, options: Options) -> str:
    """Returns ``inet_addr("127.0.0.1")``."""
    return network_order(address, f"inet_addr({_string('.'.join(map(str, address)), options)})", options)


def inet_pton(field: str, address: bytes, options: Options) -> str:
    """Returns a member of type struct in6_addr: ``inet_pton(AF_INET6, "::1", &sin6_addr)``. field: "" for no member."""
    text = f"inet_pton(AF_INET6, {_string(_inet6_text(address), options)}"
    if options.constants == "abbrev":
        return f"{text}, &{field})" if field else f"{text})"
    return (
        f"{field}={network_order(address, f'{text})', options)}"
        if field
        else network_order(address, f"{text})", options)
    )


def interface(index: int, options: Options) -> str:
    """Returns an interface's index, named if it is 1, the loopback of every network; the trace has no other names."""
    text = f"if_nametoindex({_string('lo', options)})" if index == _LOOPBACK_INDEX else ""
    return styled(text, str(index & 0xFFFFFFFF), options.constants)


def hardware_address(data: bytes) -> str:
    """Returns ``00:16:3e:00:00:01``."""
    return ":".join(f"{byte:02x}" for byte in data)


def _string(text: str, options: Options) -> str:
    return quote(text.encode(), escape=options.escape)


def _inet6_text(address: bytes) -> str:
    # Follows inet_ntop(3): the longest run of zeros is left out, and embedded IPv4 addresses are dotted.
    words = [int.from_bytes(address[n : n + 2]) for n in range(0, 16, 2)]
    start, length = _longest_zeros(words)
    if start == 0 and (length == 6 or (length == 5 and words[5] == 0xFFFF)):
        return f"::{'ffff:' if length == 5 else ''}{'.'.join(map(str, address[12:]))}"
    texts = [f"{word:x}" for word in words]
    if length < 2:
        return ":".join(texts)
    return f"{':'.join(texts[:start])}::{':'.join(texts[start + length :])}"


def _longest_zeros(words: list[int]) -> tuple[int, int]:
    best, start = (0, 0), 0
    for n, word in enumerate([*words, 1]):
        if word:
            best = (start, n - start) if n - start > best[1] else best
            start = n + 1
    return best


def _quoted(data: bytes, options: Options) -> str:
    return quote(data, escape=options.escape)


def _unix(data: bytes, options: Options) -> str:
    data = data[:_UNIX_MAX]
    if data[2]:
        return f", sun_path={_quoted(data[2:].partition(bytes(1))[0], options)}"
    return f", sun_path=@{_quoted(data[3:], options)}"


def _port(data: bytes, options: Options) -> str:
    return network_order(data[2:4], f"htons({int.from_bytes(data[2:4])})", options)


def _inet(data: bytes, options: Options) -> str | None:
    if len(data) < 16:
        return None
    return f", sin_port={_port(data, options)}, sin_addr={inet_addr(data[4:8], options)}"


def _inet6(data: bytes, options: Options) -> str | None:
    if len(data) < 24:
        return None
    flow, address = data[4:8], data[8:24]
    text = (
        f", sin6_port={_port(data, options)}, "
        f"sin6_flowinfo={network_order(flow, f'htonl({int.from_bytes(flow)})', options)}, "
        f"{inet_pton('sin6_addr', address, options)}"
    )
    if len(data) == 24:
        return text
    scope = int.from_bytes(data[24:28], "little")
    local = (address[0] == 0xFE and address[1] & 0xC0 == 0x80) or (address[0] == 0xFF and address[1] & 0xF == 2)
    return f"{text}, sin6_scope_id={interface(scope, options) if local else scope}"


def _netlink(data: bytes, _options: Options) -> str | None:
    if len(data) < 12:
        return None
    pad, pid, groups = _NETLINK.unpack_from(data, 2)
    return f"{f', nl_pad={pad:#x}' if pad else ''}, nl_pid={pid}, nl_groups={'0x' if groups else '00'}{groups:06x}"


def _packet(data: bytes, options: Options) -> str | None:
    if len(data) < 20:
        return None
    protocol, index, hardware, kind, length = _PACKET.unpack_from(data, 2)
    address = data[_PACKET_HEAD:]
    text = (
        f", sll_protocol={network_order(data[2:4], ethernet_protocol(protocol, _ABBREVIATED), options)}, "
        f"sll_ifindex={interface(index, options)}, "
        f"sll_hatype={XLATS['hardware_types'].one(hardware, options)}, "
        f"sll_pkttype={XLATS['packet_types'].one(kind, options)}, sll_halen={length}"
    )
    if not length:
        return text
    shown = [f"{byte:#x}" if byte else "00" for byte in address[:length]]
    return f"{text}, sll_addr=[{', '.join(shown + ['...'] * (length > len(address)))}]"


def ethernet_protocol(value: int, options: Options) -> str:
    """Returns ``htons(ETH_P_IP)``. value: the number as read from memory, in network byte order."""
    return f"htons({XLATS['ethernet_protocols'].one((value & 0xFF) << 8 | value >> 8 & 0xFF, options)})"


def _vsock(data: bytes, options: Options) -> str | None:
    if len(data) < 16:
        return None
    reserved, port, cid, flags, zero = _VSOCK.unpack_from(data, 2)
    return (
        f"{f', svm_reserved1={reserved:#x}' if reserved else ''}"
        f", svm_cid={XLATS['vsock_cids'].one(cid, options)}, svm_port={XLATS['vsock_ports'].one(port, options)}"
        f", svm_flags={XLATS['vsock_flags'].flags(flags, options)}"
        f"{f', svm_zero={quote(zero, escape=2)}' if any(zero) else ''}"
    )


def _xdp(data: bytes, options: Options, fd: Callable[[int], str]) -> str | None:
    if len(data) < 16:
        return None
    flags, index, queue, shared = _XDP.unpack_from(data, 2)
    text = (
        f", sxdp_flags={XLATS['xdp_socket_flags'].flags(flags, options)}, sxdp_ifindex={interface(index, options)}, "
        f"sxdp_queue_id={queue}"
    )
    if flags & _XDP_SHARED:
        return f"{text}, sxdp_shared_umem_fd={fd(shared)}"
    return f"{text}, sxdp_shared_umem_fd={shared & 0xFFFFFFFF:#x}" if shared else text


_PRINTERS: Final[dict[int, Callable[[bytes, Options], str | None]]] = {
    1: _unix,
    2: _inet,
    10: _inet6,
    16: _netlink,
    17: _packet,
    33: lambda data, options: network_families.rxrpc(data, options, _inet, _inet6),
    40: _vsock,
} | network_families.PRINTERS
"""Number of a family -> printer of what follows it, which returns None if there are too few bytes."""
