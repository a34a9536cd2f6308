# SPDX-License-Identifier: Apache-2.0
"""Numbers as names: sets of flags and single values, from `constants`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from traceloop_decode import constants
from traceloop_decode.syscalls import Abi
from traceloop_decode.values.options import Options

_CACHE_MAX: Final = 4096


class Xlat:
    """One table of names. unknown: what stands in the comment behind a number without a name, as ``PROT_???``."""

    def __init__(self, entries: tuple[tuple[int, str], ...], unknown: str) -> None:
        self.entries = entries
        self.unknown = unknown
        self.names = dict(reversed(entries))
        self._known: dict[tuple[int, str], str] = {}

    def flags(self, value: int, options: Options) -> str:
        """``A|B|0x300``: the names of the bits in the table's order, then what is left."""
        key = value, options.constants
        text = self._known.get(key)
        if text is None:
            text = self._remember(key, _styled(value, self._flags(value), options))
        return text

    def one(self, value: int, options: Options, *, signed: bool = False) -> str:
        """``A``, or ``0x12 /* PREFIX_??? */``."""
        name = self.names.get(value)
        if name is None:
            number = str(value) if value == 0 or (signed and value < 0) else f"{value:#x}"
            return number if options.constants == "raw" else f"{number} /* {self.unknown} */"
        return name if options.constants == "abbrev" else _styled(value, name, options)

    def _remember(self, key: tuple[int, str], text: str) -> str:
        if len(self._known) >= _CACHE_MAX:
            self._known.clear()
        self._known[key] = text
        return text

    def _flags(self, value: int) -> str:
        if not value:
            return self.names.get(0, "0")
        found, rest = [], value
        for bits, name in self.entries:
            if bits and rest & bits == bits:
                found.append(name)
                rest &= ~bits
        if rest:
            found.append(f"{rest:#x}")
        return "|".join(found) if found[0] != f"{value:#x}" else f"{value:#x} /* {self.unknown} */"


def _styled(value: int, text: str, options: Options) -> str:
    if options.constants == "abbrev":
        return text
    number = f"{value:#x}" if value else "0"
    if options.constants == "raw":
        return number
    return text if text == number or "/*" in text else f"{number} /* {text} */"


def _xlats(tables: Mapping[str, constants.Table]) -> dict[str, Xlat]:
    return {name: Xlat(entries, unknown) for name, (unknown, entries) in tables.items()}


XLATS: Final = _xlats(constants.TABLES)
"""Every table, by its name there."""
_OWN: Final = {arch: XLATS | _xlats(tables) for arch, tables in constants.OWN_TABLES.items()}


def xlat(name: str, abi: Abi) -> Xlat:
    """A table as a call's architecture has it: some name other numbers there than `XLATS`."""
    return _OWN.get(abi.arch, XLATS)[name]
