# SPDX-License-Identifier: Apache-2.0
"""Names of numbers: sets of flags and single values, from `constants`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from traceloop_decode import constants
from traceloop_decode.syscalls import Abi
from traceloop_decode.values.options import Options, styled

_CACHE_MAX: Final = 4096


class Xlat:
    """A table of names. unknown: the comment after a number without a name, such as ``PROT_???``, or ""."""

    def __init__(self, entries: tuple[tuple[int, str], ...], unknown: str) -> None:
        self.entries = entries
        self.unknown = unknown
        self.names = dict(reversed(entries))
        self._known: dict[tuple[int, str], str] = {}

    def flags(self, value: int, options: Options) -> str:
        """Returns ``A|B|0x300``: the names of the bits in the table's order, then the remaining bits."""
        key = value, options.constants
        text = self._known.get(key)
        if text is None:
            text = self._remember(key, _styled(value, self._flags(value), options))
        return text

    def one(self, value: int, options: Options, *, signed: bool = False) -> str:
        """Returns ``A``, or ``0x12 /* PREFIX_??? */``."""
        name = self.names.get(value)
        if name is None:
            number = str(value) if value == 0 or (signed and value < 0) else f"{value:#x}"
            return number if options.constants == "raw" or not self.unknown else f"{number} /* {self.unknown} */"
        return name if options.constants == "abbrev" else _styled(value, name, options)  # the usual style: saves a call

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
    commented = "/*" in text and options.constants != "raw"
    return text if commented else styled(text, number, options.constants)


class _Xlats(dict[str, Xlat]):
    # Tables of `constants`, each made when it is first looked up.
    def __init__(self, tables: Mapping[str, constants.Table], others: Mapping[str, Xlat] | None) -> None:
        super().__init__()
        self._tables, self._others = tables, others

    def __contains__(self, name: object) -> bool:
        return name in self._tables or (self._others is not None and name in self._others)

    def __missing__(self, name: str) -> Xlat:
        if self._others is not None and name not in self._tables:
            found = self._others[name]
        else:
            unknown, entries = self._tables[name]
            found = Xlat(entries, unknown)
        self[name] = found
        return found


XLATS: Final = _Xlats(constants.TABLES, None)
"""Tables of `constants`, by their names there."""
_OWN: Final = {arch: _Xlats(tables, XLATS) for arch, tables in constants.OWN_TABLES.items()}


def xlat(name: str, abi: Abi) -> Xlat:
    """Returns a table for a call's architecture, which may name other numbers than `XLATS`."""
    return _OWN.get(abi.arch, XLATS)[name]
