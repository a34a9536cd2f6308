# SPDX-License-Identifier: Apache-2.0
"""Constants by number, one table for each set of flags or of single values, as an architecture has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from traceloop_decode.tables import flags, flags_aarch64

Table = tuple[str, tuple[tuple[int, str], ...]]
"""What stands behind a number without a name, as ``PROT_???``; then (number, name), in the order of printing."""

TABLES: Final[Mapping[str, Table]] = flags.TABLES
"""Every table, by the name that `arguments.table` and the printers use."""
OWN_TABLES: Final[Mapping[str, Mapping[str, Table]]] = {"aarch64": flags_aarch64.TABLES}
"""Architecture -> the tables that differ there."""


def entries(name: str, arch: str) -> tuple[tuple[int, str], ...]:
    """(number, name) of a table on an architecture."""
    return OWN_TABLES.get(arch, TABLES).get(name, TABLES[name])[1]
