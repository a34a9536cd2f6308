# SPDX-License-Identifier: Apache-2.0
"""Constants by number: one table for each set of flags or of single values, by architecture.

The generated tables take 50 ms and some MiB to load. So each is loaded when one of its names is looked up.
"""

# ruff: noqa: PLC0415 - see above
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Final, TypeVar

from traceloop_decode.tables import flags_aarch64

_Value = TypeVar("_Value")
Table = tuple[str, tuple[tuple[int, str], ...]]
"""Placeholder for a number without a name, such as ``PROT_???``; then (number, name), in the order of printing."""
Struct = tuple[int, tuple[tuple[str, int, int, int], ...]]
"""Size of a struct; then each member's name, offset, element's size, and count; 0: it is no array."""


class _Later(Mapping[str, _Value]):
    # A mapping that `load` returns when it is first used.
    def __init__(self, load: Callable[[], Mapping[str, _Value]]) -> None:
        self._load = load

    def __getitem__(self, name: str) -> _Value:
        return self._load()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._load())

    def __len__(self) -> int:
        return len(self._load())


class _Tables(_Later[Table]):
    # The ioctls' table is loaded by itself: few programs make calls that the others do not know.
    def __getitem__(self, name: str) -> Table:
        return _ioctls() if name == _IOCTLS else _flags()[name]

    def __contains__(self, name: object) -> bool:
        return name == _IOCTLS or name in _flags()


@cache
def _flags() -> Mapping[str, Table]:
    from traceloop_decode.tables import flags

    return flags.TABLES


@cache
def _ioctls() -> Table:
    from traceloop_decode.tables.ioctls import IOCTLS

    return "IOCTL_???", IOCTLS


@cache
def _structs() -> Mapping[str, Struct]:
    from traceloop_decode.tables import structs

    return structs.STRUCTS


_IOCTLS: Final = "ioctls"
TABLES: Final[Mapping[str, Table]] = _Tables(lambda: {**_flags(), _IOCTLS: _ioctls()})
"""Tables by the names that `arguments.table` and the printers use."""
OWN_TABLES: Final[Mapping[str, Mapping[str, Table]]] = {"aarch64": flags_aarch64.TABLES}
"""Architecture -> the tables that differ there."""
STRUCTS: Final[Mapping[str, Struct]] = _Later(_structs)
"""Layouts of the structs in netlink messages, by name: their size, and each member's name, offset, element, count."""


def entries(name: str, arch: str) -> tuple[tuple[int, str], ...]:
    """Returns the (number, name) pairs of a table on an architecture."""
    return OWN_TABLES.get(arch, TABLES).get(name, TABLES[name])[1]
