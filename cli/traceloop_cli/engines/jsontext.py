# SPDX-License-Identifier: Apache-2.0
"""Changes one member of a JSON text, and leaves the rest as its author wrote it.

`json` would rewrite the whole text. augeas 1.14 edits in place, but removes the final newline of the file, and puts the
new member into the first column.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from json.decoder import JSONDecoder
from typing import Any, Final

_BLANK: Final = " \t\r\n"
_scan: Final = JSONDecoder().raw_decode


@dataclass(frozen=True, slots=True)
class _Member:
    key: int  # offset of the name; begin, end: of the value
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class _Object:
    open: int  # offset of "{"; close: of "}"
    close: int
    members: dict[str, _Member]


def set_member(text: str, path: tuple[str, ...], value: Any) -> str:
    """Returns the text with a member set, and missing objects on its path created.

    Raises ValueError if the text is not a JSON object, or has a name twice.
    """
    around = _object(text, _skip(text, 0))
    outer = around
    for depth, name in enumerate(path):
        last = depth == len(path) - 1
        member = outer.members.get(name)
        if member is None:
            for missing in reversed(path[depth + 1 :]):
                value = {missing: value}
            return _insert(text, outer, name, value, _step(text, around))
        if last:
            dumped = _dump(value, _indent(text, outer), _step(text, around))
            return text[: member.begin] + dumped + text[member.end :]
        outer = _object(text, member.begin)
    raise ValueError("no member is named")


def remove_member(text: str, path: tuple[str, ...]) -> str:
    """Returns the text without a member; unchanged if it has no such member. Raises ValueError as `set_member`."""
    inner = _object(text, _skip(text, 0))
    for name in path[:-1]:
        if name not in inner.members:
            return text
        inner = _object(text, inner.members[name].begin)
    names = [*inner.members]
    if path[-1] not in names:
        return text
    at = names.index(path[-1])
    member = inner.members[path[-1]]
    if at + 1 < len(names):
        return text[: member.key] + text[inner.members[names[at + 1]].key :]
    if at:
        return text[: inner.members[names[at - 1]].end] + text[member.end :]
    return text[: inner.open + 1] + text[inner.close :]


def _object(text: str, at: int) -> _Object:
    members: dict[str, _Member] = {}
    if text[at : at + 1] != "{":
        raise ValueError("an object is expected")
    open_, at = at, _skip(text, at + 1)
    while text[at : at + 1] != "}":
        key = at
        name, at = _scan(text, at)
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise ValueError("not JSON")
        begin = _skip(text, at + 1)
        _, end = _scan(text, begin)
        if name in members:
            raise ValueError(f"{name!r} occurs twice")
        members[name] = _Member(key, begin, end)
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "}":
            raise ValueError("not JSON")
    return _Object(open_, at, members)


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in _BLANK:
        at += 1
    return at


def _indent(text: str, of: _Object) -> str | None:
    # Returns the indentation of the first member, None if that is on the same line as "{".
    for member in of.members.values():
        line = text.rfind("\n", of.open, member.key)
        return None if line < 0 else text[line + 1 : member.key]
    return None


def _step(text: str, top: _Object) -> str:
    indent = _indent(text, top)
    return "  " if indent is None else indent


def _insert(text: str, into: _Object, name: str, value: Any, step: str) -> str:
    indent = _indent(text, into)
    if into.members and indent is None:  # all on one line
        last = [*into.members.values()][-1]
        return f"{text[: last.end]}, {json.dumps(name)}: {json.dumps(value)}{text[last.end :]}"
    if not into.members:
        head = text[text.rfind("\n", 0, into.open) + 1 : into.open]
        outer = head[: len(head) - len(head.lstrip(_BLANK))]
        indent = outer + step
        member = f"{indent}{json.dumps(name)}: {_dump(value, indent, step)}"
        return f"{text[: into.open + 1]}\n{member}\n{outer}{text[into.close :]}"
    last = [*into.members.values()][-1]
    return f"{text[: last.end]},\n{indent}{json.dumps(name)}: {_dump(value, indent, step)}{text[last.end :]}"


def _dump(value: Any, indent: str | None, step: str) -> str:
    if indent is None:
        return json.dumps(value)
    return json.dumps(value, indent=step or "  ").replace("\n", f"\n{indent}")
