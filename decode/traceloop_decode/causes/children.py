# SPDX-License-Identifier: Apache-2.0
"""Findings about a container that ended with 0: a child that failed unnoticed, or one that was meant to live on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from traceloop_decode.causes.endings import ended_by_signal
from traceloop_decode.causes.faults import OWN_FAULTS
from traceloop_decode.causes.processes import Process
from traceloop_decode.causes.ranking import ranked
from traceloop_decode.causes.report import Evidence, Finding, Sure
from traceloop_decode.causes.story import Story
from traceloop_decode.safe_text import printable

_SIGKILL: Final = 9
_NOT_DECIDED: Final = 35
_SCORE: Final = 120


def background(story: Story, main: Process) -> Iterator[Finding]:
    """Yields the processes that were killed because the first process ended before them."""
    if main.end is None:
        return
    left = [
        child
        for child in story.processes.by_pid.values()
        if child is not main
        and child.end is not None
        and child.status.signal == _SIGKILL
        and child.end.ts_ns >= (main.exits.ts_ns if main.exits is not None else main.end.ts_ns)
        and (child.killed is None or child.killed.sender is None or child.killed.sender.pid == main.pid)
    ]
    for child in left[:1]:
        what = f"{child.name} (pid {child.pid})" if len(left) == 1 else f"{len(left)} processes"
        sentence = (
            f"{main.name}, the container's first process, ended with 0 while {what} still ran, and the kernel killed "
            "what was left: a service that goes into the background ends its container."
        )
        assert child.end is not None
        line = Evidence(child.end.ts_ns, child.end.tid, "+++ killed by SIGKILL +++")
        yield Finding("ended-early", printable(sentence), Sure.LIKELY, _SCORE, (line,))


def ended_children(story: Story, decided: list[Process], arch: str) -> Iterator[Finding]:
    """Yields which processes that did not decide the end crashed, had no memory left, or were killed by one that did.

    Perhaps the first process gave up because of them.
    """
    pids = {process.pid for process in decided}
    for child in story.processes.by_pid.values():
        sender = child.killed.sender if child.killed is not None else None
        by_itself = child.status.signal in OWN_FAULTS or (child.end is not None and child.end.out_of_memory)
        if child.pid not in pids and (by_itself or (sender is not None and sender.pid in pids)):
            for finding in ended_by_signal(child, story, arch):
                yield replace(finding, score=finding.score - _NOT_DECIDED)


def failed_children(story: Story, main: Process) -> Iterator[Finding]:
    """Yields why children failed although the container ended with 0."""
    for child in story.processes.by_pid.values():
        if child is main or not child.failed or child.status.signal is not None:
            continue
        for finding in ranked(story, {child.pid}):
            if finding.evidence and finding.evidence[0].tid == child.pid and finding.sure is not Sure.POSSIBLE:
                code = child.status.exit_code
                said = f"{finding.sentence} It ended with {code}, but {main.name} went on, and ended with 0."
                yield replace(finding, sentence=said, sure=Sure.POSSIBLE)
