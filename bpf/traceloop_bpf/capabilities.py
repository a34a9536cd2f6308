# SPDX-License-Identifier: Apache-2.0
"""Finds out from BTF whether this kernel tells which capabilities are asked for.

The tracepoint ``cap_capable`` came with Linux 6.14 (include/trace/events/capability.h). Where it is missing, nothing is
known of capabilities, and the rest works as it does elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from traceloop_bpf.btf import BtfError, Types

WITHOUT: Final = "TL_TEST_NO_CAPABILITIES"
"""A -D value of tests: the kernel is taken for one that has no such tracepoint."""
_TRACEPOINT: Final = "cap_capable"
_ARGUMENTS: Final = 5  # cred, target_ns, capable_ns, cap, ret
_TOLD: Final = "TL_CAPABILITIES"
FUNCTION: Final = "on_capability"
TRACEPOINTS: Final = {FUNCTION: _TRACEPOINT}
"""Function of tracer.bpf.c -> its raw tracepoint."""


def find(types: Types) -> dict[str, int]:
    """Returns the -D values of the program; none if the kernel does not tell."""
    if types.arguments(_TRACEPOINT) != _ARGUMENTS:
        return {}
    try:
        credentials = types.offset("task_struct", "real_cred")
    except BtfError:  # of a kernel to come
        return {}
    return {_TOLD: 1, "TL_OFFSET_REAL_CRED": credentials}


def are_told(values: Mapping[str, int]) -> bool:
    """Returns whether the -D values, of `find` and others, have those of the program."""
    return _TOLD in values
