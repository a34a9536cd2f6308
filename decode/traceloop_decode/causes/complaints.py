# SPDX-License-Identifier: Apache-2.0
"""Findings from the last words alone: a complaint of a file that was just read, and the runtime's own message."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from traceloop_decode.causes.processes import Process
from traceloop_decode.causes.report import Finding, Sure, Words
from traceloop_decode.causes.story import Story
from traceloop_decode.descriptors.streams import STDERR
from traceloop_decode.safe_text import printable

_COMPLAINS: Final = re.compile(
    r"config|setting|pars(?:e|ing)|invalid|syntax|unexpected|expect(?:ed|ing)|malformed|unknown (?:key|option|field|"
    r"directive)|unrecogni[sz]ed|json|yaml|toml|xml|decod|not allowed here|missing (?:key|field|required)",
    re.IGNORECASE,
)
_WEIGHT: Final = 70
_NAMED: Final = 40
_MESSAGE: Final = 100
_LINE_MAX: Final = 160


def read_before(story: Story, decided: list[Process]) -> Iterator[Finding]:
    """Yields the configuration file that a process read before it ended itself, if its last words complain of it."""
    read, words = story.configurations.last(), _complaint(story)
    process = next((one for one in decided if one.status.exit_code), None)
    if read is None or words is None or process is None:
        return
    base = read.path.rpartition("/")[2]
    line = next((one for one in reversed(words.lines) if base in one or _COMPLAINS.search(one)), None)
    if line is None:
        return
    named = any(base in one for one in words.lines)
    sentence = f"{process.name} ended itself after it had read {read.path}, and complained: {line.strip()[:_LINE_MAX]}"
    evidence = (read.evidence, words.evidence)
    sure = Sure.LIKELY if named or words.evidence.ts_ns >= read.evidence.ts_ns else Sure.POSSIBLE
    yield Finding("invalid-configuration", printable(sentence), sure, _WEIGHT + _NAMED * named, evidence)


def not_started(story: Story) -> Iterator[Finding]:
    """Yields what the runtime said, if the program was never started."""
    words = _complaint(story) if story.runtime else None
    if words is not None:
        sentence = f"The container's program was not started. Its runtime says: {words.lines[-1][:_LINE_MAX]}"
        yield Finding("not-started", printable(sentence), Sure.CERTAIN, _MESSAGE, (words.evidence,))


def _complaint(story: Story) -> Words | None:
    said = story.words.last()
    return next((words for words in said if words.stream == STDERR), said[0] if said else None)
