# SPDX-License-Identifier: Apache-2.0
"""Fuzzes the reading of settings; `README.md` explains how. An input is the text of a file and, after ``--``, a
drop-in's.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from random import Random
from typing import Final

import atheris

with atheris.instrument_imports(include=["traceloop_daemon"]):
    from traceloop_daemon.errors import ConfigError
    from traceloop_daemon.settings.files import load

SPLIT: Final = b"\n--\n"
_BLIND: Final = 0.3
_NAMES: Final = (
    *("node", "ring", "size", "item_max", "call_max", "spare", "record", "sandboxes", "namespaces", "images", "mode"),
    *("archive", "memory_max", "capture", "policy", "allow_raise", "redact", "enabled", "patterns", "sise", "'a b'"),
    *('"ring"', '"\\u001b"', "ring.size", "redact.patterns"),
)
_VALUES: Final = (
    *("1", "0", "true", '"1M"', '"10%"', '"14d"', '""', '"\\u001b[2J"', "'x'", "[]", '["*"]', "['(a+)+', 'b']", "{}"),
    *(
        "{ size = 1 }",
        "1979-05-27",
        "nan",
        "-1",
        "0x10",
        '"""\n[no]\n"""',
        "'''\n'''",
        "[\n1,\n2,\n]",
        "['(?i)x', '(']",
    ),
    *('"all"', '"paths"', '"opt-in"', '["[a-"]', "9" * 5000),
)

file = Path(__file__).parents[2] / "build" / "fuzz" / "config.files" / "t.toml"
drop_in = file.with_name("t.toml.d") / "10.toml"
drop_in.parent.mkdir(parents=True, exist_ok=True)


def check(data: bytes) -> None:
    """Checks that the bytes give settings that read the same once written, or printable errors with places."""
    first, _, second = data.partition(SPLIT)
    file.write_bytes(first)
    drop_in.write_bytes(second)
    try:
        loaded = load(file)
    except ConfigError as error:
        for line in str(error).splitlines():
            if not (line.isascii() and line.isprintable() and ": " in line):
                raise AssertionError(f"not fit to be shown: {line!r}") from error
        return
    text = str(loaded)
    assert tomllib.loads(text)
    file.write_text(text)
    drop_in.write_bytes(b"")
    assert load(file).config == loaded.config


def mutate(data: bytes, size_max: int, seed: int) -> bytes:
    """Mutates an input for libFuzzer, mostly by changing a line."""
    chance = Random(seed)
    if chance.random() >= _BLIND:
        lines = data.split(b"\n")
        name, value = chance.choice(_NAMES), chance.choice(_VALUES)
        line = chance.choice((f"{name} = {value}", f"{name} = {value}", f"[{name}]", f"[[{name}]]", "--", f"# {value}"))
        at = chance.randrange(len(lines) + 1)
        lines[at : at + chance.randrange(2)] = [line.encode()]
        changed = b"\n".join(lines)
        if len(changed) <= size_max:
            return changed
    return bytes(atheris.Mutate(data, size_max))


if __name__ == "__main__":
    atheris.Setup(sys.argv, check, custom_mutator=mutate)
    atheris.Fuzz()
