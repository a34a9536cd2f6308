# SPDX-License-Identifier: Apache-2.0
"""Structs in netlink messages as text: layouts from `tables.structs`, and the kind of each member from `FIELDS`.

A member without a kind is an unsigned number in decimal, or an array of them; padding is left out. Kinds::

    u d x 0x       a number: unsigned, signed, in hexadecimal, with leading zeros
    one:T flags:T  a value, or bits, of a table of `constants`; one!:T always has its number
    family         an address family
    ifindex        the index of an interface
    mac            a hardware address
    bytes          bytes as a string in hexadecimal; text: a string with a NUL
    inet           an address of the message's family; port: a port in network byte order
    numbers        an array of numbers; indexed:T: with names of their indices
    struct:S       another struct, array:S: an array of them
    dev            a device number
    -              nothing; and kind?: nothing if the number is 0

``@member`` says that the struct may end after this member: older kernels know no more, or padding follows that need not
be there. ``^member`` is printed first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

from traceloop_decode.constants import STRUCTS
from traceloop_decode.printers.kit import hexadecimal
from traceloop_decode.printers.netlink_fields import FIELDS
from traceloop_decode.printers.netlink_memory import Memory
from traceloop_decode.printers.network_address import (
    ethernet_protocol,
    hardware_address,
    inet_addr,
    inet_pton,
    interface,
    network_order,
)
from traceloop_decode.safe_text import quote
from traceloop_decode.values.options import Options, styled
from traceloop_decode.values.xlat import XLATS

AF_INET: Final = 2
AF_INET6: Final = 10
_AF_SMC: Final = 43  # over TCP, whose addresses it has
_PADDING: Final = ("pad", "resv", "reserved")


Show = Callable[[str, bytes, int, int, Options], str | None]
"""Prints ``name=value`` of a member, from its name, bytes, size of an element, and the message's address family."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    at: int
    end: int
    element: int
    show: Show


@dataclass(frozen=True, slots=True)
class Layout:
    """A struct. size: its bytes with padding. end: the end of its last member; ends: the ends that it may have."""

    size: int
    end: int
    ends: tuple[int, ...]
    fields: tuple[_Field, ...]

    def known(self, size: int) -> int:
        """Returns how many of the `size` bytes of an attribute belong to the struct; 0 if they are too few."""
        if size >= self.end and self.end in self.ends:
            return self.end
        if size >= self.size:
            return self.size
        return size if size in self.ends else 0

    def text(self, data: bytes, family: int, options: Options, *, first: int = 0) -> list[str]:
        """Returns ``name=value`` of the members in the bytes, from the first-th on."""
        shown = []
        for field in self.fields[first:]:
            if field.end <= len(data):
                text = field.show(field.name, data[field.at : field.end], field.element, family, options)
                shown += [text] if text is not None else []
        return shown


@cache
def layout_of(name: str) -> Layout:
    """Returns the layout of a struct."""
    size, members = STRUCTS[name]
    words = FIELDS.get(name, "").split()
    kinds = dict(word.split("=", 1) for word in words if "=" in word)
    ends = {member: at + element * count for member, at, element, count in members}
    stops = tuple(ends[word[1:]] for word in words if word[0] == "@")
    unknown = kinds.keys() - ends.keys()
    if unknown:
        raise ValueError(f"struct {name} has no {unknown}")
    fields = list[_Field]()
    for member, at, element, count in members:
        padding = member.startswith("__") or any(word in member for word in _PADDING)
        kind = kinds.get(member, "-" if padding else "numbers" if count > 1 else "u")
        if kind != "-":
            fields.insert(
                0 if f"^{member}" in words else len(fields), _Field(member, at, ends[member], element, _show(kind))
            )
    return Layout(size, max(ends.values()), stops, tuple(fields))


def struct_text(memory: Memory, at: int, size: int, name: str, family: int) -> str | None:
    """Returns the struct at an offset of the memory; None if `size` is too small for it."""
    layout = layout_of(name)
    known = layout.known(size)
    if not known:
        return None
    data = memory.read(at, known)
    if data is None:
        return memory.missing(at)
    return f"{{{', '.join(layout.text(data, family, memory.view.options))}}}"


def address_text(data: bytes, family: int, options: Options, name: str = "") -> str:
    """Returns an internet address, as a member `name` if that is given; the bytes if it is of another family."""
    if family == AF_INET6 and len(data) == 16:
        return inet_pton(name, data, options)
    named = f"{name}=" if name else ""
    return named + (inet_addr(data[:4], options) if family == AF_INET else quote(data, escape=2))


def mac_text(data: bytes, options: Options) -> str:
    """Returns a hardware address."""
    return network_order(data, hardware_address(data), options)


