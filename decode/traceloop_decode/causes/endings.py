# SPDX-License-Identifier: Apache-2.0
"""The table of signals that end processes: which rule tells why; and the status that a parent passes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from traceloop_decode.causes import subject
from traceloop_decode.causes.death import Death, death_of
from traceloop_decode.causes.faults import FAULTS, SIGABRT, SIGSYS, aborted, faulted, forbidden
from traceloop_decode.causes.killed import SIGKILL, killed, sent
from traceloop_decode.causes.processes import Process, argv
from traceloop_decode.causes.report import Finding, Sure
from traceloop_decode.causes.story import Story
from traceloop_decode.safe_text import printable
from traceloop_decode.text.notes import exit_note
from traceloop_decode.values.siginfo import signal_name

_PASSED_ON: Final = 92
_COMMAND_MAX: Final = 80
_HOW: Final[dict[int, Callable[[Death], Iterator[Finding]]]] = {
    **dict.fromkeys(FAULTS, faulted),
    SIGKILL: killed,
    SIGABRT: aborted,
    SIGSYS: forbidden,
}


def ended_by_signal(process: Process, story: Story, arch: str) -> Iterator[Finding]:
    """Yields why a signal ended a process; nothing if none did."""
    death = death_of(process, story, arch)
    if death is not None:
        yield from _HOW.get(death.number, sent)(death)


def passed_on(process: Process, parent: Process) -> Finding:
    """Returns that a process ended with the status of one that it made."""
    assert process.end is not None
    command = " ".join(argv(process.execve)) if process.execve is not None else process.comm
    code, signal, _ = process.status
    how = f"ended with {code}" if signal is None else f"was ended by {signal_name(signal)}"
    said = f"{parent.name} passed on the status of its child `{command[:_COMMAND_MAX]}`, which {how}."
    line = subject.evidence_of(process.end, exit_note(process.end))
    return Finding("child-failed", printable(said), Sure.LIKELY, _PASSED_ON, (line,))
