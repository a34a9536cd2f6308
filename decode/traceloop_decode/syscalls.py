# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: FBT001 - `compat` is the other half of a call's number
"""System calls by number: their names, and the kernel's own names and C types of their arguments.

Another architecture is another table in `tables/`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from traceloop_decode.tables import i386, x86_64


class Param(NamedTuple):
    """One argument, as in ``const char *filename``: name ``filename``, ctype ``const char *``."""

    name: str
    ctype: str


@dataclass(frozen=True, slots=True)
class Syscall:
    """A system call. known: `params` is what it takes; False for a few that Linux names and never had."""

    name: str
    params: tuple[Param, ...]
    known: bool = True


def lookup(number: int, compat: bool) -> Syscall | None:
    """The call of that number; compat: in the table of 32-bit programs. None: there is no such call."""
    prototype = _prototypes(compat).get(number)
    return None if prototype is None else _parse(prototype)


def call_name(number: int, compat: bool) -> str:
    """Its name, or as strace has it: ``syscall_0x270f``."""
    call = lookup(number, compat)
    return call.name if call else f"syscall_{number & 0xFFFF_FFFF_FFFF_FFFF:#x}"


def table(compat: bool) -> dict[int, Syscall]:
    """Every call, by number."""
    return {number: _parse(prototype) for number, prototype in _prototypes(compat).items()}


def _prototypes(compat: bool) -> dict[int, str]:
    return i386.CALLS if compat else x86_64.CALLS


@cache
def _parse(prototype: str) -> Syscall:
    name, _, rest = prototype.removesuffix(")").partition("(")
    if rest == "?":
        return Syscall(name, (), known=False)
    fields = (re.fullmatch(r"(.*?)(\w+)", field) for field in rest.split(", ") if field)
    return Syscall(name, tuple(Param(field[2], field[1].rstrip()) for field in fields if field))
