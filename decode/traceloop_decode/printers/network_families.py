# SPDX-License-Identifier: Apache-2.0
"""Socket addresses of families that few programs use. Each printer gets the whole address; None: it is too short."""

from __future__ import annotations

import re
from collections.abc import Callable
from struct import Struct
from typing import Final

from traceloop_decode.safe_text import quote
from traceloop_decode.values.options import Options, styled
from traceloop_decode.values.xlat import XLATS

_IPX: Final = Struct("<HHI6sBB")
_RXRPC: Final = Struct("<HHHHH")
_IEEE: Final = Struct("<H2xiH8s2x")
_ALG: Final = Struct("<H14sII")
_NFC: Final = Struct("<H2xIII")
_NFC_LLCP: Final = Struct("<BB63s7xQ")
_QRTR: Final = Struct("<H2xII")
_MCTP: Final = Struct("<HHIBBBB")
_AX25_SIZE: Final = 16  # sizeof(struct sockaddr_ax25), without the relays of struct full_sockaddr_ax25
_CALL_SIGN: Final = 7
_RELAYS_MAX: Final = 8
_PRINTABLE: Final = re.compile(r"[ -)+-.0-~]*")  # "*" and "/" could end the comment
_USUAL: Final = re.compile(r"[0-9A-Z]* *")
_RXRPC_SIZE: Final = 36
_X25_SIZE: Final = 18
_INET, _INET6 = 2, 10
_SHORT, _LONG_NONE = 2, 0
_FAMILIES: Final = XLATS["address_families"]
_DYNAMIC_PSM: Final = ((0x80, 0x100, "L2CAP_PSM_LE_DYN_START"), (0x1001, 0x10000, "L2CAP_PSM_DYN_START"))
_DYNAMIC_CID: Final = ((0x40, 0x10000, "L2CAP_CID_DYN_START"),)

_Printer = Callable[[bytes, Options], str | None]


def _number(value: int) -> str:
    return f"{value:#x}" if value else "0"


def _numbered(table: str, value: int, options: Options, *, flags: bool = False) -> str:
    # A number whose name is always in a comment.
    names, number = XLATS[table], _number(value)
    if options.constants == "raw":
        return number
    text = names.flags(value, Options()) if flags else names.one(value, Options())
    return text if text.startswith(number) else f"{number} /* {text} */"


def _up_to_nul(data: bytes, options: Options) -> str:
    text, end, _ = data.partition(b"\0")
    return quote(text if end else data[:-1], more=not end, escape=options.escape)


def _hardware(data: bytes, options: Options) -> str:
    return styled(":".join(f"{byte:02x}" for byte in data), quote(data, escape=2), options.constants)


