# SPDX-License-Identifier: Apache-2.0
"""The families in the order in which they are asked, and the search for the rule that fits a failure."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from traceloop_decode.causes.failures import Failure
from traceloop_decode.causes.rules import files, limits, network, others, permissions, programs
from traceloop_decode.causes.rules.rule import Rule
from traceloop_decode.causes.story import Story

_SECCOMP, *_PERMISSIONS = permissions.RULES
RULES: Final = (
    _SECCOMP,
    *limits.RULES,
    *programs.RULES,
    *network.RULES,
    *files.RULES,
    *_PERMISSIONS,
    *others.RULES,
)


def rule_of(failure: Failure, story: Story) -> Rule:
    """Returns the first rule that fits; the last one fits anything."""
    return next(rule for rule in _candidates(failure.name, failure.error) if rule.fits(failure, story))


@lru_cache(maxsize=4096)
def _candidates(call: str, error: str) -> tuple[Rule, ...]:
    return tuple(
        rule
        for rule in RULES
        if (rule.calls is None or call in rule.calls) and (rule.errors is None or error in rule.errors)
    )
