# SPDX-License-Identifier: Apache-2.0
"""System calls by number: their names, and the kernel's own names and C types of their arguments.

A number means something in one of a kernel's tables only: an `Abi`. Another architecture is another table in `tables/`
and a line in `_ARCHES`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Final, NamedTuple

from traceloop_decode.tables import aarch64, arm, i386, x86_64


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


Later = Mapping[int, Syscall]
"""Calls newer than the tables, which the recording kernel named itself: by number."""


@dataclass(frozen=True, slots=True, eq=False)
class Abi:
    """One table of calls. arch: the kernel's, as uname(2) names it. compat: the table is that of 32-bit programs.

    prototypes: number -> as C has it. later: what the recording kernel named besides.
    """

    arch: str
    compat: bool
    prototypes: Mapping[int, str]
    later: Later = field(default_factory=dict)

    def lookup(self, number: int) -> Syscall | None:
        """The call of that number; None: there is no such call."""
        prototype = self.prototypes.get(number)
        return _parse(prototype) if prototype is not None else self.later.get(number)

    def call_name(self, number: int) -> str:
        """Its name, or as strace has it: ``syscall_0x270f``."""
        call = self.lookup(number)
        return call.name if call else f"syscall_{number & 0xFFFF_FFFF_FFFF_FFFF:#x}"

    def table(self) -> dict[int, Syscall]:
        """Every call, by number."""
        return {**self.later, **{number: _parse(prototype) for number, prototype in self.prototypes.items()}}


X86_64: Final = Abi("x86_64", compat=False, prototypes=x86_64.CALLS)
I386: Final = Abi("x86_64", compat=True, prototypes=i386.CALLS)
AARCH64: Final = Abi("aarch64", compat=False, prototypes=aarch64.CALLS)
ARM: Final = Abi("aarch64", compat=True, prototypes=arm.CALLS)
_ARCHES: Final = {abis[0].arch: abis for abis in ((X86_64, I386), (AARCH64, ARM))}
ABIS: Final = tuple(abi for abis in _ARCHES.values() for abi in abis)


def abis(arch: str, later: Later | None = None) -> tuple[Abi, Abi]:
    """A kernel's own table and that of its 32-bit programs; empty ones where the architecture is not known here.

    later: what that kernel named itself; of its own table, and only numbers that the table lacks count.
    """
    return _abis(arch, frozenset(later.items()) if later else frozenset())


@lru_cache(maxsize=16)  # what is compiled for an Abi is kept for it alone
def _abis(arch: str, later: frozenset[tuple[int, Syscall]]) -> tuple[Abi, Abi]:
    native, compat = _ARCHES.get(arch) or (
        Abi(arch, compat=False, prototypes={}),
        Abi(arch, compat=True, prototypes={}),
    )
    if not later:
        return native, compat
    new = {number: call for number, call in later if number not in native.prototypes}
    return Abi(arch, compat=False, prototypes=native.prototypes, later=new), compat


def table(compat: bool) -> dict[int, Syscall]:  # noqa: FBT001 - `compat` is the other half of a call's number
    """Every call of x86, by number."""
    return (I386 if compat else X86_64).table()


@cache
def _parse(prototype: str) -> Syscall:
    name, _, rest = prototype.removesuffix(")").partition("(")
    if rest == "?":
        return Syscall(name, (), known=False)
    fields = (re.fullmatch(r"(.*?)(\w+)", field) for field in rest.split(", ") if field)
    return Syscall(name, tuple(Param(field[2], field[1].rstrip()) for field in fields if field))
