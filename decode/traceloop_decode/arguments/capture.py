# SPDX-License-Identifier: Apache-2.0
"""The capture rules by which the kernel side reads what pointer arguments point at: `arguments.table`, compiled.

Each word becomes a `Rule` for the call's beginning, its end, or both (`rules`), and these become the bytes of
``struct tl_call`` of record.h (`calls_table`).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from traceloop_decode import layout, syscalls
from traceloop_decode.arguments import compat
from traceloop_decode.arguments.secrecy import class_of, content_of
from traceloop_decode.arguments.selectors import SELECTORS
from traceloop_decode.arguments.table import SIZES
from traceloop_decode.arguments.variants import selectors
from traceloop_decode.arguments.words import Line, Word, line_of, lines

if TYPE_CHECKING:
    from collections.abc import Iterable

KINDS = {
    "path": layout.KIND_STRING,
    "string": layout.KIND_STRING,
    "thread_name": layout.KIND_STRING,
    "mount_type": layout.KIND_STRING,
    "mount_data": layout.KIND_STRING,
    "argv": layout.KIND_ARGV,
    "msghdr": layout.KIND_MSG,
    "mmsghdr": layout.KIND_MMSG,
    "control_blocks": layout.KIND_IOCB,
    "iovec": layout.KIND_IOVEC,
    "mask_and_size": layout.KIND_IOVEC,
}
_MSGHDR_BYTES = 56
_MSGHDR_32_BYTES = 28
_MMSGHDR_BYTES = 64
_IOCB_BYTES = 64
_EXEC = ("execve", "execveat")
_SIGRETURN = "rt_sigreturn"


@dataclass(frozen=True, slots=True)
class Rule:
    """``struct tl_rule``: argument `arg` is captured as `kind`, `scale` bytes `length` times, and `add` more.

    limit: 0, or 1 + the index of the argument that says how many bytes there may be at most. width, field: of the
    number within the argument's memory that is the length. nested, at, pointer, need: the memory is what a pointer
    within the argument's memory points at, the nested-th of its kind. content: the class of what is read (`secrecy`).
    """

    arg: int
    kind: int
    length: int
    scale: int
    limit: int = 0
    add: int = 0
    width: int = 0
    field: int = 0
    nested: int = 0
    at: int = 0
    pointer: int = 0
    need: int = 0
    content: int = dataclasses.field(default=layout.CLASS_ANY, compare=False)


@dataclass(frozen=True, slots=True)
class Rules:
    """What is captured when a call begins, and when it has returned; on_failure: even if it failed."""

    enter: tuple[Rule, ...]
    exit: tuple[Rule, ...]
    on_failure: bool = False


_NOTHING = Rules((), ())


@cache
def rules() -> dict[tuple[str, str], Rules]:
    """Every line of the table, by the call's name and the variant's selector."""
    calls = {call.name: call for call in syscalls.table(compat=False).values()}
    return {(line.name, line.selector): _of_line(calls[line.name], line) for line in lines()}


def calls_table(item_max: int, call_max: int) -> tuple[bytes, dict[int, int]]:
    """The maps ``calls`` and ``variants``.

    The first is 2 * TL_CALLS ``struct tl_call``, x86-64's first, then the 32-bit ones, then the
    variants'. The second finds a variant there, by its call's place and the selecting value.

    item_max: most bytes of one item. call_max: bytes of items behind which none begins. ValueError: out of range.
    """
    if not 16 <= item_max <= 4096:
        raise ValueError(f"item_max must be 16 to 4096 bytes, not {item_max}")
    if not item_max <= call_max <= 16384:
        raise ValueError(f"call_max must be item_max ({item_max}) to 16384 bytes, not {call_max}")
    places = [bytes(layout.CALL_SIZE)] * (2 * layout.CALLS)
    variants: dict[int, int] = {}
    for number, call in syscalls.table(compat=False).items():
        selector = SELECTORS[call.name][0] if call.name in SELECTORS else None
        places[number] = _pack(call, rules().get((call.name, ""), _NOTHING), item_max, call_max, selector)
    for number, call in syscalls.table(compat=True).items():
        if call.known:
            selector = SELECTORS[_like(call)][0] if _like(call) in SELECTORS else None
            places[layout.CALLS + number] = _pack(call, _compat_rules(call, ""), item_max, call_max, selector)
    for is_compat in (False, True):
        for number, call in syscalls.table(is_compat).items():
            place: dict[str, int] = {}
            for value, text in selectors(_like(call) if is_compat else call.name).items():
                if text not in place:
                    place[text] = len(places)
                    found = _compat_rules(call, text) if is_compat else rules()[call.name, text]
                    places.append(_pack(call, found, item_max, call_max))
                variants[(number + layout.CALLS * is_compat) << 32 | value] = place[text]
    if len(places) > 2 * layout.CALLS + layout.VARIANTS or len(variants) > layout.VARIANTS:
        raise ValueError(f"{len(variants)} variants are more than TL_VARIANTS")
    return b"".join(places), variants


def _like(call: syscalls.Syscall) -> str:
    # The 64-bit call that a 32-bit one is like.
    return compat.name_of(call.name)


def _compat_rules(call: syscalls.Syscall, selector: str) -> Rules:
    line = line_of(call, selector, compat=True)
    return _of_line(call, line, _MSGHDR_32_BYTES) if line is not None else _NOTHING


# When an execve succeeded, its memory is gone, and what could not be read of it. The kernel side then puts the new
# program's own addresses of its file's name and argv into these arguments, and argv's length into the one behind it.
def _of_line(call: syscalls.Syscall, line: Line, msghdr_bytes: int = _MSGHDR_BYTES) -> Rules:
    enter, leave = [], []
    for arg, word in enumerate(line.words):
        if not word.direction:
            continue
        content = content_of(line, arg)
        rule = replace(_rule(call, arg, word), content=content)
        following = line.words[arg + 1].what if arg + 1 < len(line.words) else ""
        if rule.length == layout.LENGTH_RESULT and rule.kind == layout.KIND_BUFFER and following == "size":
            rule = replace(rule, limit=arg + 2)
        if word.direction in ("in", "inout", "inend"):
            # A message that is to be received has nothing in its buffers yet.
            empty = word == Word("msghdr", "inout")
            whole = Rule(arg, layout.KIND_BUFFER, layout.LENGTH_ONE, msghdr_bytes, content=content)
            enter.append(whole if empty else rule)
        if word.direction in ("out", "inout", "end", "inend"):
            leave.append(rule)
        for nested in _nested_rules(call, arg, word, rule):
            (enter if word.nested[nested.nested - 1].direction == "in" else leave).append(nested)
        if call.name in _EXEC and word.what == "path":
            leave.append(rule)
        if call.name in _EXEC and word.what == "argv":
            leave.append(Rule(arg, layout.KIND_BUFFER, arg + 1, 1, content=content))
    return Rules(tuple(enter), tuple(leave), any(word.direction in ("end", "inend") for word in line.words))


def _rule(call: syscalls.Syscall, arg: int, word: Word) -> Rule:
    pointer, count = word.count.startswith("*"), word.count.removeprefix("*")
    kind = KINDS.get(word.what, layout.KIND_LENGTH if pointer else layout.KIND_BUFFER)
    sizes = compat.SIZES if word.narrow else SIZES
    scale = sizes[word.what] if kind == layout.KIND_BUFFER else 1
    rule = replace(_counted(Rule(arg, kind, layout.LENGTH_ONE, scale), count), add=word.more)
    if kind == layout.KIND_MMSG:
        rule = replace(rule, scale=int(count == "result"))  # only what was received, or all
    if not count or count.isdecimal() or rule.width:
        return rule
    if count == "result":
        return replace(rule, length=layout.LENGTH_RESULT)
    name, _, unit = count.partition("/")
    rule = replace(rule, length=[param.name for param in call.params].index(name))
    return replace(rule, scale=layout.SCALE_PAGES) if unit == "page" else rule


def _counted(rule: Rule, count: str) -> Rule:
    # By a constant, or by a number that stands in the memory.
    if count.isdecimal():
        return replace(rule, scale=rule.scale * int(count))
    if "@" in count:
        ctype, at = count.split("@")
        return replace(rule, width=int(ctype.removeprefix("u")) // 8, field=int(at))
    return rule


def _nested_rules(call: syscalls.Syscall, arg: int, word: Word, parent: Rule) -> Iterable[Rule]:
    params = [param.name for param in call.params]
    for number, nested in enumerate(word.nested, 1):
        kind = KINDS.get(nested.what, layout.KIND_BUFFER)
        scale = SIZES[nested.what] if kind == layout.KIND_BUFFER else 1
        rule = _counted(Rule(arg, kind, layout.LENGTH_ONE, scale), nested.count)
        if nested.count in params:
            rule = replace(rule, length=params.index(nested.count))
        need = max(nested.at + nested.pointer, rule.field + rule.width)
        # A struct of a known size is there as a whole.
        limit = parent.length + 1 if parent.length not in (layout.LENGTH_ONE, layout.LENGTH_RESULT) else 0
        rule = replace(rule, nested=number, at=nested.at, pointer=nested.pointer, need=need, limit=limit)
        yield replace(rule, content=class_of(nested.what))


def _pack(call: syscalls.Syscall, what: Rules, item_max: int, call_max: int, selector: int | None = None) -> bytes:
    sides = (what.enter, what.exit)
    flags = layout.CALL_KNOWN | (layout.CALL_EXEC if call.name in _EXEC else 0)
    if what.on_failure:
        flags |= layout.CALL_OUT_ON_FAILURE
    arguments = len(call.params)
    if call.name == _SIGRETURN and what.enter:
        flags |= layout.CALL_SIGRETURN
        arguments = 1
    if selector is not None:
        flags |= layout.CALL_SELECTED | selector << layout.SELECTOR_SHIFT
    most = (_most_bytes(side, item_max, call_max) for side in sides)
    packed = layout.CALL_HEAD.pack(flags, arguments, *map(len, sides), *most)
    for side in sides:
        rules_bytes = b"".join(
            layout.RULE.pack(
                rule.arg | rule.nested << layout.ITEM_SUB_SHIFT,
                rule.kind,
                rule.length,
                rule.limit,
                rule.scale,
                rule.add,
                rule.at,
                rule.pointer,
                rule.field,
                rule.width,
                rule.need,
                rule.content,
            )
            for rule in side
        )
        packed += rules_bytes.ljust(layout.RULES * layout.RULE.size, b"\0")
    return packed


def _most_bytes(side: Iterable[Rule], item_max: int, call_max: int) -> int:
    """Bytes that the items of these rules may be written to: a string's may touch two more than are kept."""
    string, buffer = _item_bytes(item_max + 2), _item_bytes(item_max)
    list_end = _item_bytes(0)
    iovec = (1 + layout.SUB_MAX) * buffer

    def message(size: int) -> int:  # itself, msg_name, msg_control, msg_iov
        return _item_bytes(min(size, item_max)) + 2 * buffer + iovec

    lists = {
        layout.KIND_STRING: string,
        layout.KIND_ARGV: layout.SUB_MAX * string + list_end,
        layout.KIND_IOVEC: iovec,
        layout.KIND_MSG: message(_MSGHDR_BYTES),
        layout.KIND_MMSG: layout.SUB_MAX * message(_MMSGHDR_BYTES),
        layout.KIND_IOCB: layout.SUB_MAX * (_item_bytes(min(_IOCB_BYTES, item_max)) + buffer),
    }

    def most(rule: Rule) -> int:
        if rule.kind in lists:
            return lists[rule.kind]
        fixed = rule.kind == layout.KIND_BUFFER and rule.length == layout.LENGTH_ONE and not rule.width
        return _item_bytes(min(rule.scale + rule.add, item_max) if fixed else item_max)

    return min(sum(map(most, side)), call_max + string)


def _item_bytes(data: int) -> int:
    return layout.ITEM.size + (data + 7) // 8 * 8
