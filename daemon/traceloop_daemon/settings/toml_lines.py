# SPDX-License-Identifier: Apache-2.0
"""Finds the line numbers of the keys in a TOML text, which neither `tomllib` nor tomlkit reports.

A statement is the smallest number of lines that `tomllib` accepts by themselves, so multi-line strings and arrays,
dotted and quoted keys and inline tables need no rules here. A table's header applies to the statements after it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str, ...]
"""Names of a key's tables, then its own name."""


def lines_of(text: str) -> dict[Path, int]:
    """Returns the first line, counted from 1, of each table and key of a text that `tomllib.loads` accepts."""
    found: dict[Path, int] = {}
    header = ""
    begin, lines = 0, text.replace("\r\n", "\n").split("\n")
    for end in range(1, len(lines) + 1):
        statement = "\n".join(lines[begin:end])
        try:
            # Parsed without the header first: an incomplete statement must not pass for a header.
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