def _ax25(data: bytes, options: Options) -> str | None:
    if len(data) < _AX25_SIZE:
        return None
    relays = int.from_bytes(data[12:16], "little", signed=True)
    text = f"sax25_call={_call_sign(data[2:9], options)}, sax25_ndigis={relays}"
    if not relays and len(data) == _AX25_SIZE:
        return f", {text}"
    there, meant = min((len(data) - _AX25_SIZE) // _CALL_SIGN, _RELAYS_MAX), min(max(relays, 0), _RELAYS_MAX)
    starts = (_AX25_SIZE + n * _CALL_SIGN for n in range(min(there, meant)))
    shown = [_call_sign(data[at : at + _CALL_SIGN], options) for at in starts] + ["..."] * (meant > there)
    text = f", fsa_ax25={{{text}}}"
    if meant:
        text += f", fsa_digipeater=[{', '.join(shown)}]"
    return f"{text}, ..." if len(data) > _AX25_SIZE + there * _CALL_SIGN else text


def _call_sign(data: bytes, options: Options) -> str:
    # Six letters or digits, each shifted by a bit, filled up with spaces; then a number. Others show their bytes too.
    letters, number = bytes(byte >> 1 for byte in data[:-1]).decode("latin-1"), data[-1]
    raw = f"{{ax25_call={quote(data, escape=2)}}}"
    if not _PRINTABLE.fullmatch(letters) or options.constants == "raw":
        return raw
    text = f"{letters.rstrip(' ')}-{number >> 1 & 15}"
    text = "*" if text.startswith("-0") else text
    odd = any(byte & 1 for byte in data[:-1]) or number & ~0x1E or not _USUAL.fullmatch(letters)
    odd = odd or (not letters.strip(" ") and number)
    return f"{raw} /* {text} */" if odd or options.constants == "verbose" else text


def _ipx(data: bytes, options: Options) -> str | None:
    if len(data) < _IPX.size:
        return None
    _, _, _, node, kind, zero = _IPX.unpack_from(data)
    port = styled(f"htons({int.from_bytes(data[2:4])})", quote(data[2:4], escape=2), options.constants)
    shown = ", ".join(f"{byte:#x}" if byte else "00" for byte in node)
    return (
        f", sipx_port={port}, sipx_network=htonl({_number(int.from_bytes(data[4:8]))}), sipx_node=[{shown}], "
        f"sipx_type={f'{kind:#x}' if kind > 15 else f'0x{kind:x}' if kind else '00'}"
        f"{f', sipx_zero={zero:#x}' if zero else ''}"
    )


def _x25(data: bytes, options: Options) -> str | None:
    return f", sx25_addr={{x25_addr={_up_to_nul(data[2:18], options)}}}" if len(data) >= _X25_SIZE else None


def _bluetooth(data: bytes, options: Options) -> str | None:
    # The length tells the protocols apart: HCI, SCO, RFCOMM, L2CAP.
    if len(data) in (4, 6):
        text = f", hci_dev=htobs({int.from_bytes(data[2:4], 'little')})"
        channel = int.from_bytes(data[4:6], "little")
        return text if len(data) == 4 else f"{text}, hci_channel={XLATS['hci_channels'].one(channel, options)}"
    if len(data) == 8:
        return f", sco_bdaddr={_hardware(data[2:8], options)}"
    if len(data) == 10:
        return f", rc_bdaddr={_hardware(data[2:8], options)}, rc_channel={data[8]}"
    if len(data) not in (12, 14):
        return None
    psm, cid = (int.from_bytes(data[at : at + 2], "little") for at in (2, 10))
    text = (
        f", l2_psm=htobs({_dynamic('bluetooth_psms', psm, _DYNAMIC_PSM, options)}), "
        f"l2_bdaddr={_hardware(data[4:10], options)}, "
        f"l2_cid=htobs({_dynamic('bluetooth_cids', cid, _DYNAMIC_CID, options)})"
    )
    return text if len(data) == 12 else f"{text}, l2_bdaddr_type={XLATS['bluetooth_addresses'].one(data[12], options)}"


def _dynamic(table: str, value: int, ranges: tuple[tuple[int, int, str], ...], options: Options) -> str:
    # A value with a name, or one of a range of free ones.
    names = XLATS[table]
    for start, end, name in ranges:
        if start <= value < end and value not in names.names:
            return styled(f"{name}+{value - start}", _number(value), options.constants)
    return names.one(value, options)


def rxrpc(data: bytes, options: Options, inet: _Printer, inet6: _Printer) -> str | None:
    """Prints an address of AF_RXRPC. inet, inet6: print the addresses of its transports."""
    if len(data) < _RXRPC_SIZE:
        return None
    _, service, kind, length, family = _RXRPC.unpack_from(data)
    transport = data[8 : 8 + min(length, len(data) - 8)]
    rest = f", {quote(transport[2:], escape=options.escape)}" if len(transport) > 2 else ""
    name = _FAMILIES.one(family, options)
    if family == _INET:
        inner = inet(transport, options) if length >= 16 else rest
        shown = f"sin={{sin_family={name}{inner}}}"
    elif family == _INET6:
        inner = inet6(transport, options) if length >= 24 else rest
        shown = f"sin6={{sin6_family={name}{inner}}}"
    else:
        shown = f"family={name}{rest}"
    return (
        f", srx_service={_numbered('rxrpc_services', service, options)}, "
        f"transport_type={XLATS['socktypes'].one(kind, options)}, transport_len={length}, transport={{{shown}}}"
    )


def _ieee802154(data: bytes, options: Options) -> str | None:
    if len(data) < _IEEE.size:
        return None
    _, kind, pan, hardware = _IEEE.unpack_from(data)
    parts = [f"addr_type={_numbered('ieee802154_kinds', kind & 0xFFFFFFFF, options)}"]
    parts.append(f"pan_id={_numbered('ieee802154_pans', pan, options)}")
    if kind == _SHORT:
        short = int.from_bytes(hardware[:2], "little")
        parts.append(f"short_addr={_numbered('ieee802154_addresses', short, options)}")
    elif kind != _LONG_NONE:
        parts.append(f"hwaddr={_hardware(hardware, options)}")
    return f", addr={{{', '.join(parts)}}}"


def _algorithm(data: bytes, options: Options) -> str | None:
    if len(data) <= _ALG.size:
        return None
    _, kind, feature, mask = _ALG.unpack_from(data)
    return (
        f", salg_type={_up_to_nul(kind, options)}, "
        f"salg_feat={_numbered('algorithm_flags', feature, options, flags=True)}, "
        f"salg_mask={_numbered('algorithm_flags', mask, options, flags=True)}, "
        f"salg_name={_up_to_nul(data[_ALG.size :], options)}"
    )


def _nfc(data: bytes, options: Options) -> str | None:
    if len(data) < _NFC.size:
        return None
    _, device, target, protocol = _NFC.unpack_from(data)
    text = (
        f", dev_idx={_index(device, options)}, target_idx={_number(target)}, "
        f"nfc_protocol={XLATS['nfc_protocols'].one(protocol, options)}"
    )
    if len(data) < _NFC.size + _NFC_LLCP.size:
        return f"{text}, ..." if len(data) > _NFC.size else text
    to, source, name, length = _NFC_LLCP.unpack_from(data, _NFC.size)
    return (
        f"{text}, dsap={_numbered('nfc_services', to, options)}, ssap={_numbered('nfc_services', source, options)}, "
        f"service_name={quote(name[: min(len(name), length)], escape=options.escape)}, service_name_len={length}"
    )


def _index(index: int, options: Options) -> str:
    return styled('if_nametoindex("lo")' if index == 1 else "", str(index), options.constants)


def _qrtr(data: bytes, options: Options) -> str | None:
    if len(data) < _QRTR.size:
        return None
    _, node, port = _QRTR.unpack_from(data)
    return f", sq_node={XLATS['qrtr_nodes'].one(node, options)}, sq_port={XLATS['qrtr_ports'].one(port, options)}"


def _mctp(data: bytes, options: Options) -> str | None:
    if len(data) < _MCTP.size:
        return None
    _, before, network, address, kind, tag, after = _MCTP.unpack_from(data)
    return (
        f"{f', __smctp_pad0={before:#x}' if before else ''}, smctp_network={XLATS['mctp_nets'].one(network, options)}, "
        f"smctp_addr={{s_addr={XLATS['mctp_addresses'].one(address, options)}}}, smctp_type={_number(kind)}, "
        f"smctp_tag={_number(tag)}{f', __smctp_pad1={after:#x}' if after else ''}"
    )


PRINTERS: Final[dict[int, _Printer]] = {
    3: _ax25,
    4: _ipx,
    9: _x25,
    31: _bluetooth,
    36: _ieee802154,
    38: _algorithm,
    39: _nfc,
    42: _qrtr,
    45: _mctp,
}
"""Number of a family -> its printer."""
