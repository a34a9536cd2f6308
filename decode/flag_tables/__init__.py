# SPDX-License-Identifier: Apache-2.0
"""Which macros and enumerators of Linux's headers make a table of names: the configuration of `generate_flags`.

One line a table, by the family of calls that uses it. Order is the order of matching and of printing, so a name of
several bits stands before those that it holds (``O_TMPFILE O_DIRECTORY``), and of names for one value the first wins.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Names, in order: those listed, then those of `headers` that match, as their source has them.

    ``NAME=0x10`` is for what no header has. A listed name that the headers lack is left out.
    """

    unknown: str
    """What stands in the comment behind a number without a name: ``PROT_???``."""
    headers: str = ""
    """Where the names come from, as for `#include`; a name is also found if another table's header has it."""
    names: str = ""
    match: str = ""
    """A regular expression for whole names; what it should leave out stands in `without`, one more."""
    without: str = ""
    enum: str = ""
    """The enumeration that `match` (all, when empty) chooses from, instead of the whole of `headers`."""
    signed: bool = False
    """Negative values stay; elsewhere a set bit 31 is but a bit."""
    sort: bool = False
    """By value, not in source order."""
