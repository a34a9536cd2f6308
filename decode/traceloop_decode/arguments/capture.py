# SPDX-License-Identifier: Apache-2.0
"""Capture rules, by which the kernel side reads what pointer arguments point at: `arguments.table`, compiled.

Each word becomes a `Rule` for the call's entry, its exit, or both (`rules`), and the rules become the bytes of
``struct tl_call`` of record.h (`calls_table`).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from traceloop_decode import layout
from traceloop_decode.arguments import compat
from traceloop_decode.arguments.secrecy import class_of, content_of
from traceloop_decode.arguments.selectors import SELECTORS
from traceloop_decode.arguments.table import SIZES, sizes
from traceloop_decode.arguments.variants import selectors
from traceloop_decode.arguments.words import Line, Word, line_of, lines, request_line
from traceloop_decode.c_types import width
from traceloop_decode.syscalls import ACCOUNTS, EXECS, FORKS, OPENS, QUIET, READS, WRITES, X86_64, Abi, Syscall, abis

if TYPE_CHECKING:
    from collections.abc import Iterable

KINDS = {
    "path": layout.KIND_STRING,
    "string": layout.KIND_STRING,
    "thread_name": layout.KIND_STRING,
    "vma_name": layout.KIND_STRING,
    "reboot_text": layout.KIND_STRING,
    "fs_option": layout.KIND_STRING,
    "memfd_name": layout.KIND_STRING,
    "mount_type": layout.KIND_STRING,
    "mount_data": layout.KIND_STRING,
    "argv": layout.KIND_ARGV,
    "vars": layout.KIND_COUNT,
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
_SIGRETURN = "rt_sigreturn"
_WRITES = ("write", "pwrite64", "writev", "pwritev", "pwritev2")


@dataclass(frozen=True, slots=True)
class Rule:
    """``struct tl_rule``: captures argument `arg` as `kind`; its size is `scale` bytes times `length`, plus `add`.

    limit: 0, or 1 + the index of the argument that gives the maximum number of bytes. width, field: size and offset of
    the number within the argument's memory that is the length. nested, at, pointer, need: the rule captures what the
    nested-th pointer within the argument's memory points at; `need` bytes of that memory must be there. content: the
    class of what is read (`secrecy`).
    ends: whether the end of memory that is longer than an item is read too (layout.ENDS_...).
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
    ends: int = dataclasses.field(default=layout.ENDS_HEAD, compare=False)


@dataclass(frozen=True, slots=True)
class Rules:
    """Captures at a call's entry and at its exit; on_failure: the exit's even if the call failed."""

    enter: tuple[Rule, ...]
    exit: tuple[Rule, ...]
    on_failure: bool = False


@dataclass(frozen=True, slots=True)
class _Sizes:
    # The bytes of the structs of an architecture, by word, and of a struct msghdr.
    structs: dict[str, int]
    msghdr_bytes: int = _MSGHDR_BYTES


_NOTHING = Rules((), ())
_NAMING = layout.CLASS_PATH | layout.CLASS_ADDRESS | layout.CLASS_ARGV
_NAMED = (layout.KIND_STRING, layout.KIND_BUFFER)


@cache
def rules(arch: str = X86_64.arch) -> dict[tuple[str, str], Rules]:
    """Returns the rules of every line of the table, by the call's name and the variant's selector.

    Without those of calls that the architecture has not.
    """
    native, _ = abis(arch)
    calls = {call.name: call for call in native.table().values()}
    return {
        (line.name, line.selector): _of_line(calls[line.name], line, _Sizes(sizes(arch)))
        for line in lines()
        if line.name in calls
    }


