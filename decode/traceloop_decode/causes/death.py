# SPDX-License-Identifier: Apache-2.0
"""The death of a process by a signal: what the rules about signals look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from traceloop_decode.causes import subject
from traceloop_decode.causes.processes import Process
from traceloop_decode.causes.report import Evidence, Finding, Sure
from traceloop_decode.causes.story import Story
from traceloop_decode.model import Signal, TaskExit
from traceloop_decode.safe_text import printable
from traceloop_decode.text.notes import exit_note, whole_signal_note
from traceloop_decode.values.siginfo import fields, signal_name

SCORE: Final = 130
SI_KERNEL: Final = 0x80
_SI_TIMER: Final = -2
_CODE: Final = "si_code"


@dataclass(frozen=True, slots=True)
class Death:
    """A process that a signal ended. end: of its last thread. event: the signal's, if recorded. arch: the machine's."""

    process: Process
    end: TaskExit
    number: int
    event: Signal | None
    story: Story
    arch: str

    @property
    def name(self) -> str:
        """The signal's name: ``SIGKILL``."""
        return signal_name(self.number)

    @property
    def siginfo(self) -> dict[str, int]:
        """The fields of its siginfo; none if they are not known."""
        return fields(self.event) if self.event is not None else {}

    @property
    def by_kernel(self) -> bool:
        """True if the kernel sent it, and gave no further reason."""
        return self.siginfo.get(_CODE) == SI_KERNEL

    @property
    def by_timer(self) -> bool:
        """True if a timer of timer_create(2) sent it."""
        return self.siginfo.get(_CODE) == _SI_TIMER

    @property
    def by_process(self) -> bool:
        """True if a process sent it."""
        return self.siginfo.get(_CODE, 1) <= 0

    @property
    def seen(self) -> Evidence:
        """The line of the signal, or of the end if the signal was not recorded."""
        if self.event is None:
            return subject.evidence_of(self.end, exit_note(self.end))
        return noted(self.event, self.arch)

    def finding(self, kind: str, sentence: str, sure: Sure, *before: Evidence, more: int = 0) -> Finding:
        """Returns a finding that rests on the signal, and on other lines before it. more: added to the score."""
        return Finding(kind, printable(sentence), sure, SCORE + more, (*before, self.seen))


def death_of(process: Process, story: Story, arch: str) -> Death | None:
    """Returns the death of a process by a signal; None if none ended it."""
    number, end = process.status.signal, process.end
    if number is None or end is None:
        return None
    event = process.killed if process.killed is not None and process.killed.number == number else None
    return Death(process, end, number, event, story, arch)


def noted(signal: Signal, arch: str) -> Evidence:
    """Returns a signal as evidence, with what is known of it."""
    return subject.evidence_of(signal, whole_signal_note(signal, arch=arch))
