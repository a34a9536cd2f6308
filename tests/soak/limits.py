# SPDX-License-Identifier: Apache-2.0
"""The limits of each number that the soak samples, as a table."""

from __future__ import annotations

from dataclasses import dataclass

from soak.slopes import Limit


@dataclass(frozen=True)
class Rule:
    """The limit of a number.

    limit: None if it is only reported. one_life: judged within one daemon, as each starts anew. scaled: grows when the
    machine is busier, as the reference does.
    """

    unit: str
    limit: Limit | None
    one_life: bool = False
    scaled: bool = False


_FEW = Limit(a_day=24, step=2)  # one an hour; containers come and go meanwhile
_KEPT = Limit(a_day=0.5, step=0.2, relative=True)  # the number of traces within the allowed bytes varies by chance
_MEMORY = Limit(a_day=24 * 1024, step=1536, in_steps=True)  # a MiB an hour
_SLOWER = Limit(a_day=1, step=0.5, relative=True)  # twice as slow after a day
_SLOWER_AT_WORST = Limit(a_day=1, step=1, relative=True)
_LESS = Limit(a_day=0.5, step=0.2, relative=True, falls=True)

REFERENCE = "reference"
"""The time it takes to start a program that is unrelated to traceloop."""

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
    "stats archive_waiting": Rule("", _FEW),
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
    """Returns the rule for the whole name, or for its first word; None if nothing is promised."""
    return RULES.get(name) or RULES.get(name.split(maxsplit=1)[0])
