# SPDX-License-Identifier: Apache-2.0
"""Findings about signals from other processes, and from the kernel that is out of memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from traceloop_decode.causes import subject
from traceloop_decode.causes.death import SCORE, Death, noted
from traceloop_decode.causes.processes import Process
from traceloop_decode.causes.report import Evidence, Finding, Sure
from traceloop_decode.causes.story import Story
from traceloop_decode.model import Ignored, Level, Signal
from traceloop_decode.out_of_memory import short_level
from traceloop_decode.safe_text import printable
from traceloop_decode.spans import SECOND_NS
from traceloop_decode.text.notes import ignored_note
from traceloop_decode.values.siginfo import signal_name

SIGKILL: Final = 9
SIGTERM: Final = 15
_STOPPING_NS: Final = 60 * SECOND_NS
_MIB: Final = 1 << 20
_MORE: Final = 5  # why it was killed explains more than that it was
_MAYBE: Final = -40
_ENGINES: Final = ("runc", "crun", "containerd", "docker", "conmon", "podman", "crio", "kubelet", "systemd", "youki")


def killed(death: Death) -> Iterator[Finding]:
    """Yields who or what sent SIGKILL."""
    who, levels = death.process.name, death.event.memory if death.event is not None else ()
    if levels or death.end.out_of_memory:
        yield death.finding("oom-killed", f"The kernel killed {who}: {_short_of(levels)}.", Sure.CERTAIN)
    elif death.by_kernel:
        said = f"The kernel itself killed {who}: out of memory, most likely (no process sent this SIGKILL)."
        yield death.finding("oom-killed", said, Sure.LIKELY)
    else:
        yield from sent(death)


def _short_of(levels: tuple[Level, ...]) -> str:
    if not levels:
        return "out of memory"
    short = short_level(levels)
    if short is None:
        used, limit = _in_mib(next((one for one in levels if one.limit_bytes is not None), levels[0]))
        allowed = f" of {limit} MiB that it may use" if limit else ""
        return f"the node was out of memory; the container used {used} MiB{allowed}"
    used, limit = _in_mib(short.level)
    whose = (
        "a cgroup above the container's (its pod's, or its slice) has a limit of"
        if short.above
        else "the container's limit is"
    )
    return f"out of memory: {whose} {limit} MiB, and {used} MiB were used"


def _in_mib(level: Level) -> tuple[str, str]:
    limit = f"{level.limit_bytes / _MIB:,.0f}" if level.limit_bytes is not None else ""
    return f"{level.usage_bytes / _MIB:,.0f}", limit


def sent(death: Death) -> Iterator[Finding]:
    """Yields which process sent the signal, with where it met the first thread."""
    first, *rest = _sent(death)
    yield replace(first, evidence=(*first.evidence, *_stack(death)))
    yield from rest


def _stack(death: Death) -> Iterator[Evidence]:
    # If the program has frame pointers: else the call that the thread was in says as much.
    kill = death.story.kills.get(death.process.pid)
    if kill is not None and kill.fault is not None:
        places = death.story.mappings.places(death.process.pid, kill.fault)
        if len(places) > 1:
            yield subject.evidence_of(kill, subject.stack(places))


def _sent(death: Death) -> Iterator[Finding]:
    process, sender = death.process, death.event.sender if death.event is not None else None
    if death.by_kernel or death.by_timer:
        said = f"{process.name} was ended by {death.name} from the kernel (a timer, a terminal or a limit)."
        yield death.finding("killed", said, Sure.CERTAIN)
        return
    if sender is None:
        said = f"{process.name} was ended by {death.name} from a process that is not known."
        yield death.finding("killed", said, Sure.LIKELY)
        return
    outside = sender.pid not in death.story.processes.by_pid
    place = f"{sender.comm} (pid {sender.pid}, {'outside' if outside else 'in'} the container)"
    by = "itself" if sender.pid == process.pid else place
    yield death.finding("killed", f"{process.name} was ended by {death.name} from {by}.", Sure.CERTAIN)
    if death.number == SIGKILL and outside:
        yield from _not_stopped(death, sender.comm)


def _not_stopped(death: Death, sender: str) -> Iterator[Finding]:
    # An engine sends SIGTERM first, which the kernel does not deliver to process 1 unless it has a handler.
    process, story, ended_ns = death.process, death.story, death.end.ts_ns
    ignored = last_ignored(process, story)
    if ignored is not None:
        after = (ended_ns - ignored.ts_ns) / SECOND_NS
        name, by = signal_name(ignored.number), f"{ignored.sender.comm} (pid {ignored.sender.pid})"
        who = _who_ignored(death, ignored.number)
        said = f"{name} from {by} was ignored by {who}; killed {after:.1f} s later by SIGKILL."
        line = Evidence(ignored.ts_ns, ignored.tid, ignored_note(ignored, arch=death.arch))
        yield Finding("stop-ignored", printable(said), Sure.CERTAIN, SCORE + _MORE, (line,))
    elif process.asked is not None and asks_to_stop(process.asked, death):
        after = (ended_ns - process.asked.ts_ns) / SECOND_NS
        name = _named(process.asked)
        said = f"{process.name} was asked to stop by {name}, but still ran {after:.1f} s later, when it was killed."
        line = noted(process.asked, death.arch)
        yield Finding("stop-slow", printable(said), Sure.CERTAIN, SCORE + _MORE, (line,))
    elif (
        sender.startswith(_ENGINES)
        and (process.pid, SIGTERM) not in story.handled
        and process.execve is not None
        and _is_first(death)
    ):
        said = (
            f"{process.name} has no handler for SIGTERM; as process 1 it ignores it, so if {sender} first asked it to "
            "stop, it could not."
        )
        line = subject.evidence(process.execve)  # no handler was set since
        yield Finding("stop-ignored", printable(said), Sure.POSSIBLE, SCORE + _MAYBE, (line,))


def _who_ignored(death: Death, number: int) -> str:
    # Without a handler only the init of a PID namespace ignores it.
    process = death.process
    if (process.pid, number) in death.story.refused:
        return f"{process.name}, which set it to be ignored"
    return f"process 1, {process.name}: it has no handler" if _is_first(death) else f"{process.name}, which ignores it"


def _is_first(death: Death) -> bool:
    return death.process is next(iter(death.story.processes.by_pid.values()))


def asks_to_stop(asked: Signal, death: Death) -> bool:
    """Tells whether a signal asked a process to stop: it came from outside, and not long before it was killed."""
    outside = asked.sender is not None and asked.sender.pid not in death.story.processes.by_pid
    return outside and death.end.ts_ns - asked.ts_ns <= _STOPPING_NS


def _named(signal: Signal) -> str:
    # ``SIGTERM from runc (pid 814)``
    name, sender = signal_name(signal.number), signal.sender
    return f"{name} from {sender.comm} (pid {sender.pid})" if sender is not None else name


def last_ignored(process: Process, story: Story) -> Ignored | None:
    """Returns the last signal from outside that a process ignored: an engine sends one to stop it, then SIGKILL."""
    inside = story.processes.by_pid
    for one in reversed(story.ignored):
        if one.pid == process.pid and one.sender.pid not in inside:
            return one
    return None


def stopped(process: Process, arch: str) -> Iterator[Finding]:
    """Yields that a process ended itself soon after it was asked to stop by a signal that it handles."""
    asked, end = process.asked, process.end
    if asked is None or end is None or process.status.signal is not None or end.ts_ns - asked.ts_ns > _STOPPING_NS:
        return
    said = (
        f"{process.name} was asked to stop by {_named(asked)}, and ended "
        f"{(end.ts_ns - asked.ts_ns) / SECOND_NS:.1f} s later with {process.status.exit_code}."
    )
    yield Finding("stopped", printable(said), Sure.LIKELY, SCORE, (noted(asked, arch),))
