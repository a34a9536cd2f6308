# SPDX-License-Identifier: Apache-2.0
"""Calls whose arguments depend on one of them, as fcntl's on its command: which line of the table is for which."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from traceloop_decode import constants
from traceloop_decode.arguments.compat import name_of
from traceloop_decode.arguments.selectors import SELECTORS
from traceloop_decode.arguments.words import lines
from traceloop_decode.model import Call
from traceloop_decode.syscalls import X86_64, Abi

_MASK = 0xFFFFFFFF  # what selects is an int


@cache
def selectors(name: str, abi: Abi = X86_64) -> Mapping[int, str]:
    """The selecting argument's value, unsigned -> the line's selector; empty for a call without variants."""
    if name not in SELECTORS:
        return {}
    _, table = SELECTORS[name]
    values = {text: value & _MASK for value, text in constants.entries(table, abi.arch)}
    variants = [line.selector for line in lines() if line.name == name and line.selector]
    return {values[text]: selector for selector in variants for text in selector.split(",") if text in values}


def selector_of(call: Call) -> str:
    """The selector of a call with these arguments; ``""`` where no variant is meant."""
    name = name_of(call.name) if call.compat else call.name
    if name in SELECTORS:
        index, _ = SELECTORS[name]
        if index < len(call.registers):
            return selectors(name, call.abi).get(call.registers[index] & _MASK, "")
    return ""
