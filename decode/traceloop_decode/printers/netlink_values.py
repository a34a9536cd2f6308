# SPDX-License-Identifier: Apache-2.0
"""Values of netlink attributes as text: one printer for each word of the tables of groups.

Words::

    u8 s32 x16 ...        a number of so many bits: unsigned, signed, in hexadecimal; be16, be64: in network byte order
    xint                  a number as wide as the attribute, in hexadecimal
    str strn nul          a string: with a NUL at its end, without, up to a NUL
    fd uid ifindex clock  a descriptor, a user, an interface, a time in ticks
    hwaddr in_addr in6_addr inet    addresses; inet: of the message's family
    ether                 an Ethernet protocol
    one:T/N flags:T/N     a value, or bits, of a table of `constants`, in N bytes; flags!: always has its number
    array:N 0x:N          numbers of N bytes; indexed:T/N, signed:T/N: with names of their indices
    struct:S              a struct of `netlink_structs`; struct+:S: and the bytes that follow it; array_of:S
    nest:G                attributes of another group
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from traceloop_decode.printers.kit import hexadecimal
from traceloop_decode.printers.netlink_attributes import Scope, Value, nested
from traceloop_decode.printers.netlink_memory import Memory
from traceloop_decode.printers.netlink_structs import (
    address_text,
    always_numbered,
    index_text,
    layout_of,
    mac_text,
    struct_text,
)
from traceloop_decode.printers.network_address import interface
from traceloop_decode.printers.numbers import user
from traceloop_decode.values.options import Options
from traceloop_decode.values.xlat import XLATS, Xlat

_TICKS: Final = 100
"""Ticks of the kernel's clock in a second, as programs see them: sysconf(_SC_CLK_TCK) is 100 everywhere."""
_HARDWARE_MAX: Final = 32  # MAX_ADDR_LEN
_WIDEST: Final = 8
_ETHER: Final = Xlat(XLATS["ethernet_protocols"].entries, "ETHER_P_???")

_Text = Callable[[bytes, Memory], str]


def fixed(size: int, text: _Text, *, most: int = 0) -> Value:
    """Makes a printer of the first `size` bytes; most: the largest attribute that has such a value, in bytes."""

    def print_fixed(memory: Memory, at: int, have: int, _scope: Scope) -> str | None:
        if have < size or (most and have > most):
            return None
        data = memory.read(at, size)
        return memory.missing(at) if data is None else text(data, memory)

    return print_fixed


def whole(text: _Text, *, most: int = _WIDEST) -> Value:
    """Makes a printer of all bytes of an attribute of at most `most` bytes."""

    def print_whole(memory: Memory, at: int, have: int, _scope: Scope) -> str | None:
        if have > most:
            return None
        data = memory.read(at, have)
        return memory.missing(at) if data is None else text(data, memory)

    return print_whole


def array(memory: Memory, at: int, count: int, size: int, text: Callable[[int, bytes], str]) -> str:
    """Returns an array of `count` elements of `size` bytes; text: prints an element, from its index and bytes."""
    options, shown = memory.view.options, list[str]()
    most = count if options.verbose else options.string_max
    for n in range(count):
        data = memory.read(at + n * size, size)
        if data is None:
            if not shown:
                return memory.missing(at)
            shown.append(memory.rest(at + n * size))
            break
        if n == most:
            shown.append("...")
            break
        shown.append(text(n, data))
    return f"[{', '.join(shown)}]"