def calls_table(
    item_max: int, call_max: int, arch: str = X86_64.arch, *, environment: bool = False
) -> tuple[bytes, dict[int, int]]:
    """Returns the contents of the maps ``calls`` and ``variants`` for an architecture.

    The first is 2 * TL_CALLS ``struct tl_call``, those of the kernel's own table first, then those of 32-bit programs,
    followed by those of the variants. The second maps a call's index there and the selecting value to the index of the
    variant.

    item_max: maximum bytes of one item. call_max: after this many bytes of items, no further item is begun.
    environment: the strings of environments are captured too. Raises ValueError if a number is out of range.
    """
    if not 16 <= item_max <= 4096:
        raise ValueError(f"item_max must be 16 to 4096 bytes, not {item_max}")
    if not item_max <= call_max <= 16384:
        raise ValueError(f"call_max must be item_max ({item_max}) to 16384 bytes, not {call_max}")
    places = [bytes(layout.CALL_SIZE)] * (2 * layout.CALLS)
    variants: dict[int, int] = {}
    for abi in abis(arch):
        first = layout.CALLS * abi.compat
        for number, call in abi.table().items():
            if number >= layout.CALLS or (abi.compat and not call.known):
                continue
            name = _like(call) if abi.compat else call.name
            selector = SELECTORS[name][0] if name in SELECTORS else None
            found = _with_environment(_rules_of(call, "", abi), wanted=environment)
            places[first + number] = _pack(call, found, item_max, call_max, selector)
    for abi in abis(arch):
        for number, call in abi.table().items():
            if number >= layout.CALLS:
                continue
            place: dict[str, int | None] = {}
            usual = _pack(call, _rules_of(call, "", abi), item_max, call_max)
            for value, text in selectors(_like(call) if abi.compat else call.name, abi).items():
                if text not in place:
                    packed = _pack(call, _rules_of(call, text, abi), item_max, call_max)
                    # A variant that captures what its call does, with the same classes, needs no place in the kernel.
                    place[text] = len(places) if packed != usual else None
                    places += [packed] if packed != usual else []
                if (at := place[text]) is not None:
                    variants[(number + layout.CALLS * abi.compat) << 32 | value] = at
    if len(places) > 2 * layout.CALLS + layout.VARIANTS or len(variants) > layout.VARIANTS:
        raise ValueError(f"{len(variants)} variants are more than TL_VARIANTS")
    return b"".join(places), variants


def _rules_of(call: Syscall, selector: str, abi: Abi) -> Rules:
    if not abi.compat:
        return rules(abi.arch).get((call.name, selector), _NOTHING)
    line = line_of(call, selector, compat=True, arch=abi.arch)
    return _of_line(call, line, _Sizes(SIZES, _MSGHDR_32_BYTES)) if line is not None else _NOTHING


def _with_environment(found: Rules, *, wanted: bool) -> Rules:
    # The strings of what is counted come after the count, as payload.
    if not wanted:
        return found
    counted = (rule for rule in found.enter if rule.kind == layout.KIND_COUNT)
    strings = (replace(rule, kind=layout.KIND_ARGV, content=layout.CLASS_PAYLOAD) for rule in counted)
    return replace(found, enter=(*found.enter, *strings))


def request_call(call: Syscall, item_max: int, call_max: int, *, more_bytes: int, arch: str = X86_64.arch) -> bytes:
    """Returns the ``struct tl_call`` of an io_uring request: what its system call would read.

    call: with those of its arguments that are recorded. more_bytes: the most that other items take when it begins.
    """
    line = request_line(call)
    found = _of_line(call, line, _Sizes(sizes(arch))) if line is not None else _NOTHING
    return _pack(call, found, item_max, call_max, more_bytes=more_bytes)


def _like(call: Syscall) -> str:
    # Returns the name of the 64-bit call that a 32-bit one is like.
    return compat.name_of(call.name)


