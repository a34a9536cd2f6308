# SPDX-License-Identifier: Apache-2.0
r"""Colour for the lines of `show`: errors, signals and notes, and exits, recognised by the end of each line.

A traced program cannot forge the end of a line: its strings are in quotes, and its names in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from traceloop_cli.display.colour import painted

_ERROR: Final = re.compile(
    r"(?<= = )-1 E[A-Z0-9]+ \([^()\"]*\)(?:  \[CAP_[A-Z0-9_]+(?:, CAP_[A-Z0-9_]+)* refused\])?(?= <[0-9.]+>$|$)"
)
_NOTE: Final = re.compile(r"--- \S.* ---(?: sent by pid [0-9]+ \[.*\])?$")
_END: Final = re.compile(r"\+\+\+ (?:exited with [0-9]+|killed by \w+(?: \(core dumped\))?) \+\+\+$")
_WELL: Final = "+++ exited with 0 +++"


def highlighted(lines: Iterable[str]) -> Iterator[str]:
    """Returns the lines of -o short, strace or classic in colour."""
    return map(_line, lines)


def _line(line: str) -> str:
    last = line[-1:]
    if last in (")", ">", "]") and (failed := _ERROR.sub(lambda found: painted(found[0], "red"), line)) != line:
        return failed
    if last == "+":
        return _END.sub(lambda found: found[0] if found[0] == _WELL else painted(found[0], "red", bold=True), line)
    if last in ("-", "]"):
        return _NOTE.sub(lambda found: painted(found[0], "yellow"), line)
    return line
