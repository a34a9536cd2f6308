# SPDX-License-Identifier: Apache-2.0
"""Selects events by strace's options: by call (-e trace=), outcome (-e status=), path (-P), signal (-e signal=).

All of them take a ``SET``: ``[!]WORD[,WORD...]``; ``!`` selects all but these; ``all``; ``none``. Words::

    trace     a call; /REGEX; %file or another class of `tables.classes`; each also as ?WORD (no error if there is no
              such call, as for a call that only the recorded kernel names), WORD@64 and WORD@32 (one table only), and
              WORD@x32, which selects nothing
    status    successful, failed, unfinished (not returned), detached (not returned, and the thread still lives)
    signal    SIGUSR1, USR1 or a number

A condition on events (`conditions`) restricts them further. An outcome is known when a call returns, so with -e status=
or a condition each call is one event. Calls are sorted by the time of their entry, so memory holds the events since the
entry of the oldest open call; with `by_return`, by the time of their return. Losses are always shown, and ends of
threads unless a condition excludes them.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from heapq import heappop, heappush
from typing import Final

from traceloop_decode.errnos import is_error
from traceloop_decode.model import Call, Entered, Event, Ignored, Lost, Returned, Signal, TaskExit
from traceloop_decode.selection.call_names import CALL_CLASSES, Predicate, known_calls
from traceloop_decode.selection.paths import Paths
from traceloop_decode.signals import SIGNAL
from traceloop_decode.submitted import InFlight

STATUSES: Final = frozenset(("successful", "failed", "unfinished", "unavailable", "detached"))
_STATUS_WORDS: Final = {word: {word} for word in STATUSES} | {"unfinished": {"unfinished", "detached"}}
_NOW: Final = 1 << 64
_TABLES: Final = {"": (False, True), "@64": (False,), "@32": (True,), "@x32": ()}  # suffix -> compat or not
_OLDCALL_CLASSES: Final = frozenset(("desc", "file", "ipc", "memory", "network", "process", "signal"))  # without % too

CallSet = Callable[[str, bool], bool]
"""Tells whether a call, by name and by whether it is of the 32-bit table, is in the set."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Events to show. None: no restriction. paths: only calls on one of them, as `paths` says. where: a condition."""

    calls: CallSet | None = None
    statuses: frozenset[str] | None = None
    signals: frozenset[int] | None = None
    paths: tuple[bytes, ...] = ()
    where: Predicate | None = None

    @property
    def whole(self) -> bool:
        """True if each selected call is one event."""
        return self.statuses is not None or self.where is not None


def trace_set(text: str, later: frozenset[str] = frozenset()) -> CallSet:
    """Parses a SET of calls. later: names that a snapshot knows besides the tables. Raises ValueError."""
    members: set[tuple[str, bool]] = set()
    known = known_calls() | later

    def add(word: str) -> None:
        members.update(_named(word, known))

    everything = read_set(text, add)
    return cache(lambda name, compat: ((name, compat) in members) is not everything)


def status_set(text: str) -> frozenset[str]:
    """Parses a SET of outcomes. Raises ValueError."""
    members: set[str] = set()

    def add(word: str) -> None:
        if word not in STATUSES:
            raise ValueError(f"invalid status '{word}'")
        members.update(_STATUS_WORDS[word])

    return STATUSES - members if read_set(text, add) else frozenset(members)


def signal_set(text: str) -> frozenset[int]:
    """Parses a SET of signals. Raises ValueError."""
    numbers = {name: number for number, name in SIGNAL.items()}
    members: set[int] = set()

    def add(word: str) -> None:
        name = word.upper()
        number = int(word) if word.isdecimal() else numbers.get(name, numbers.get(f"SIG{name}"))
        if number is None:
            raise ValueError(f"invalid signal '{word}'")
        members.add(number)

    return frozenset(range(1, 65)) - members if read_set(text, add) else frozenset(members)


def fd_set(text: str) -> Callable[[int], bool]:
    """The descriptors that a SET of numbers names. Raises ValueError."""
    members: set[int] = set()

    def add(word: str) -> None:
        if not word.isdecimal():
            raise ValueError(f"invalid descriptor '{word}'")
        members.add(int(word))

    everything = read_set(text, add)
    return lambda fd: (fd in members) is not everything


def read_set(text: str, add: Callable[[str], None]) -> bool:
    """Passes each word of a SET to `add`. Returns whether the set is everything but these. Raises ValueError."""
    words = text.lstrip("!")
    everything = (len(text) - len(words)) % 2 == 1  # strace inverts as often as it is told to
    if words == "all":
        return not everything
    if words != "none":
        given = [word for word in words.split(",") if word]
        if not given:
            raise ValueError(f"empty set '{text}'")
        for word in given:
            add(word)
    return everything


