# SPDX-License-Identifier: Apache-2.0
"""Netlink attributes as text: struct nlattr of linux/netlink.h, by tables.

A `Group` is a set of attributes: the names of their types, and a printer for those with a known value. The bytes of
others are printed in hexadecimal. Values may be attributes of another group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from struct import Struct
from typing import Final

from traceloop_decode.printers.kit import hexadecimal
from traceloop_decode.printers.netlink_memory import NESTED_MAX, Memory
from traceloop_decode.values.options import Options
from traceloop_decode.values.xlat import XLATS, Xlat

_HEADER: Final = Struct("<HH")
"""struct nlattr: length with this header, type."""
_BITS: Final = XLATS["nla_flags"].entries
_TYPE_MASK: Final = 0x3FFF


@dataclass(slots=True)
class Scope:
    """Context of an attribute: the message's address family, and the attributes before it.

    groups: all groups, by name. kind, port_kind: IFLA_INFO_KIND and IFLA_INFO_SLAVE_KIND. depth: the number of
    attributes around this one. outer: the type of the attribute around this one.
    """

    groups: Mapping[str, Group]
    family: int = 0
    kind: bytes = b""
    port_kind: bytes = b""
    depth: int = 0
    outer: int = 0


Value = Callable[[Memory, int, int, Scope], str | None]
"""Prints the value in so many bytes at an offset of the memory; None: it is none, for example too short."""


@dataclass(frozen=True, slots=True)
class Group:
    """Attributes of one kind. names: of their types; None: they have none. every: prints all values of the group."""

    names: Xlat | None
    values: Mapping[int, Value]
    every: Value | None = None


NAMELESS: Final = Group(None, {})


def attributes(memory: Memory, at: int, size: int, group: Group, scope: Scope) -> str:
    """Returns the attributes in `size` bytes; several of them in brackets."""
    if scope.depth >= NESTED_MAX:
        return memory.hex(at, size)
    options, shown = memory.view.options, list[str]()
    most = size if options.verbose else options.string_max
    while True:
        if size < _HEADER.size:
            shown.append(memory.hex(at, size))
            break
        header = memory.read(at, _HEADER.size)
        if header is None:
            shown.append(memory.rest(at) if shown else memory.missing(at))
            break
        if len(shown) == most:
            shown.append("...")
            break
        length, _ = _HEADER.unpack(header)
        shown.append(_attribute(memory, at, min(length, size), header, group=group, scope=scope))
        step = (length + 3) & ~3
        if length < _HEADER.size or size <= step:
            break
        at, size = at + step, size - step
    return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"


def _attribute(memory: Memory, at: int, size: int, header: bytes, *, group: Group, scope: Scope) -> str:
    length, kind = _HEADER.unpack(header)
    shown = f"{{nla_len={length}, nla_type={_type(kind, group.names, memory.view.options)}}}"
    at, size = at + _HEADER.size, size - _HEADER.size
    if size <= 0:
        return shown
    value = group.every or group.values.get(kind & _TYPE_MASK)
    text = None
    if value is not None:
        scope.outer = kind
        text = value(memory, at, size, scope)
    return f"[{shown}, {memory.hex(at, size) if text is None else text}]"


def _type(kind: int, names: Xlat | None, options: Options) -> str:
    parts = [XLATS["nla_flags"].one(bit, options) for bit, _ in _BITS if kind & bit]
    number = kind & _TYPE_MASK
    parts.append(hexadecimal(number) if names is None else names.one(number, options))
    return "|".join(parts)


def nested(name: str) -> Value:
    """Makes a printer of a value that is attributes of the named group."""

    def print_nested(memory: Memory, at: int, size: int, scope: Scope) -> str:
        return attributes(memory, at, size, scope.groups[name], replace(scope, depth=scope.depth + 1))

    return print_nested