def index_text(index: int, table: str, options: Options) -> str:
    """Returns the index of an array's element, with its name."""
    xlat = XLATS[table]
    name = xlat.names.get(index)
    if name is not None:
        return f"[{styled(name, str(index), options.constants)}]="
    return f"[{index}]=" if options.constants == "raw" or not xlat.unknown else f"[{index} /* {xlat.unknown} */]="


def always_numbered(text: str, number: str, options: Options) -> str:
    """Returns a name in a comment after its number, unless -X says that there are no names."""
    if options.constants == "raw":
        return number
    return text if text.startswith(number) else f"{number} /* {text} */"


def device(number: int, options: Options) -> str:
    """Returns ``makedev(0x8, 0x1)``."""
    major, minor = number >> 8 & 0xFFF, number & 0xFF | number >> 12 & 0xFFF00
    return styled(f"makedev({hexadecimal(major)}, {hexadecimal(minor)})", hexadecimal(number), options.constants)


def _unsigned(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _plain(text: Callable[[bytes, Options], str]) -> Show:
    return lambda name, data, _element, _family, options: f"{name}={text(data, options)}"


def _numbers(name: str, data: bytes, element: int, _family: int, _options: Options) -> str:
    shown = (str(_unsigned(data[n : n + element])) for n in range(0, len(data), element))
    return f"{name}=[{', '.join(shown)}]"


def _terminated(data: bytes, options: Options) -> str:
    text, end, _ = data.partition(b"\0")
    return quote(text if end else data[:-1], more=not end, escape=options.escape)


def _inet(name: str, data: bytes, _element: int, family: int, options: Options) -> str:
    return address_text(data, AF_INET if family == _AF_SMC else family, options, name)


def _port(data: bytes, options: Options) -> str:
    return network_order(data, f"htons({int.from_bytes(data)})", options)


_PLAIN: Final[dict[str, Callable[[bytes, Options], str]]] = {
    "u": lambda data, _: str(_unsigned(data)),
    "d": lambda data, _: str(int.from_bytes(data, "little", signed=True)),
    "x": lambda data, _: hexadecimal(_unsigned(data)),
    "0x": lambda data, _: f"{'0x' if any(data) else '00'}{_unsigned(data):0{2 * len(data) - 2}x}",
    "family": lambda data, options: XLATS["address_families"].one(_unsigned(data), options),
    "ifindex": lambda data, options: interface(_unsigned(data), options),
    "mac": mac_text,
    "bytes": lambda data, _: quote(data, escape=2),
    "text": _terminated,
    "port": _port,
    "vlan": lambda data, options: ethernet_protocol(_unsigned(data), options),
    "dev": lambda data, options: device(_unsigned(data), options),
}


def _bits(table: str) -> Show:
    return _plain(lambda data, options: XLATS[table].flags(_unsigned(data), options))


def _one(table: str) -> Show:
    return _plain(lambda data, options: XLATS[table].one(_unsigned(data), options))


def _numbered(table: str) -> Show:
    def text(data: bytes, options: Options) -> str:
        number = _unsigned(data)
        return always_numbered(XLATS[table].one(number, Options()), hexadecimal(number), options)

    return _plain(text)


def _indexed(table: str) -> Show:
    def show_indexed(name: str, data: bytes, element: int, _family: int, options: Options) -> str:
        numbers = [_unsigned(data[n : n + element]) for n in range(0, len(data), element)]
        shown = (f"{index_text(n, table, options)}{number}" for n, number in enumerate(numbers))
        return f"{name}=[{', '.join(shown)}]"

    return show_indexed


def _struct(struct: str) -> Show:
    def show_struct(name: str, data: bytes, _element: int, family: int, options: Options) -> str:
        return f"{name}={{{', '.join(layout_of(struct).text(data, family, options))}}}"

    return show_struct


def _structs(struct: str) -> Show:
    def show_structs(name: str, data: bytes, _element: int, family: int, options: Options) -> str:
        inner = layout_of(struct)
        parts = (data[n : n + inner.size] for n in range(0, len(data), inner.size))
        shown = (", ".join(inner.text(part, family, options)) for part in parts)
        return f"{name}=[{', '.join(f'{{{each}}}' for each in shown)}]"

    return show_structs


_MAKERS: Final[dict[str, Callable[[str], Show]]] = {
    "flags": _bits,
    "one": _one,
    "one!": _numbered,
    "indexed": _indexed,
    "struct": _struct,
    "array": _structs,
}


def _show(kind: str) -> Show:
    if kind.endswith("?"):
        always = _show(kind[:-1])
        return lambda name, data, *rest: always(name, data, *rest) if any(data) else None
    if kind in _PLAIN:
        return _plain(_PLAIN[kind])
    what, _, word = kind.partition(":")
    return _MAKERS[what](word) if word else {"numbers": _numbers, "inet": _inet}[kind]