# After a successful execve the old program's memory is gone, with whatever could not be read of it at entry. The kernel
# side then puts the new program's own addresses of its file name and argv into these arguments, and argv's length into
# the argument after it.
def _of_line(call: Syscall, line: Line, of: _Sizes) -> Rules:
    enter, leave = [], []
    for arg, word in enumerate(line.words):
        if not word.direction:
            continue
        content = content_of(line, arg)
        rule = _rule(call, arg, word, of)
        rule = replace(rule, content=content, ends=_ends(call, rule.kind, content))
        following = line.words[arg + 1].what if arg + 1 < len(line.words) else ""
        if rule.length == layout.LENGTH_RESULT and rule.kind == layout.KIND_BUFFER and following == "size":
            rule = replace(rule, limit=arg + 2)
        if word.direction in ("in", "inout", "inend"):
            # Before recvmsg the buffers hold nothing yet: only the struct is read.
            empty = word == Word("msghdr", "inout")
            whole = Rule(arg, layout.KIND_BUFFER, layout.LENGTH_ONE, of.msghdr_bytes, content=content)
            enter.append(whole if empty else rule)
        if word.direction in ("out", "inout", "end", "inend"):
            leave.append(rule)
        for nested in _nested_rules(call, arg, word, rule, of):
            direction = word.nested[nested.nested - 1].direction
            if direction != "out":
                enter.append(nested)
            if direction != "in":
                leave.append(nested)
        if call.name in EXECS and word.what == "path":
            leave.append(rule)
        if call.name in EXECS and word.what == "argv":
            leave.append(Rule(arg, layout.KIND_BUFFER, arg + 1, 1, content=content))
    enter.sort(key=lambda rule: not (rule.content & _NAMING and rule.kind in _NAMED))  # by what the call is known
    return Rules(tuple(enter), tuple(leave), any(word.direction in ("end", "inend") for word in line.words))


def _ends(call: Syscall, kind: int, content: int) -> int:
    # A path's end is its file's name, and what is written last says what went wrong.
    if content == layout.CLASS_PATH and kind in (layout.KIND_STRING, layout.KIND_BUFFER):
        return layout.ENDS_BOTH
    return layout.ENDS_WRITE if call.name in _WRITES else layout.ENDS_HEAD


def _rule(call: Syscall, arg: int, word: Word, of: _Sizes) -> Rule:
    pointer, count = word.count.startswith("*"), word.count.removeprefix("*")
    kind = KINDS.get(word.what, layout.KIND_LENGTH if pointer else layout.KIND_BUFFER)
    structs = compat.SIZES if word.narrow else of.structs
    scale = structs[word.what] if kind == layout.KIND_BUFFER else 1
    rule = replace(_counted(Rule(arg, kind, layout.LENGTH_ONE, scale), count), add=word.more)
    if kind == layout.KIND_MMSG:
        rule = replace(rule, scale=int(count == "result"))  # 1: only the received messages; 0: all
    if not count or count.isdecimal() or rule.width:
        return rule
    if count == "result":
        return replace(rule, length=layout.LENGTH_RESULT)
    name, _, unit = count.partition("/")
    rule = replace(rule, length=[param.name for param in call.params].index(name))
    return replace(rule, scale=layout.SCALE_PAGES) if unit == "page" else rule


