# SPDX-License-Identifier: Apache-2.0
"""Formats the settings as a commented file; run as a module, prints packaging/traceloop.toml."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import Field, fields
from typing import Any, Final

from traceloop_daemon.settings.files import DEFAULT_FILE, tables_of, toml
from traceloop_daemon.settings.keys import Config, name_of

_WIDTH: Final = 100
_HEAD: Final = f"""\
Settings of traceloopd. Each key is shown with its default; remove the # to change it.

Rather than change this file, write the keys that differ into a new file NAME.toml in
{DEFAULT_FILE}.d/. Those files are read after this one, in order of their names. If
several files set a key, the last value applies.

The daemon reads its settings when it starts. `traceloopd --check-config` prints each fault, or the
settings in force and where each of them is set.

A size is a number of bytes, or a number with a unit, such as "512K", "1M" or "2G" (to the base 1024).
A span of time is a number of seconds, or a number with a unit, such as "30s", "5min", "12h" or "14d"."""


def text() -> str:
    """Returns the contents of the file."""
    return "\n".join((*_comment(_HEAD), *_keys(Config))) + "\n"


def _keys(kind: type) -> Iterator[str]:
    inner = tables_of(kind)
    for one in fields(kind):
        if one.name in inner:
            yield from ("", f"[{one.name}]", *_comment(_flowed(inner[one.name].__doc__ or "")), *_keys(inner[one.name]))
        else:
            yield from ("", *_key(one))


def _key(one: Field[Any]) -> Iterator[str]:
    yield from _comment(_flowed(one.metadata["text"]))
    yield f"#{name_of(one)} = {toml(one.metadata['default'])}"


def _flowed(text: str) -> str:
    paragraphs = textwrap.dedent(text).strip().split("\n\n")
    return "\n\n".join(textwrap.fill(" ".join(paragraph.split()), _WIDTH - 2) for paragraph in paragraphs)


def _comment(text: str) -> Iterator[str]:
    return (f"# {line}".rstrip() for line in text.splitlines())


if __name__ == "__main__":
    print(text(), end="")
