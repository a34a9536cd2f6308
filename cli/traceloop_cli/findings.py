# SPDX-License-Identifier: Apache-2.0
"""Findings about a machine and its engines: how bad each is, why it matters, and how to fix it."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(enum.Enum):
    """Severity of a finding, from best to worst.

    BY_FLAG: only those of an engine's containers are recorded that request it. UNKNOWN: this user may not look.
    WARNING: something is lost, slower, or not recorded. ERROR: nothing is recorded, or containers fail or will fail.
    """

    OK = "ok"
    BY_FLAG = "by flag"
    UNKNOWN = "unknown"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """A fact, why it matters, and the command or edit that fixes it; `why` and `remedy` may be empty.

    area: the subject, such as an engine. is_due: the engine's files were changed after it read them, and the remedy
    makes it read them again. is_unsure: whether that is so cannot be found out.
    """

    area: str
    level: Level
    what: str
    why: str = ""
    remedy: str = ""
    is_due: bool = False
    is_unsure: bool = False
