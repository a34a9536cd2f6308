# SPDX-License-Identifier: Apache-2.0
"""The capture rules by which the kernel side reads what pointer arguments point at: `arguments.TABLE`, compiled.

Each word becomes a `Rule` for the call's beginning, its end, or both (`rules`), and these become the bytes of
``struct tl_call`` of record.h (`calls_table`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from traceloop_decode import layout, syscalls
from traceloop_decode.arguments import SIZES, TABLE

if TYPE_CHECKING:
    from collections.abc import Iterable

_KINDS = {
    "path": layout.KIND_STRING,
    "string": layout.KIND_STRING,
    "argv": layout.KIND_ARGV,
    "msghdr": layout.KIND_MSG,
    "iovec": layout.KIND_IOVEC,
}
_MSGHDR_BYTES = 56
_EXEC = ("execve", "execveat")


@dataclass(frozen=True, slots=True)
class Rule:
    """``struct tl_rule``: argument `arg` is captured as `kind`, `scale` bytes `length` times."""

    arg: int
    kind: int
    length: int
    scale: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What is captured when a call begins, and when it has returned."""

    enter: tuple[Rule, ...]
    exit: tuple[Rule, ...]


@cache
def rules() -> dict[str, Rules]:
    """Every line of the table, by the call's name."""
    calls = {call.name: call for call in syscalls.table(compat=False).values()}
    lines = (line.split() for line in TABLE.splitlines() if line and not line.startswith("#"))
    return {name: _parse_line(calls[name], words) for name, *words in lines}


def calls_table(item_max: int, call_max: int) -> bytes:
    """The map ``calls``: 2 * TL_CALLS ``struct tl_call``; x86-64's come first, then the 32-bit ones, without rules.

    item_max: most bytes of one item. call_max: bytes of items behind which none begins. ValueError: out of range.
    """
    if not 16 <= item_max <= 4096:
        raise ValueError(f"item_max must be 16 to 4096 bytes, not {item_max}")
    if not item_max <= call_max <= 16384:
        raise ValueError(f"call_max must be item_max ({item_max}) to 16384 bytes, not {call_max}")
    packed = bytearray(2 * layout.CALLS * layout.CALL_SIZE)
    for first, compat in ((0, False), (layout.CALLS, True)):
        captured = {} if compat else rules()
        for number, call in syscalls.table(compat).items():
            if call.known:
                at = (first + number) * layout.CALL_SIZE
                what = captured.get(call.name, Rules((), ()))
                packed[at : at + layout.CALL_SIZE] = _pack(call, what, item_max, call_max)
    return bytes(packed)


def _parse_line(call: syscalls.Syscall, words: list[str]) -> Rules:
    enter, leave = [], []
    for arg, word in enumerate(words):
        if word != "-":
            direction, _, what = word.partition(":")
            rule = _parse_word(call, arg, what)
            enter += [rule] if direction in ("in", "inout") else []
            leave += [rule] if direction in ("out", "inout") else []
    return Rules(tuple(enter), tuple(leave))


def _parse_word(call: syscalls.Syscall, arg: int, text: str) -> Rule:
    match = re.fullmatch(r"(\w+)(?:\[(\*?)(\w+)\])?", text)
    if not match:
        raise ValueError(f"{call.name}: cannot read {text!r}")
    what, pointer, count = match.groups()
    kind = _KINDS.get(what, layout.KIND_LENGTH if pointer else layout.KIND_BUFFER)
    scale = SIZES[what] if kind == layout.KIND_BUFFER else 1
    if count is None:
        return Rule(arg, kind, layout.LENGTH_ONE, scale)
    if count.isdecimal():
        return Rule(arg, kind, layout.LENGTH_ONE, scale * int(count))
    if count == "result":
        return Rule(arg, kind, layout.LENGTH_RESULT, scale)
    return Rule(arg, kind, [param.name for param in call.params].index(count), scale)


def _pack(call: syscalls.Syscall, what: Rules, item_max: int, call_max: int) -> bytes:
    sides = (what.enter, what.exit)
    flags = layout.CALL_KNOWN | (layout.CALL_EXEC if call.name in _EXEC else 0)
    most = (_most_bytes(side, item_max, call_max) for side in sides)
    packed = layout.CALL_HEAD.pack(flags, len(call.params), *map(len, sides), *most)
    for side in sides:
        rules_bytes = b"".join(layout.RULE.pack(rule.arg, rule.kind, rule.length, rule.scale) for rule in side)
        packed += rules_bytes.ljust(layout.RULES * layout.RULE.size, b"\0")
    return packed


def _most_bytes(side: Iterable[Rule], item_max: int, call_max: int) -> int:
    """Bytes that the items of these rules may be written to: a string's may touch two more than are kept."""
    string = _item_bytes(item_max + 2)
    list_end = _item_bytes(0)
    iovec = layout.SUB_MAX * _item_bytes(item_max) + list_end

    def most(rule: Rule) -> int:
        if rule.kind == layout.KIND_STRING:
            return string
        if rule.kind == layout.KIND_ARGV:
            return layout.SUB_MAX * string + list_end
        if rule.kind == layout.KIND_IOVEC:
            return iovec
        if rule.kind == layout.KIND_MSG:  # itself, msg_name, msg_control, msg_iov
            return _item_bytes(min(_MSGHDR_BYTES, item_max)) + 2 * _item_bytes(item_max) + iovec
        fixed = rule.kind == layout.KIND_BUFFER and rule.length == layout.LENGTH_ONE
        return _item_bytes(min(rule.scale, item_max) if fixed else item_max)

    return min(sum(map(most, side)), call_max + string)


def _item_bytes(data: int) -> int:
    return layout.ITEM.size + (data + 7) // 8 * 8
