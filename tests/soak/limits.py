# SPDX-License-Identifier: Apache-2.0
"""What may become of each number that the soak samples: the table of its promises."""

from __future__ import annotations

from dataclasses import dataclass

from soak.slopes import Limit


@dataclass(frozen=True)
class Rule:
    """limit: None of what is only reported. one_life: begins anew with each daemon, and is looked at within one.

    scaled: it takes longer where the machine is busier, as the reference does.
    """

    unit: str
    limit: Limit | None
    one_life: bool = False
    scaled: bool = False


_FEW = Limit(a_day=24, step=2)  # one an hour; containers come and go meanwhile
_KEPT = Limit(a_day=0.5, step=0.2, relative=True)  # how many make up the bytes that may be kept is chance
_MEMORY = Limit(a_day=24 * 1024, step=1536, in_steps=True)  # a MiB an hour
_SLOWER = Limit(a_day=1, step=0.5, relative=True)  # twice as slow after a day
_SLOWER_AT_WORST = Limit(a_day=1, step=1, relative=True)
_LESS = Limit(a_day=0.5, step=0.2, relative=True, falls=True)

REFERENCE = "reference"
"""What starting a program takes that has nothing to do with us."""

RULES = {
    "fds": Rule("", _FEW),
    "threads": Rule("", _FEW, one_life=True),
    "rss": Rule("KiB", _MEMORY, one_life=True),
    "pss": Rule("KiB", _MEMORY, one_life=True),
    "rings": Rule("", _FEW),
    "stored": Rule("", _FEW),
    "entries": Rule("", _FEW),
    "files": Rule("", _FEW),
    "cgroups": Rule("", _FEW),
    "stats rings_in_use": Rule("", _FEW),
    "stats rings_in_stock": Rule("", _FEW),
    "files /var/lib/traceloop": Rule("", _KEPT),
    "stats archive_traces": Rule("", _KEPT),
    "stats archive_bytes": Rule("B", _KEPT),
    REFERENCE: Rule("ms", None),
    "cpu share": Rule("%", _SLOWER, one_life=True),
    "hook median": Rule("ms", _SLOWER, one_life=True, scaled=True),
    "hook p99": Rule("ms", _SLOWER_AT_WORST, one_life=True, scaled=True),
    "runc run": Rule("ms", _SLOWER, one_life=True, scaled=True),
    "list": Rule("ms", _SLOWER, one_life=True, scaled=True),
    "traceloopctl": Rule("ms", _SLOWER, one_life=True, scaled=True),
    "busy calls": Rule("/s", _LESS, one_life=True),
    "busy events": Rule("/s", _LESS, one_life=True),
}


def rule_of(name: str) -> Rule | None:
    """By its whole name, or by its first word; None of what nothing is promised of."""
    return RULES.get(name) or RULES.get(name.split(maxsplit=1)[0])
