# SPDX-License-Identifier: Apache-2.0
"""Sets one key in tables of a TOML text, marks what it wrote, and takes the marked out again.

The rest of the text stays as its author wrote it. What cannot be done so (a table that is written inline, or by dotted
keys) is refused: whoever calls compares what the result means.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any, Final

_MARK: Final = "# by traceloopctl engine enable"
_BEGIN: Final = f"{_MARK}: begin"
_END: Final = f"{_MARK}: end"
_WAS: Final = ", instead of "
_HEADER: Final = re.compile(r"\s*\[([^\[\]].*)\]\s*(?:#.*)?")
_MARKED: Final = re.compile(rf"(\s*)(.*?) {re.escape(_MARK)}(?:{_WAS}(.*))?")


def set_key(text: str, table: tuple[str, ...], key: str, value: str, otherwise: dict[str, Any]) -> str:
    """With a text in a table. otherwise: what a table of this name gets first, where none has a header of its own.

    Raises ValueError where that is no longer TOML.
    """
    lines = text.splitlines()
    new = f"{key} = {json.dumps(value)} {_MARK}"
    at = next((n for n, line in enumerate(lines) if _table(line) == table), None)
    if at is None:
        header = ".".join(name if re.fullmatch(r"[\w-]+", name) else json.dumps(name) for name in table)
        rest = [f"  {name} = {json.dumps(one)}" for name, one in otherwise.items()]
        lines += [*([""] if lines else []), _BEGIN, f"[{header}]", *rest, f"  {key} = {json.dumps(value)}", _END]
    else:
        end = next((n for n in range(at + 1, len(lines)) if _table(lines[n]) is not None), len(lines))
        there = next((n for n in range(at + 1, end) if re.match(rf"\s*{key}\s*=", lines[n])), None)
        if there is None:
            lines.insert(at + 1, _indent(lines[at + 1] if at + 1 < end else f"  {_indent(lines[at])}x") + new)
        elif tomllib.loads(lines[there].strip()) == {key: value}:
            return text
        else:
            marked = _MARKED.fullmatch(lines[there])
            old = marked[3] if marked else lines[there].strip()
            lines[there] = f"{_indent(lines[there])}{new}{_WAS}{old}" if old else f"{_indent(lines[there])}{new}"
    result = "\n".join(lines) + "\n"
    tomllib.loads(result)
    return result


def strip(text: str) -> str:
    """Without what set_key wrote; what it replaced is there again."""
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
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
    return "\n".join(lines) + "\n" if lines else ""


def _table(line: str) -> tuple[str, ...] | None:
    # The name of the table that a line begins; () for one of an array, or a line that looks like one and is none.
    if not line.lstrip().startswith("["):
        return None
    match = _HEADER.fullmatch(line)
    if not match:
        return ()
    try:
        value: Any = tomllib.loads(f"[{match[1]}]")
    except tomllib.TOMLDecodeError:
        return ()
    names = []
    while value:
        (name,) = value
        names.append(name)
        value = value[name]
    return tuple(names)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
