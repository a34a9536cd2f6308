# SPDX-License-Identifier: Apache-2.0
"""Reads the settings from a file and its drop-ins, and reports each fault with its line and the expected value.

``FILE`` is read first, then ``FILE.d/*.toml`` in order of their names. If several files set a key, the last value
replaces the others as a whole.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Final

from traceloop_daemon.errors import ConfigError
from traceloop_daemon.settings.keys import Config, conflicts, name_of
from traceloop_daemon.settings.toml_lines import lines_of

DEFAULT_FILE: Final = Path("/etc/traceloop/traceloop.toml")
_SHOWN_MAX: Final = 60
_AT_LINE: Final = re.compile(r" \(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True)
class Setting:
    """A key. name: with its table, ``ring.size``. value: as written in the file, or the default."""

    name: str
    field: Field[Any]
    value: object
    origin: str

    def __str__(self) -> str:
        """Returns a line of TOML with the value's origin as a comment."""
        return f"{name_of(self.field)} = {toml(self.value)}  # {self.origin}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings in force. config: as objects. settings: each key, in the order of the documentation."""

    config: Config
    settings: tuple[Setting, ...]

    def __str__(self) -> str:
        """Returns the settings in force as TOML."""
        lines, above = [], ""
        for setting in self.settings:
            table = setting.name.rpartition(".")[0]
            if table != above:
                lines += ["", f"[{table}]"]
            lines.append(str(setting))
            above = table
        return "\n".join(lines)


def load(path: Path | None = None, options: Mapping[str, object] | None = None) -> Loaded:
    """Loads the settings of a file and its drop-ins; the default file may be missing.

    path: the file; None: the default file. options: values of keys that the command line gives.
    Raises ConfigError, whose message has a line for each fault.
    """
    known = dict(_known(Config, ""))
    settings = {name: Setting(name, one, one.metadata["default"], "default") for name, one in known.items()}
    faults: list[str] = []
    for file in _files(path, faults):
        for found in _read(file, faults):
            if found.name in known:
                settings[found.name] = Setting(found.name, known[found.name], found.value, found.at)
            else:
                faults.append(f"{found.at}: {_unknown(found, known)}")
    for name, value in (options or {}).items():
        settings[name] = Setting(name, known[name], value, f"--{name}")
    values: dict[str, Any] = {}
    for setting in settings.values():
        try:
            values[setting.name] = setting.field.metadata["convert"](setting.value)
        except ValueError as error:
            faults.append(f"{setting.origin}: {setting.name} = {_short(setting.value)} is not {error}")
    if not faults:
        config = _build(Config, "", values)
        faults += [f"{settings[name].origin}: {name} {why}" for name, why in conflicts(config)]
    if faults:
        raise ConfigError("\n".join(faults))
    return Loaded(config, tuple(settings.values()))


def toml(value: object) -> str:
    """Formats a value as TOML, in printable ASCII."""
    return json.dumps(value).replace("\x7f", "\\u007f")


def tables_of(kind: type) -> dict[str, type]:
    """Returns the tables within a table, by name: the dataclass's fields that are dataclasses."""
    return {one.name: one.default_factory for one in fields(kind) if is_dataclass(one.default_factory)}  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class _Found:
    name: str
    value: object
    at: str


def _files(path: Path | None, faults: list[str]) -> Iterator[Path]:
    first = path or DEFAULT_FILE
    drop_ins = first.with_name(first.name + ".d")
    try:
        names = sorted(file.name for file in drop_ins.iterdir() if file.suffix == ".toml" and file.name[0] != ".")
    except (FileNotFoundError, NotADirectoryError):
        names = []
    except OSError as error:
        faults.append(f"{drop_ins}: {error.strerror}")
        names = []
    if path is not None or first.exists():
        yield first
    yield from (drop_ins / name for name in names)


def _read(file: Path, faults: list[str]) -> Iterator[_Found]:
    try:
        raw = file.read_bytes()
        text = raw.decode()
        tables = tomllib.loads(text)
    except OSError as error:
        faults.append(f"{file}: {error.strerror}")
        return
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        faults.append(f"{file}:{line}: not UTF-8")
        return
    except (ValueError, RecursionError) as error:
        place = _AT_LINE.search(str(error))
        line = int(place[1]) if place else text.count("\n") + 1
        faults.append(f"{file}:{line}: not TOML: {ascii(_AT_LINE.sub('', str(error)))[1:-1]}")
        return
    lines = lines_of(text)
    for path, value in _leaves(Config, tables, ()):
        yield _Found(".".join(path), value, f"{file}:{lines.get(path, 1)}")


def _leaves(kind: type, tables: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    # Yields keys, and unknown tables as a whole.
    for key, value in tables.items():
        inner = tables_of(kind).get(key)
        if inner is not None and isinstance(value, dict):
            yield from _leaves(inner, value, (*above, key))
        else:
            yield (*above, key), value


def _known(kind: type, above: str) -> Iterator[tuple[str, Field[Any]]]:
    inner = tables_of(kind)
    for one in fields(kind):
        if one.name in inner:
            yield from _known(inner[one.name], f"{above}{one.name}.")
        else:
            yield above + name_of(one), one


def _build(kind: type, above: str, values: Mapping[str, Any]) -> Any:
    inner = tables_of(kind)
    return kind(
        **{
            one.name: _build(inner[one.name], f"{above}{one.name}.", values)
            if one.name in inner
            else values[above + name_of(one)]
            for one in fields(kind)
        }
    )


def _unknown(found: _Found, known: Mapping[str, object]) -> str:
    tables = {name.rpartition(".")[0] for name in known} - {""}
    name = ascii(found.name)[1:-1]
    if found.name in tables:
        return f"{name} is a table: write [{name}] above its keys"
    if isinstance(found.value, dict) and "." not in found.name:
        return f"there is no table [{name}]{_hint(found.name, tables, '[{}]')}"
    same = [other for other in known if other.rpartition(".")[2] == found.name.rpartition(".")[2]]
    return f"there is no key {name}{_hint(found.name, known, '{}', same)}"


def _hint(name: str, names: Mapping[str, object] | set[str], form: str, first: list[str] | None = None) -> str:
    near = first or difflib.get_close_matches(name, list(names), 1)
    return f": did you mean {form.format(near[0])}?" if near else ""


def _short(value: object) -> str:
    text = ascii(value) if not isinstance(value, (str, bool)) else toml(value)
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "..."
