# SPDX-License-Identifier: Apache-2.0
"""The names of calls and of their classes, and what a condition is to a selection."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from traceloop_decode.model import Event
from traceloop_decode.requests import NAMES
from traceloop_decode.syscalls import ABIS
from traceloop_decode.tables.classes import CLASSES

Predicate = Callable[[Event, int], bool]
"""Tells whether an event is selected. The number: until when a call lasted at least that did not return; ns."""

CALL_CLASSES: Final = CLASSES | {"net": CLASSES["network"]}
"""Class of calls, without its %, -> their names."""


@cache
def known_calls() -> frozenset[str]:
    """Returns the names of all calls and requests."""
    return frozenset(call.name for abi in ABIS for call in abi.table().values()) | NAMES