def elements(size: int, text: Callable[[int, bytes, Memory, Scope], str]) -> Value:
    """Makes a printer of an array that fills the attribute; None if not one element fits."""

    def print_elements(memory: Memory, at: int, have: int, scope: Scope) -> str | None:
        if have < size:
            return None
        return array(memory, at, have // size, size, lambda n, data: text(n, data, memory, scope))

    return print_elements


def _unsigned(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


def _clock(data: bytes, memory: Memory) -> str:
    ticks = _unsigned(data)
    if not ticks or memory.view.options.constants == "raw":
        return str(ticks)
    return f"{ticks} /* {ticks // _TICKS}.{ticks % _TICKS:02} s */"


def _inet(memory: Memory, at: int, size: int, scope: Scope) -> str:
    wanted = {2: 4, 10: 16}.get(scope.family, 0)
    if not wanted or size < wanted:
        return memory.hex(at, size)
    data = memory.read(at, wanted)
    return memory.missing(at) if data is None else address_text(data, scope.family, memory.view.options)


def _ether(data: bytes, memory: Memory) -> str:
    return f"htons({_ETHER.one(int.from_bytes(data), memory.view.options)})"


def _xint(memory: Memory, at: int, size: int, scope: Scope) -> str | None:
    return WORDS[f"x{8 * size}"](memory, at, size, scope) if size in (1, 2, 4, 8) else None


_NUMBERS: Final = {
    f"{sign}{8 * size}": fixed(size, text)
    for size in (1, 2, 4, 8)
    for sign, text in {
        "u": lambda data, _: str(_unsigned(data)),
        "s": lambda data, _: str(_signed(data)),
        "x": lambda data, _: hexadecimal(_unsigned(data)),
    }.items()
}

WORDS: Final[dict[str, Value]] = _NUMBERS | {
    "xint": _xint,
    "be16": fixed(2, lambda data, _: f"htons({int.from_bytes(data)})"),
    "be64": fixed(8, lambda data, _: f"htobe64({int.from_bytes(data)})"),
    "str": lambda memory, at, size, _: memory.terminated(at, size),
    "strn": lambda memory, at, size, _: memory.string(at, size),
    "nul": lambda memory, at, size, _: memory.up_to_nul(at, size),
    "fd": fixed(4, lambda data, memory: memory.view.fd(_signed(data))),
    "uid": fixed(4, lambda data, _: user(_unsigned(data))),
    "ifindex": fixed(4, lambda data, memory: interface(_unsigned(data), memory.view.options)),
    "clock": whole(_clock),
    "hwaddr": whole(lambda data, memory: mac_text(data, memory.view.options), most=_HARDWARE_MAX),
    "in_addr": fixed(4, lambda data, memory: address_text(data, 2, memory.view.options)),
    "in6_addr": fixed(16, lambda data, memory: address_text(data, 10, memory.view.options)),
    "inet": _inet,
    "ether": fixed(2, _ether, most=_WIDEST),
}
"""Words without an argument."""


def _one(table: str, size: int) -> Value:
    names = XLATS[table]

    def text(data: bytes, memory: Memory) -> str:
        return names.one(_unsigned(data), memory.view.options)

    return fixed(size, text, most=_WIDEST) if size else whole(text)


def _flags(table: str, size: int) -> Value:
    names = XLATS[table]
    return fixed(size, lambda data, memory: names.flags(_unsigned(data), memory.view.options), most=_WIDEST)


def _numbered_flags(table: str, size: int) -> Value:
    names = XLATS[table]

    def text(data: bytes, memory: Memory) -> str:
        number = _unsigned(data)
        return always_numbered(names.flags(number, Options()), hexadecimal(number), memory.view.options)

    return fixed(size, text, most=_WIDEST)


def _indexed(read: Callable[[bytes], int]) -> Callable[[str, int], Value]:
    def make(table: str, size: int) -> Value:
        return elements(size, lambda n, data, memory, _: f"{index_text(n, table, memory.view.options)}{read(data)}")

    return make


def _struct(name: str) -> Value:
    return lambda memory, at, size, scope: struct_text(memory, at, size, name, scope.family)


def _struct_and_rest(name: str) -> Value:
    def print_both(memory: Memory, at: int, size: int, scope: Scope) -> str | None:
        text, own = struct_text(memory, at, size, name, scope.family), layout_of(name).size
        if text is None or size <= own or memory.read(at, own) is None:
            return text
        return f"{text}, {memory.hex(at + own, size - own)}"

    return print_both


def _structs(name: str) -> Value:
    layout = layout_of(name)
    return elements(
        layout.size,
        lambda _, data, memory, scope: f"{{{', '.join(layout.text(data, scope.family, memory.view.options))}}}",
    )


def _zero_filled(size: int) -> Value:
    return elements(
        size, lambda _, data, __, ___: f"0x{_unsigned(data):0{2 * size - 2}x}" if any(data) else "0" * 2 * size
    )


_TABLED: Final[dict[str, Callable[[str, int], Value]]] = {
    "one": _one,
    "flags": _flags,
    "flags!": _numbered_flags,
    "indexed": _indexed(_unsigned),
    "signed": _indexed(_signed),
}
_NAMED: Final[dict[str, Callable[[str], Value]]] = {
    "struct": _struct,
    "struct+": _struct_and_rest,
    "array_of": _structs,
    "nest": nested,
    "array": lambda size: elements(int(size), lambda _, data, __, ___: str(_unsigned(data))),
    "0x": lambda size: _zero_filled(int(size)),
}


def value_of(word: str) -> Value:
    """Returns the printer of a word of the tables of groups."""
    if word in WORDS:
        return WORDS[word]
    what, _, name = word.partition(":")
    if what in _TABLED:
        table, _, size = name.partition("/")
        return _TABLED[what](table, int(size or 0))
    return _NAMED[what](name)
