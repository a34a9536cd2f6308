# SPDX-License-Identifier: Apache-2.0
"""The settings as a commented file: run as a module, it prints packaging/traceloop.toml."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import Field, fields
from typing import Any, Final

from traceloop_daemon.settings.files import DEFAULT_FILE, tables_of, toml
from traceloop_daemon.settings.keys import Config

_WIDTH: Final = 100
_HEAD: Final = f"""\
Settings of traceloopd. Each key stands here with its default; take away the # to change it.

Better than to change this file: write what differs into a file of its own in
{DEFAULT_FILE}.d/, NAME.toml. Those are read after this one, by name; of a key that
stands in several, the last one holds.

`traceloopd --check-config` says what is wrong, or what holds and where it comes from. The daemon reads
its settings when it starts.

Sizes are bytes, or such as "512K", "1M", "2G" (to the base 1024). Spans of time are seconds, or such
as "30s", "5min", "12h", "14d"."""


def text() -> str:
    """The file."""
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
    yield f"#{one.name} = {toml(one.metadata['default'])}"


def _flowed(text: str) -> str:
    paragraphs = textwrap.dedent(text).strip().split("\n\n")
    return "\n\n".join(textwrap.fill(" ".join(paragraph.split()), _WIDTH - 2) for paragraph in paragraphs)


def _comment(text: str) -> Iterator[str]:
    return (f"# {line}".rstrip() for line in text.splitlines())


if __name__ == "__main__":
    print(text(), end="")
