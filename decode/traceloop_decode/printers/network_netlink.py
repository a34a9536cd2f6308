# SPDX-License-Identifier: Apache-2.0
"""Netlink's messages as text: their headers, and what is common to every protocol.

A message's type says what is in it only together with the socket's protocol, which a call does not tell: types of
protocols are printed as numbers, what they carry as bytes.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.errnos import ERRNO
from traceloop_decode.printers.view import Options
from traceloop_decode.printers.xlat import XLATS
from traceloop_decode.text.values import quote

AF_NETLINK: Final = 16

_HEADER: Final = Struct("<IHHII")
"""struct nlmsghdr: len, type, flags, seq, pid."""
_INT: Final = Struct("<i")
_TYPES: Final = XLATS["netlink_types"]
_FLAGS: Final = XLATS["netlink_flags"]
_ANSWER_FLAGS: Final = XLATS["netlink_answer_flags"]
_ERROR: Final = 2
_DONE: Final = 3
_CAPPED: Final = 0x100


def is_netlink(address: bytes) -> bool:
    """Is it an address of that family?"""
    return len(address) > 1 and int.from_bytes(address[:2], "little") == AF_NETLINK


def messages(data: bytes, options: Options, *, more: bool = False) -> str:
    """All that was sent or received at once. more: there was more than `data`."""
    if len(data) < _HEADER.size:
        return _bytes(data, options, more=more)
    shown, at = [], 0
    while at + _HEADER.size <= len(data):
        length: int = _HEADER.unpack_from(data, at)[0]
        end = min(at + max(length, _HEADER.size), len(data))
        shown.append(_message(data[at:end], options, more=more and end == len(data)))
        at += (max(length, _HEADER.size) + 3) & ~3
        if length < _HEADER.size:
            break
    return shown[0] if len(shown) == 1 else f"[{', '.join([*shown, '...'] if more else shown)}]"


def _message(data: bytes, options: Options, *, more: bool) -> str:
    _, kind, flags, _, _ = _HEADER.unpack_from(data)
    payload = data[_HEADER.size :]
    header = _header(data, options)
    if not payload:
        return header
    if kind == _ERROR and len(payload) >= _INT.size + _HEADER.size:
        error = _INT.unpack_from(payload)[0]
        asked = payload[_INT.size :]
        text = _header(asked, options) if flags & _CAPPED else _message(asked, options, more=more)
        return f"[{header}, {{error={_error(error, options)}, msg={text}}}]"
    if kind == _DONE and len(payload) == _INT.size:
        return f"[{header}, {_INT.unpack_from(payload)[0]}]"
    return f"[{header}, {_bytes(payload, options, more=more)}]"


def _error(number: int, options: Options) -> str:
    if -number not in ERRNO or options.constants == "raw":
        return str(number)
    name = f"-{ERRNO[-number][0]}"
    return name if options.constants == "abbrev" else f"{number} /* {name} */"


def _header(data: bytes, options: Options) -> str:
    length, kind, flags, number, pid = _HEADER.unpack_from(data)
    table = _ANSWER_FLAGS if kind == _ERROR else _FLAGS
    return (
        f"{{nlmsg_len={length}, nlmsg_type={_TYPES.one(kind, options)}, nlmsg_flags={table.flags(flags, options)}, "
        f"nlmsg_seq={number}, nlmsg_pid={pid}}}"
    )


def _bytes(data: bytes, options: Options, *, more: bool) -> str:
    shown = data[: options.string_max]
    return quote(shown, more=more or len(shown) < len(data), escape=2)
