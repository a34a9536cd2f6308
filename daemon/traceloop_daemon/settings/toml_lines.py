# SPDX-License-Identifier: Apache-2.0
"""Where the keys of a TOML text stand, which `tomllib` does not tell.

A statement is the least number of lines that `tomllib` accepts by themselves, so multi-line strings and arrays, dotted
and quoted keys and inline tables need no rules of their own here. A table's header holds for what follows.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str, ...]
"""A key with the names of its tables before it."""


def lines_of(text: str) -> dict[Path, int]:
    """The first line, counted from 1, of each table and key of a text that `tomllib.loads` accepts."""
    found: dict[Path, int] = {}
    header = ""
    begin, lines = 0, text.replace("\r\n", "\n").split("\n")
    for end in range(1, len(lines) + 1):
        statement = "\n".join(lines[begin:end])
        try:
            # Alone first: what is not whole yet must not be taken for a header.
            keys = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        if statement.lstrip().startswith("["):
            header = statement
        elif keys:
            keys = tomllib.loads(f"{header}\n{statement}")
        for path in _paths(keys, ()):
            found.setdefault(path, begin + 1)
        begin = end
    return found


def _paths(keys: Mapping[str, Any], above: Path) -> Iterator[Path]:
    for key, value in keys.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from _paths(value, (*above, key))
