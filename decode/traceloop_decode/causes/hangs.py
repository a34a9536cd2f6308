# SPDX-License-Identifier: Apache-2.0
"""Findings about processes that did nothing when they were told to end: hung, deadlocked, computing, or only idle.

A hang that lasted when the process was told to stop, or was killed, explains the end more than the signal does, and
ranks first; one that began after the stop ranks behind that, and before the kill. A process with a thread that waited
as servers do was perhaps no more than idle: that ranks last.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from traceloop_decode.causes import subject
from traceloop_decode.causes.death import SCORE, Death, death_of
from traceloop_decode.causes.faults import OWN_FAULTS
from traceloop_decode.causes.killed import asks_to_stop, last_ignored
from traceloop_decode.causes.processes import STOPS, Process
from traceloop_decode.causes.report import Finding, Sure
from traceloop_decode.causes.story import Blocked, Silent, Story
from traceloop_decode.causes.waits import FUTEX, MANY, SLEEPS, WAIT_CHILD, is_long, what
from traceloop_decode.model import Call, Ignored, Signal
from traceloop_decode.safe_text import printable
from traceloop_decode.spans import SECOND_NS
from traceloop_decode.values.siginfo import signal_name

_LEADS: Final = SCORE + 10
_AFTER_STOP: Final = SCORE + 2
_BEHIND: Final = SCORE - 20
_HUNG_NS: Final = SECOND_NS
_STILL_NS: Final = 10 * SECOND_NS  # a program may compute, or wait for work, for less
_SHOWN: Final = 6
_DEPTH_MAX: Final = 8
_CHILDREN_MAX: Final = 2
_OP, _TIMEOUT = 1, 3
_PRIVATE: Final = 128  # FUTEX_PRIVATE_FLAG: no other process can wake it
_ACCEPTS: Final = frozenset(("accept", "accept4"))
_READS: Final = frozenset(("read", "readv"))
_SERVES: Final = MANY | _ACCEPTS
_QUEUES: Final = frozenset(("msgrcv", "mq_timedreceive", "semop", "semtimedop", "restart_syscall"))
_ANY_TIME: Final = FUTEX | MANY | SLEEPS | _QUEUES
"""Calls in which a healthy process may be for any time."""
_OF_INIT: Final = WAIT_CHILD | frozenset(("rt_sigtimedwait", "rt_sigsuspend", "pause"))
_DATAGRAMS: Final = ("UDP", "NETLINK", "RAW", "UNIX-DGRAM")
_OWN_ENDS: Final = ("/dev/pts/", "/dev/tty", "/dev/console", "anon_inode:")
_INTERRUPTED: Final = frozenset((-4, *range(-516, -511)))  # EINTR, ERESTART_RESTARTBLOCK to ERESTARTSYS
_INT: Final = 0xFFFFFFFF


class _Told(NamedTuple):
    """The signals that told a process to end: one to stop, if any, then the one that ended it.

    stop: the former; "" and 0 if there was none. by_process: a process sent the latter, so that it explains the end.
    """

    stop: str
    stop_ns: int
    kill: str
    by_process: bool
    handled: Signal | None = None

    def of_another(self, name: str) -> _Told:
        """Returns the same in the words of another process: the signals reached not that, but the one of this name."""
        stop = self.stop.replace(" asked it ", f" asked {name} ")
        return self._replace(stop=stop, kill=f"{self.kill.removesuffix('it')}{name}" if self.kill else "")


class _Still(NamedTuple):
    """The time for which a process had done nothing, the words for when that was, and the score."""

    ns: int
    when: str
    score: int

    @property
    def seconds(self) -> str:
        return f"{self.ns / SECOND_NS:.1f} s"


def hung(story: Story, process: Process) -> Iterator[Finding]:
    """Yields what a process hung in when a signal ended it; or its children, if it waited for them."""
    death = death_of(process, story, "")
    if death is not None:
        yield from _found(story, process, _told(death), 0)


def _found(story: Story, process: Process, told: _Told, depth: int) -> Iterator[Finding]:
    now = [_whole(one, told, story) for one in _blocked(story, process)]
    killed = [one for one in story.processes.children(process.pid) if one.status.signal is not None]
    if killed and depth < _DEPTH_MAX and any(one.call.name in _OF_INIT for one in now):
        theirs = told if depth else told.of_another(process.name)
        inner = (found for child in killed for found in _found(story, child, theirs, depth + 1))
        if hanging := [*islice(inner, _CHILDREN_MAX)]:
            yield from hanging
            return
    kinds = _deadlock, _waiting, _computing, _idle
    found = next((found for kind in kinds if (found := kind(story, process, told, now)) is not None), None)
    if found is not None:
        yield found


def _told(death: Death) -> _Told:
    process, story = death.process, death.story
    sender = death.event.sender if death.event is not None else None
    own = death.number in OWN_FAULTS or (sender is not None and sender.pid == process.pid)
    by_kernel = death.by_kernel or death.by_timer or death.end.out_of_memory
    kill = f" when {death.name}{f' from {sender.comm}' if sender is not None else ''} ended it"
    stops: list[Signal | Ignored] = []
    if (ignored := last_ignored(process, story)) is not None:
        stops.append(ignored)
    if process.asked is not None and asks_to_stop(process.asked, death):
        stops.append(process.asked)
    by_process = not (own or by_kernel)
    if not stops or not by_process:
        return _Told("", 0, kill if by_process else "", by_process)
    last = max(stops, key=lambda one: one.ts_ns)
    assert last.sender is not None
    came = "asked it to stop" if last.number in STOPS else "came"
    words = f" when {signal_name(last.number)} from {last.sender.comm} {came}"
    return _Told(words, last.ts_ns, kill, by_process, last if isinstance(last, Signal) else None)


def _blocked(story: Story, process: Process) -> list[Blocked]:
    # The calls in which its threads were when it ended.
    ended_ns = process.end.ts_ns if process.end is not None else story.ended_ns
    own = (one for one in story.blocked if one.call.pid == process.pid)
    return [one for one in own if one.until_ns >= ended_ns - SECOND_NS]


def _whole(one: Blocked, told: _Told, story: Story) -> Blocked:
    # A signal to stop that has a handler interrupts a call, which is then made again.
    if told.handled is None:
        return one
    before = story.before_stop.get(told.handled.pid)
    again = (
        before is not None
        and before.result in _INTERRUPTED
        and (before.tid, before.name, before.registers[:1]) == (one.call.tid, one.call.name, one.call.registers[:1])
        and one.call.ts_ns >= (before.end_ns or 0)
    )
    return Blocked(before, one.until_ns) if before is not None and again else one


def _still(since_ns: int, until_ns: int, told: _Told, long_ns: int, *, leads: bool) -> _Still:
    at_stop_ns, ns = told.stop_ns - since_ns, max(until_ns - since_ns, 0)
    if told.stop and at_stop_ns >= long_ns:
        return _Still(at_stop_ns, told.stop, _LEADS if leads else _BEHIND)
    if not told.by_process or not leads or ns < long_ns:
        return _Still(ns, told.kill, _BEHIND)
    return _Still(ns, told.kill, _AFTER_STOP if told.stop else _LEADS)


def _deadlock(_story: Story, process: Process, told: _Told, now: list[Blocked]) -> Finding | None:
    if len(now) != process.killed_threads or not all(_is_endless(one) and is_long(one) for one in now):
        return None
    if not now or (len(now) == 1 and not _is_private(now[0].call)):
        return None
    last = max(now, key=lambda one: one.call.ts_ns)
    still = _still(last.call.ts_ns, last.until_ns, told, _HUNG_NS, leads=True)
    if len(now) == 1:
        said = (
            f"{process.name} waited for a lock (futex) for {still.seconds}, and had no other thread that could free it"
        )
    else:
        said = (
            f"All {len(now)} threads of {process.name} waited for each other (futex) for {still.seconds}, and none was "
            "left to wake them"
        )
    evidence = tuple(subject.evidence(one.call) for one in now[:_SHOWN])
    return Finding("deadlock", printable(f"{said}: a deadlock."), Sure.LIKELY, still.score, evidence)


def _is_endless(one: Blocked) -> bool:
    registers = one.call.registers
    return one.call.name in FUTEX and (len(registers) <= _TIMEOUT or not registers[_TIMEOUT])


def _is_private(call: Call) -> bool:
    return call.name == "futex" and len(call.registers) > _OP and call.registers[_OP] & _PRIVATE != 0


def _waiting(story: Story, process: Process, told: _Told, now: list[Blocked]) -> Finding | None:
    waiting = [one for one in now if is_long(one) and one.call.name not in _ANY_TIME | WAIT_CHILD]
    if not waiting:
        return None
    one = min(waiting, key=lambda one: (_is_idle(one.call), one.call.ts_ns))
    if _is_idle(one.call):
        return _maybe_idle(one, story, process, told)
    others = [other for other in now if other is not one]
    leads = len(now) == process.killed_threads and not any(_serves_or_works(other) for other in others)
    still = _still(one.call.ts_ns, one.until_ns, told, _HUNG_NS, leads=leads)
    said = f"{process.name} was waiting for {still.seconds} {what(one, story)}{still.when}."
    return Finding("hung", printable(said), Sure.LIKELY, still.score, (subject.evidence(one.call),))


def _is_idle(call: Call) -> bool:
    # Waits for somebody to ask for something: a client, a user, the other end of a pipe that is its input.
    if call.name in _ACCEPTS:
        return True
    if not call.registers:
        return False
    fd = call.registers[0] & _INT
    known = call.files.before.get(fd) if call.files is not None else None
    if call.name in _READS and (fd == 0 or (known is not None and subject.bare(known.text).startswith(_OWN_ENDS))):
        return True
    socket = known.socket if known is not None else None
    return socket is not None and not socket.remote and socket.kind.startswith(_DATAGRAMS)


def _serves_or_works(one: Blocked) -> bool:
    call = one.call
    if call.name in _SERVES or _is_idle(call):
        return True
    return call.name not in _ANY_TIME and one.until_ns - call.ts_ns < _HUNG_NS


def _computing(story: Story, process: Process, told: _Told, now: list[Blocked]) -> Finding | None:
    since = [(_last(one, told, story), one) for one in story.silent if one.end.pid == process.pid]
    quiet = [(last, one) for last, one in since if last is not None and _is_still(last, one, story)]
    if not quiet or not told.by_process:
        return None
    last, one = min(quiet, key=lambda each: each[0].end_ns or 0)
    whole = len(now) + len(quiet) == process.killed_threads and not any(_serves_or_works(other) for other in now)
    still = _still(last.end_ns or 0, one.end.ts_ns, told, _STILL_NS, leads=whole)
    who = process.name if process.killed_threads == 1 else f"A thread of {process.name} (tid {one.end.tid})"
    said = f"{who} had made no system call for {still.seconds}{still.when}: it was computing, or was stopped."
    sure = Sure.LIKELY if whole else Sure.POSSIBLE
    return Finding("computing", printable(said), sure, still.score, (subject.evidence(last),))


def _last(one: Silent, told: _Told, story: Story) -> Call | None:
    # The calls of a signal's handler do not end what the program had done for long before.
    if told.handled is not None and told.handled.tid == one.end.tid:
        before = story.before_stop.get(told.handled.pid)
        if before is not None and told.stop_ns - (before.end_ns or told.stop_ns) >= _STILL_NS:
            return before
    return one.last


def _is_still(last: Call, one: Silent, story: Story) -> bool:
    # The trace has all calls since the last one, which returned.
    if last.end_ns is None or last.source or story.skips or last.end_ns <= story.whole_since_ns:
        return False
    return one.end.ts_ns - last.end_ns >= _STILL_NS


def _idle(story: Story, process: Process, told: _Told, now: list[Blocked]) -> Finding | None:
    if len(now) != process.killed_threads or not all(one.call.name in _ANY_TIME for one in now):
        return None
    one = min(now, key=lambda one: (one.call.tid != process.pid, one.call.ts_ns), default=None)
    until_ns = told.stop_ns or (one.until_ns if one is not None else 0)
    if one is None or not told.by_process or until_ns - one.call.ts_ns < _STILL_NS:
        return None
    return _maybe_idle(one, story, process, told)


def _maybe_idle(one: Blocked, story: Story, process: Process, told: _Told) -> Finding:
    still = _still(one.call.ts_ns, one.until_ns, told, _HUNG_NS, leads=False)
    said = f"{process.name} was waiting for {still.seconds} {what(one, story)}{still.when}: idle, or hung."
    return Finding("idle", printable(said), Sure.POSSIBLE, still.score, (subject.evidence(one.call),))
