# SPDX-License-Identifier: Apache-2.0
"""Calls that a ring leaves out, given by names and classes as -e takes them, and their places in its bits.

Regular expressions are no such words, because containers' annotations have them too, and could take unbounded time.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from traceloop_decode import layout
from traceloop_decode.selection.select import trace_set
from traceloop_decode.syscalls import abis

_UNKNOWN_PLACE: Final = layout.TOTAL_CALLS - 1  # of all numbers that no table has


def check(word: str) -> None:
    """Raises ValueError if a word names no call and no class."""
    if not word or word in ("all", "none") or word[0] in "!?/" or "," in word:
        raise ValueError(f"{word[:40]!a} is none")
    try:
        trace_set(word)
    except ValueError as error:
        raise ValueError(f"{word[:40]!a} is none") from error


@lru_cache(maxsize=64)
def places(words: frozenset[str], arch: str) -> frozenset[int]:
    """Returns the bits of the calls in struct ring's `skip`: numbers, and those of the 32-bit table after them.

    arch: as uname(2) names it. Raises ValueError for a word that names nothing.
    """
    sets = [trace_set(word) for word in words]
    return frozenset(
        number + layout.TOTAL_CALLS * abi.compat
        for abi in abis(arch)
        for number, call in abi.table().items()
        if number < _UNKNOWN_PLACE and any(holds(call.name, abi.compat) for holds in sets)
    )


def text(words: Iterable[str]) -> str:
    """Returns the words as one, sorted: a fact of a trace."""
    return ",".join(sorted(set(words)))


def words_of(fact: str) -> frozenset[str]:
    """Returns the words that `text` made one of."""
    return frozenset(word for word in fact.split(",") if word)
