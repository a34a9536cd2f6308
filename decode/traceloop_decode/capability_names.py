# SPDX-License-Identifier: Apache-2.0
"""The names of capabilities (capabilities(7)), and the words for those that a call was refused."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from traceloop_decode.constants import TABLES

if TYPE_CHECKING:
    from traceloop_decode.model import Call

_PREFIX: Final = "CAP_"


@cache
def name_of(number: int) -> str:
    """Returns a capability's name, such as ``CAP_CHOWN``."""
    return dict(TABLES["capabilities"][1]).get(number, f"{_PREFIX}{number}")


def short_name(number: int) -> str:
    """Returns a capability's name as container engines and Kubernetes have it, such as ``CHOWN``."""
    return name_of(number).removeprefix(_PREFIX)


def refusal_note(call: Call) -> str:
    """Returns ``  [CAP_SYS_ADMIN refused]`` for a call that failed after the kernel refused it that; else ""."""
    return f"  [{', '.join(map(name_of, call.missed))} refused]" if call.asked and call.missed else ""
