# SPDX-License-Identifier: Apache-2.0
"""Calls whose arguments depend on one of them, as fcntl's on its command: maps the argument's values to table lines."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from traceloop_decode.arguments.compat import name_of
from traceloop_decode.arguments.selectors import SELECTORS
from traceloop_decode.arguments.words import variants_of
from traceloop_decode.model import Call
from traceloop_decode.syscalls import X86_64, Abi
from traceloop_decode.tables.selected import OWN_SELECTED, SELECTED

_MASK = 0xFFFFFFFF  # selecting arguments are ints, except ptrace's
_LONG = frozenset(("ptrace",))


@cache
def selectors(name: str, abi: Abi = X86_64) -> Mapping[int, str]:
    """Maps the selecting argument's values, unsigned, to the selectors of lines; empty for a call without variants."""
    if name not in SELECTORS:
        return {}
    _, table = SELECTORS[name]
    values = OWN_SELECTED.get(abi.arch, SELECTED).get(table, SELECTED[table])
    variants = variants_of(name)
    return {values[text] & _MASK: selector for selector in variants for text in selector.split(",") if text in values}


def selector_of(call: Call) -> str:
    """Returns the selector of a call by its arguments, or ``""`` if they select no variant."""
    name = name_of(call.name) if call.compat else call.name
    if name in SELECTORS:
        index, _ = SELECTORS[name]
        if index < len(call.registers):
            mask = _MASK if name not in _LONG else -1  # of a 32-bit program the upper half is 0
            return selectors(name, call.abi).get(call.registers[index] & mask, "")
    return ""