def _named(word: str, known: frozenset[str]) -> set[tuple[str, bool]]:
    optional, name = word.startswith("?"), word.removeprefix("?")
    head, at, tail = name.rpartition("@")
    suffix = at + tail if at + tail in _TABLES else ""
    name = head if suffix else name
    if name.startswith("/"):
        try:
            matches = re.compile(name[1:]).search
        except re.error as error:
            raise ValueError(f"invalid regular expression '{name[1:]}': {error}") from error
        names = {call for call in known if matches(call)}
    elif name.removeprefix("%") in CALL_CLASSES and (
        name.startswith("%") or name in _OLDCALL_CLASSES or name not in known
    ):
        names = set(CALL_CLASSES[name.removeprefix("%")].split())
    else:
        names = {name} & known
    if not names and not optional:
        raise ValueError(f"invalid system call '{word}'")
    return {(call, compat) for call in names for compat in _TABLES[suffix]}


def selected(events: Iterable[Event], selection: Selection, *, by_return: bool = False) -> Iterator[Event]:
    """Yields the events to show, in their order. Entry and return of a call that become adjacent are joined again.

    events: if paths are selected, those from `descriptors.follow.known`. by_return: calls that are selected by outcome
    come at the time of their return.
    """
    picked = _picked(events, selection)
    if not selection.whole:
        return _rejoined(picked)
    statuses = STATUSES if selection.statuses is None else selection.statuses
    settled = _settled(picked, statuses, selection.where or _always)
    return (event for _, event in settled if event is not None) if by_return else _in_order(settled)


def _picked(events: Iterable[Event], selection: Selection) -> Iterator[Event]:
    # Selects by call, path and signal.
    calls, signals = selection.calls, selection.signals
    paths = Paths(selection.paths) if selection.paths else None
    for event in events:
        if isinstance(event, Signal | Ignored):
            if signals is not None and event.number not in signals:
                continue
        elif isinstance(event, Call | Entered | Returned):
            call = event if isinstance(event, Call) else event.call
            if paths is not None and not paths.has(call):
                continue
            if calls is not None and not calls(call.name, call.compat):
                continue
        yield event


_Settled = tuple[int, Event | None]


def _settled(events: Iterable[Event], statuses: frozenset[str], fulfils: Predicate) -> Iterator[_Settled]:
    # Selects by outcome and condition: calls are whole. Each event comes with the time of its entry, or _NOW if it is
    # no call. After each event follows None with the entry of the oldest open call: no later event begins before that.
    open_calls = InFlight()
    begun: deque[Call] = deque()  # these, oldest first, and some that have returned
    now_ns = 0
    for event in events:
        now_ns = max(now_ns, _time_ns(event))
        if isinstance(event, Entered):
            open_calls.put(event.call)
            begun.append(event.call)
            continue
        for at_ns, done in _done(event, open_calls):
            call = done.call if isinstance(done, Returned) else done
            if isinstance(call, Lost) or (
                (not isinstance(call, Call) or _outcome(call) in statuses) and fulfils(call, now_ns)
            ):
                yield at_ns, done
        while begun and begun[0] not in open_calls:
            begun.popleft()
        yield begun[0].ts_ns if begun else _NOW, None
    if "detached" in statuses:
        yield from ((call.ts_ns, Entered(call)) for call in open_calls if fulfils(call, now_ns))
    yield _NOW, None


_Done = Call | Returned | Signal | Ignored | TaskExit | Lost


def _done(event: _Done, open_calls: InFlight) -> Iterator[tuple[int, _Done]]:
    # The event, and before the end of a thread the calls that it leaves unfinished.
    if isinstance(event, Call | Returned):
        call = event if isinstance(event, Call) else event.call
        open_calls.drop(call)
        yield call.ts_ns, event if call.entry_lost else call
        return
    for unfinished in open_calls.end(event) if isinstance(event, TaskExit) else ():
        yield unfinished.ts_ns, unfinished._replace(end_ns=event.ts_ns)
    yield _NOW, event


def _in_order(settled: Iterable[_Settled]) -> Iterator[Event]:
    # By their beginning. What is no call stays behind what came before it.
    waiting: list[tuple[int, int, Event]] = []
    now_ns = 0
    for n, (at_ns, event) in enumerate(settled):
        if event is not None:
            now_ns = max(now_ns, _time_ns(event))
            heappush(waiting, (now_ns if at_ns == _NOW else at_ns, n, event))
            continue
        while waiting and waiting[0][0] < at_ns:
            yield heappop(waiting)[2]


def _time_ns(event: Event) -> int:
    call = event.call if isinstance(event, Entered | Returned) else event
    return call.end_ns or call.ts_ns if isinstance(call, Call) else call.ts_ns


def _rejoined(events: Iterable[Event]) -> Iterator[Event]:
    held: Entered | None = None
    for event in events:
        if held is not None:
            if isinstance(event, Returned) and event.call.key == held.call.key and not event.call.entry_lost:
                held = None
                yield event.call
                continue
            yield held
        held = event if isinstance(event, Entered) else None
        if held is None:
            yield event
    if held is not None:
        yield held


def _always(_event: Event, _until_ns: int) -> bool:
    return True


def _outcome(call: Call) -> str:
    if call.unlearnt:
        return "unfinished"
    if call.result is None:
        never = "unfinished" if call.end_ns is not None else "unavailable"
        return "failed" if call.by_seccomp else never
    return "failed" if is_error(call.result) else "successful"
