# SPDX-License-Identifier: Apache-2.0
"""What is found of a machine and of its engines: how bad it is, why it matters, what mends it."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(enum.Enum):
    """How bad it is, from the best to the worst.

    BY_FLAG: an engine's containers are recorded that ask for it. UNKNOWN: this user could not look. WARNING: something
    is lost, slower, or not recorded. ERROR: nothing is recorded, or containers fail, or will.
    """

    OK = "ok"
    BY_FLAG = "by flag"
    UNKNOWN = "unknown"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """what is so, why it matters, and the command or edit that mends it; the latter two may be empty.

    area: what it is about, such as an engine. is_due: the engine runs with what it read before its files were changed,
    and the remedy has it read them.
    """

    area: str
    level: Level
    what: str
    why: str = ""
    remedy: str = ""
    is_due: bool = False
