# SPDX-License-Identifier: Apache-2.0
"""Configuration of `generate_flags`: the macros and enumerators of Linux' headers that form each table of names.

Tables are grouped by the family of calls that uses them. Order is that of matching and of printing, so a name of
several bits precedes the names that it contains (``O_TMPFILE O_DIRECTORY``); of names for one value the first wins.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Names, in order: those listed, then those of `headers` that match, in source order.

    ``NAME=0x10`` is for names that no header has. A listed name that the headers lack is left out.
    """

    unknown: str
    """Comment after a number without a name: ``PROT_???``."""
    headers: str = ""
    """Headers with the names, as for `#include`; a name is also found if another table's header has it."""
    names: str = ""
    match: str = ""
    """Regular expression for whole names; `without` is another, for names to leave out."""
    without: str = ""
    enum: str = ""
    """Enumeration that `match` (if empty: all names) chooses from, instead of the whole of `headers`: its tag, or its
    first enumerator if it has no tag."""
    form: str = "{}"
    """Expression in C that is the name and the value of each entry: ``1<<{}``."""
    signed: bool = False
    """Negative values stay negative; otherwise bit 31 is a bit like the others."""
    bit: str = ""
    """The values are numbers of bits; this is what a name is shown behind: ``1<<``."""
    sort: bool = False
    """Sorted by value instead of source order."""
