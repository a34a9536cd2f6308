# SPDX-License-Identifier: Apache-2.0
"""Options of the reader for printing values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """strace's options for values. string_max: -s. verbose: -v. escape: 0, 1 (-x) or 2 (-xx).

    constants: -X, ``abbrev``, ``raw`` or ``verbose``. dns: messages to and from name servers are decoded. arg_names:
    strace's line has the arguments' names (-N). verbose_calls: None, or the calls, by name and whether they are 32-bit
    ones, whose structs are shown and not their addresses (-e verbose=). ends: a string that is cut
    at -s keeps its end too, if that was recorded.
    """

    string_max: int = 32
    verbose: bool = False
    escape: int = 0
    constants: str = "abbrev"
    dns: bool = False
    arg_names: bool = False
    verbose_calls: Callable[[str, bool], bool] | None = None
    ends: bool = False


def styled(name: str, number: str, constants: str) -> str:
    """Returns a number as -X says: its name, the number, or ``0x2 /* O_RDWR */``; the number if the name is empty."""
    if constants == "abbrev":
        return name or number
    return number if constants == "raw" or name in ("", number) else f"{number} /* {name} */"
