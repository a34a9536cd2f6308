# SPDX-License-Identifier: Apache-2.0
"""The hook's entry in what engines read: a shell runs the hook, so that a hook that cannot be run fails no container.

A runtime fails a container whose hook is missing, not executable, a directory, or of another architecture. A shell does
not, and reads what the runtime writes in the hook's place: a runtime that cannot write all of it may fail too. It costs
1 ms a stage: docs/decisions/engines.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

SHELL: Final = "/bin/sh"
GUARD: Final = '[ -s "$0" ] && "$0" "$@" || while read -r _; do :; done'
"""A shell runs an empty file with success, and would leave all unread."""

# What earlier versions wrote. Those are ours too.
_GUARDS: Final = (GUARD, '"$0" "$@" || while read -r _; do :; done; exit 0')


def entry(hook: str, words: list[str]) -> dict[str, Any]:
    """An entry of an OCI configuration's hooks, and of hooks.d. words: the hook's arguments, without its name."""
    return {"path": SHELL, "args": ["sh", "-c", GUARD, hook, *words]}


def guarded(found: Mapping[str, Any]) -> str | None:
    """The hook that an entry runs by a shell, None if it does not."""
    words = found.get("args") or []
    is_ours = isinstance(words, list) and len(words) > 4 and words[1] == "-c" and words[2] in _GUARDS
    return str(words[3]) if is_ours else None


def hook_of(found: Mapping[str, Any]) -> str:
    """What an entry runs: by a shell, or as earlier versions and people wrote it."""
    return guarded(found) or str(found["path"])
