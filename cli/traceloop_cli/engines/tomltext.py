# SPDX-License-Identifier: Apache-2.0
"""Sets one key in a table of a TOML text, marks the line, and removes marked lines again.

All other bytes stay as their author wrote them, including line ends. The key goes below the table's header, beside its
dotted keys, or into an inline table on one line; other forms are refused. tomlkit does not work here: up to 0.12.5
(Debian 12 has 0.11.7) it loses the key, or defines a table twice, if other tables are between two of the same plugin
(`[a.b]`, `[x]`, `[a.c]`), which is usual in a config.toml.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

_MARK: Final = "# by traceloopctl engine enable"
_BEGIN: Final = f"{_MARK}: begin"
_END: Final = f"{_MARK}: end"
_WAS: Final = ", instead of "
_HEADER: Final = re.compile(r"\s*(\[[^\[\]].*\])\s*(?:#.*)?")
_KEYS: Final = re.compile(r"""\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|[\w. \t-])+?)\s*=""", re.ASCII)
_INLINE: Final = re.compile(r"(\s*)(.*?=\s*\{)\s*(.*)")
_MARKED: Final = re.compile(rf"(\s*)(.*?) {re.escape(_MARK)}(?:{_WAS}(.*))?")

Names = tuple[str, ...]


class _Line(NamedTuple):
    # A line that begins a table (no keys) or sets a value. whole: the names from the root on, including its keys.
    at: int
    whole: Names
    keys: Names


def set_key(text: str, table: Names, key: str, value: str, otherwise: dict[str, Any]) -> str:
    """Returns the text with a key of a table set to a string. otherwise: the other keys of a table that must be added.

    Raises ValueError if the result would not be the same values plus that key.
    """
    wanted = tomllib.loads(text)
    node = _table(wanted, table)
    if node.get(key) == value:
        return text
    lines, end = _split(text)
    pair = f"{key} = {json.dumps(value)}"
    if not _set_in_place(lines, table, key, pair) and not _insert(lines, table, pair):
        rest = [f"  {name} = {json.dumps(one)}" for name, one in otherwise.items()]
        lines += [*([""] if lines else []), _BEGIN, f"[{_dotted(table)}]", *rest, f"  {pair}", _END]
        node |= otherwise
    node[key] = value
    result = _joined(lines, end)
    if tomllib.loads(result) != wanted:
        raise ValueError("it would mean something else")
    return result


def strip(text: str) -> str:
    """Returns the text without the lines of `set_key`, and with the lines that they replaced."""
    before, end = _split(text)
    lines: list[str] = []
    inside = False
    for line in before:
        if line == _BEGIN:
            inside = True
            if lines and not lines[-1]:
                lines.pop()
        elif line == _END:
            inside = False
        elif not inside:
            marked = _MARKED.fullmatch(line)
            if not marked:
                lines.append(line)
            elif marked[3]:
                lines.append(marked[1] + marked[3])
    return _joined(lines, end)


def _set_in_place(lines: list[str], table: Names, key: str, pair: str) -> bool:
    # Replaces the line of the key, or adds the key to the line of an inline table; returns whether it did.
    for at, whole, keys in _lines(lines):
        line = lines[at]
        marked = _MARKED.fullmatch(line)
        old = marked[3] if marked else line.lstrip()
        if keys and whole == (*table, key):
            lines[at] = _marked(_indent(line), ".".join([*map(_quoted, keys[:-1]), pair]), old)
            return True
        inline = _INLINE.fullmatch(marked[1] + old if marked and old else line)
        if keys and whole == table and inline:
            comma = " " if inline[3].startswith("}") else ", "
            lines[at] = _marked(inline[1], f"{inline[2]} {pair}{comma}{inline[3]}", old)
            return True
    return False


def _insert(lines: list[str], table: Names, pair: str) -> bool:
    # Inserts the key below the table's header, else before the first of its dotted keys; returns whether it did.
    for at, whole, keys in _lines(lines):
        if not keys and whole == table:
            below = lines[at + 1] if at + 1 < len(lines) else ""
            indent = f"  {_indent(lines[at])}" if not below or below.lstrip().startswith("[") else _indent(below)
            lines.insert(at + 1, _marked(indent, pair))
            return True
        if len(keys) > 1 and whole[:-1] == table:
            lines.insert(at, _marked(_indent(lines[at]), ".".join([*map(_quoted, keys[:-1]), pair])))
            return True
    return False


def _marked(indent: str, text: str, old: str | None = None) -> str:
    return f"{indent}{text} {_MARK}" + (f"{_WAS}{old}" if old else "")


def _lines(lines: list[str]) -> Iterator[_Line]:
    # Lines inside strings and lists may look the same, so the caller compares the meaning of the result.
    table: Names | None = ()
    for at, line in enumerate(lines):
        if line.lstrip().startswith("["):
            header = _HEADER.fullmatch(line)
            table = _names(header[1]) if header else None  # None for a table of an array
            if table is not None:
                yield _Line(at, table, ())
        elif table is not None and (match := _KEYS.match(line)) and (keys := _names(f"{match[1]} = 0")):
            yield _Line(at, (*table, *keys), keys)


def _names(text: str) -> Names | None:
    # Returns the names in a header or in the keys of a pair.
    try:
        value: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
    names = []
    while value and isinstance(value, dict):
        ((name, value),) = value.items()
        names.append(name)
    return tuple(names)


def _table(values: dict[str, Any], names: Names) -> dict[str, Any]:
    for name in names:
        values = values.setdefault(name, {})
        if not isinstance(values, dict):
            raise ValueError(f"{name} is no table")  # noqa: TRY004 - as for what else the text is not
    return values


def _dotted(names: Names) -> str:
    return ".".join(map(_quoted, names))


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else json.dumps(name)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _split(text: str) -> tuple[list[str], str]:
    # Lines, and how they end. Not by splitlines: strings and comments may hold what that takes for an end of line.
    end = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"
    return (text.removesuffix(end).split(end) if text else []), end


def _joined(lines: list[str], end: str) -> str:
    return "".join(f"{line}{end}" for line in lines)
