# SPDX-License-Identifier: Apache-2.0
"""The entry for the hook in engines' configuration: a shell runs the hook, so that a broken hook fails no container.

A runtime fails a container whose hook is missing, not executable, a directory, or of another architecture. The shell
does not fail, and reads the state that the runtime writes in the hook's place, since a runtime may also fail if it
cannot write all of it. The shell costs 1 ms a stage: docs/decisions/engines.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

SHELL: Final = "/bin/sh"
GUARD: Final = '[ -s "$0" ] && "$0" "$@" || while read -r _; do :; done'
"""The shell's script. `-s`: running an empty file succeeds, but would leave the runtime's state unread."""

# Scripts of this and of earlier versions, all of which are recognised.
_GUARDS: Final = (GUARD, '"$0" "$@" || while read -r _; do :; done; exit 0')


def entry(hook: str, words: list[str]) -> dict[str, Any]:
    """Returns an entry for an OCI configuration's hooks or for hooks.d. words: the hook's arguments without argv[0]."""
    return {"path": SHELL, "args": ["sh", "-c", GUARD, hook, *words]}


def guarded(found: Mapping[str, Any]) -> str | None:
    """Returns the hook that an entry runs through our shell script, None for other entries."""
    words = found.get("args") or []
    is_ours = isinstance(words, list) and len(words) > 4 and words[1] == "-c" and words[2] in _GUARDS
    return str(words[3]) if is_ours else None


def hook_of(found: Mapping[str, Any]) -> str:
    """Returns the program that an entry runs, through our shell script or directly."""
    return guarded(found) or str(found["path"])