def _counted(rule: Rule, count: str) -> Rule:
    # The count is a constant, or a number within the memory itself.
    if count.isdecimal():
        return replace(rule, scale=rule.scale * int(count))
    if "@" in count:
        ctype, at = count.split("@")
        return replace(rule, width=int(ctype.removeprefix("u")) // 8, field=int(at))
    return rule


def _nested_rules(call: Syscall, arg: int, word: Word, parent: Rule, of: _Sizes) -> Iterable[Rule]:
    params = [param.name for param in call.params]
    for number, nested in enumerate(word.nested, 1):
        pointer, count = nested.count.startswith("*"), nested.count.removeprefix("*")
        kind = KINDS.get(nested.what, layout.KIND_LENGTH if pointer else layout.KIND_BUFFER)
        scale = of.structs[nested.what] if kind == layout.KIND_BUFFER else 1
        rule = replace(_counted(Rule(arg, kind, layout.LENGTH_ONE, scale), count), add=nested.more)
        if count == "result":
            rule = replace(rule, length=layout.LENGTH_RESULT)
        elif count in params:
            rule = replace(rule, length=params.index(count))
        need = max(nested.at + nested.pointer, rule.field + rule.width)
        # A parent of a fixed size is read whole and needs no limit.
        limit = parent.length + 1 if parent.length not in (layout.LENGTH_ONE, layout.LENGTH_RESULT) else 0
        rule = replace(rule, nested=number, at=nested.at, pointer=nested.pointer, need=need, limit=limit)
        yield replace(rule, content=class_of(nested.what))


def _pack(
    call: Syscall,
    what: Rules,
    item_max: int,
    call_max: int,
    selector: int | None = None,
    *,
    more_bytes: int = 0,
) -> bytes:
    sides = (what.enter, what.exit)
    flags = layout.CALL_KNOWN | (layout.CALL_EXEC if call.name in EXECS else 0)
    if what.on_failure:
        flags |= layout.CALL_OUT_ON_FAILURE
    if any(rule.ends == layout.ENDS_WRITE and rule.kind == layout.KIND_BUFFER for rule in what.enter):
        flags |= layout.CALL_LONG
    if call.name in FORKS:
        flags |= layout.CALL_FORKS
    if what.enter and what.enter[0].content & _NAMING:
        flags |= layout.CALL_NAMES
    flags |= layout.CALL_OPENS * (call.name in OPENS) | layout.CALL_QUIET * (call.name in QUIET)
    flags |= layout.CALL_READS * (call.name in READS) | layout.CALL_WRITES * (call.name in WRITES)
    flags |= layout.CALL_ACCOUNTS * (call.name in ACCOUNTS)
    arguments = len(call.params)
    if call.name == _SIGRETURN and what.enter:
        flags |= layout.CALL_SIGRETURN
        arguments = 1
    if selector is not None:
        flags |= layout.CALL_SELECTED | selector << layout.SELECTOR_SHIFT
    enter_bytes, exit_bytes = (_most_bytes(side, item_max, call_max) for side in sides)
    packed = layout.CALL_HEAD.pack(flags, arguments, *map(len, sides), enter_bytes + more_bytes, exit_bytes)
    for side in sides:
        rules_bytes = b"".join(
            layout.RULE.pack(
                rule.arg | rule.nested << layout.ITEM_SUB_SHIFT,
                rule.kind,
                rule.length | _int_flag(call, rule),
                rule.limit,
                rule.scale,
                rule.add,
                rule.at,
                rule.pointer,
                rule.field,
                rule.width,
                rule.need,
                rule.content,
                rule.ends,
            )
            for rule in side
        )
        packed += rules_bytes.ljust(layout.RULES * layout.RULE.size, b"\0")
    return packed


def _int_flag(call: Syscall, rule: Rule) -> int:
    # The kernel takes a length of that type from a register's lower half.
    if rule.length >= layout.LENGTH_RESULT or rule.kind == layout.KIND_LENGTH:
        return 0
    bits, _ = width(call.params[rule.length].ctype, compat=False)
    return layout.LENGTH_INT if bits == 32 else 0


def _most_bytes(side: Iterable[Rule], item_max: int, call_max: int) -> int:
    # The most bytes that the items of these rules may be written to: a string may touch two bytes more than are kept.
    string, buffer = _item_bytes(item_max + 2), _item_bytes(item_max)
    half = _item_bytes(item_max // 2)
    list_end = _item_bytes(0)
    iovec = (1 + layout.SUB_MAX) * buffer

    def message(size: int) -> int:  # the struct, msg_name, msg_control, msg_iov
        return _item_bytes(min(size, item_max)) + 2 * buffer + iovec

    lists = {
        layout.KIND_STRING: string,
        layout.KIND_ARGV: layout.SUB_MAX * string + list_end,
        layout.KIND_COUNT: buffer,  # its pieces are read where the item will be
        layout.KIND_IOVEC: iovec,
        layout.KIND_MSG: message(_MSGHDR_BYTES),
        layout.KIND_MMSG: layout.SUB_MAX * message(_MMSGHDR_BYTES),
        layout.KIND_IOCB: layout.SUB_MAX * (_item_bytes(min(_IOCB_BYTES, item_max)) + buffer),
    }

    def most(rule: Rule) -> int:
        if rule.kind == layout.KIND_IOVEC and rule.ends:
            return buffer + layout.SUB_MAX * 2 * half
        if rule.kind in lists:  # the end of a string is looked for where its item will be
            return lists[rule.kind] + (half if rule.ends else 0)
        if rule.ends:
            return 2 * half
        fixed = rule.kind == layout.KIND_BUFFER and rule.length == layout.LENGTH_ONE and not rule.width
        return _item_bytes(min(rule.scale + rule.add, item_max) if fixed else item_max)

    return min(sum(map(most, side)), call_max + string)


def _item_bytes(data: int) -> int:
    return layout.ITEM.size + (data + 7) // 8 * 8
