# SPDX-License-Identifier: Apache-2.0
"""Vocabulary of an explanation: what ran, how it ended, and why, each with the calls that it rests on.

Times are nanoseconds of CLOCK_BOOTTIME (``ts_ns``). Text that is not known is empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from traceloop_decode.wait_status import WaitStatus


class Sure(Enum):
    """The certainty of a finding.

    CERTAIN: the kernel's own word, or nothing else can be meant. LIKELY: the last words name it, or its program ended
    right after. POSSIBLE: it failed, and may matter.
    """

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A line of the trace: its time, thread, and text."""

    ts_ns: int
    tid: int
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A statement. kind: a word for programs, such as ``file-missing``. score: the higher, the more it explains."""

    kind: str
    sentence: str
    sure: Sure
    score: int
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Ran:
    """The program. argv: empty if its start is not in the trace, and began_ns is 0. started: False if it never did.

    comm: the name of the container's first process, or of the one that is taken for it.
    """

    argv: tuple[str, ...]
    comm: str
    began_ns: int
    started: bool


@dataclass(frozen=True, slots=True)
class Covered:
    """The part of the container's life that the explanation rests on.

    from_ns: from when on the ring has every event. until_ns: the last event. events: the program's. firsts: those of
    them that the ring no longer holds, but an area beside it. lost: events that the ring no longer holds.
    unread_bytes: the part of a large ring, between its beginning and its end, that was not read.
    """

    from_ns: int
    until_ns: int
    events: int
    lost: int
    firsts: int = 0
    unread_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of the container's first process. ended_ns: 0 while it runs. meaning: what the status stands for."""

    status: WaitStatus
    ended_ns: int
    meaning: str


@dataclass(frozen=True, slots=True)
class Wait:
    """A call in which a thread was blocked at the end. waited_ns: for how long."""

    comm: str
    what: str
    waited_ns: int
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Words:
    """The last lines that were written to one stream, 1 or 2. cut: the recorder did not keep all of them."""

    stream: int
    lines: tuple[str, ...]
    cut: bool
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Configuration:
    """The file that was last read as configuration."""

    path: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Report:
    """The whole explanation. findings: the causes, most likely first; empty if none is known, or none is needed."""

    ran: Ran
    covered: Covered
    ended: Ended
    findings: tuple[Finding, ...]
    waits: tuple[Wait, ...]
    words: tuple[Words, ...]
    configuration: Configuration | None

    @property
    def failed(self) -> bool:
        """True if the first process ended with a status other than 0."""
        status = self.ended.status
        return bool(status.exit_code) or status.signal is not None
