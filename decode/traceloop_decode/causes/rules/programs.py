# SPDX-License-Identifier: Apache-2.0
"""Programs that could not be executed, and libraries that were not found."""

from __future__ import annotations

from typing import Final

from traceloop_decode.causes.failures import Failure
from traceloop_decode.causes.noise import STATS, is_library
from traceloop_decode.causes.rules.rule import Rule, words
from traceloop_decode.causes.story import Story
from traceloop_decode.syscalls import EXECS


def _is_there(failure: Failure, story: Story) -> bool:
    # A relative path may be that of another directory.
    return failure.path.startswith("/") and story.failures.was_found(failure.path)


def _is_library(failure: Failure, _story: Story) -> bool:
    return is_library(failure.path)


def _by_runtime(_failure: Failure, story: Story) -> bool:
    # The runtime looks at the program before it executes it.
    return story.runtime


def _not_found_by_shell(failure: Failure, story: Story) -> bool:
    # A shell looks for a command in each directory of PATH, says that it is not found, and ends with 127 (sh(1)).
    complains = f"{failure.base}: not found", f"{failure.base}: command not found"
    said = story.words.said()
    return any(said.has(word) for word in complains)


RULES: Final = (
    Rule(
        "program-missing",
        STATS,
        words("ENOENT"),
        70,
        "{who} did not find the program {where}.",
        fits=_not_found_by_shell,
        by_name=True,
    ),
    Rule("program-missing", STATS, words("ENOENT"), 60, "The program {path} does not exist.", fits=_by_runtime),
    Rule(
        "program-permission",
        STATS,
        words("EACCES"),
        60,
        "{path} may not be executed: its x bit is not set for this user.",
        fits=_by_runtime,
    ),
    Rule(
        "program-format",
        EXECS,
        words("ENOEXEC"),
        95,
        "{path} could not be executed: it is no program for this machine (other architecture, or a script without #!).",
    ),
    Rule(
        "interpreter-missing",
        EXECS,
        words("ENOENT"),
        95,
        "{path} could not be executed although it is there: the interpreter that its first line or ELF header names is "
        "missing (a carriage return at the end of the #! line has the same effect).",
        fits=_is_there,
    ),
    Rule("program-missing", EXECS, words("ENOENT"), 90, "The program {where} does not exist.", by_name=True),
    Rule(
        "program-permission",
        EXECS,
        words("EACCES EPERM"),
        92,
        "{path} may not be executed: its x bit is not set for this user, or its file system is mounted noexec.",
    ),
    Rule("program-arguments", EXECS, words("E2BIG"), 92, "{path} could not be executed: its arguments are too long."),
    Rule("program-failed", EXECS, None, 85, "{path} could not be executed: {error}."),
    Rule(
        "library-missing",
        words("open openat openat2"),
        words("ENOENT"),
        85,
        "{who} did not find the shared library {where}.",
        fits=_is_library,
        by_name=True,
    ),
)
