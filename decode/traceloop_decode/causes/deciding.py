# SPDX-License-Identifier: Apache-2.0
"""Finds the processes that decided how the container ended: its first one, and those whose status it passed on.

A shell, or an init such as tini, ends with the status of the program that it ran, or with 128 and the signal's number
(sh(1)). So of the processes that one made, the last one that ended with its status decides.
"""

from __future__ import annotations

from typing import Final

from traceloop_decode.causes.processes import Process
from traceloop_decode.causes.story import Story

_BY_SIGNAL: Final = 128


def first_process(story: Story, pid: int, status: int | None) -> Process | None:
    """Returns the container's first process. pid: if known. status: its end as wait(2) reports it, if known.

    Else it is the process that made others and that none made, and ended last with that status.
    """
    processes = story.processes.by_pid
    if pid in processes:
        return processes[pid]
    ended = [one for one in processes.values() if one.end is not None and (status is None or one.end.code == status)]
    roots = [one for one in ended if one.parent not in processes] or ended
    if roots:
        return max(roots, key=lambda one: one.end.ts_ns if one.end is not None else 0)
    return next(iter(processes.values()), None)


def deciding(story: Story, main: Process | None, status: int | None) -> list[Process]:
    """Returns the processes that decided the end, the first one first; none if it ended well, or has not ended.

    status: how the first process ended, as wait(2) reports it.
    """
    if main is None or not status:
        return []
    found = [main]
    for parent in found:
        children = [child for child in story.processes.children(parent.pid) if _passed_on(child, parent)]
        if children:
            found.append(max(children, key=lambda one: one.end.ts_ns if one.end is not None else 0))
    return found


def _passed_on(child: Process, parent: Process) -> bool:
    if child.end is None or parent.end is None or child.end.code == 0 or child.end.ts_ns > parent.end.ts_ns:
        return False
    return _code(child) == _code(parent)


def _code(process: Process) -> int:
    code, signal, _ = process.status
    return _BY_SIGNAL + signal if signal is not None else code or 0
