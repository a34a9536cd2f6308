# SPDX-License-Identifier: Apache-2.0
"""Picks events as strace's options do: by call (-e trace=), outcome (-e status=), path (-P), signal (-e signal=).

What is a ``SET``, in all of them: ``[!]WORD[,WORD...]``; ``!`` is all but these; ``all``; ``none``. Words::

    trace     a call; /REGEX; %file or another class of `tables.classes`; each also as ?WORD (no error if there is no
              such call, as of one that only the recorded kernel names), WORD@64 and WORD@32 (of one table alone), and
              WORD@x32, of which there are none
    status    successful, failed, unfinished (its thread ended before it returned), detached (it has not returned yet)
    signal    SIGUSR1, USR1 or a number

An outcome is known when a call returned, so with -e status= each call is one event, which comes when it returned.
What is lost, and how threads ended, is always shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from traceloop_decode.model import Call, Entered, Event, Returned, Signal, TaskExit
from traceloop_decode.selection.paths import Paths
from traceloop_decode.signals import SIGNAL
from traceloop_decode.syscalls import ABIS
from traceloop_decode.tables.classes import CLASSES

STATUSES: Final = frozenset(("successful", "failed", "unfinished", "unavailable", "detached"))
_ERROR_MAX: Final = 4095
_TABLES: Final = {"": (False, True), "@64": (False,), "@32": (True,), "@x32": ()}  # suffix -> compat or not
_CLASSES: Final = CLASSES | {"net": CLASSES["network"]}

CallSet = Callable[[str, bool], bool]
"""Is a call, by name and whether it is of the 32-bit table, in the set?"""


@dataclass(frozen=True, slots=True)
class Selection:
    """What is shown. None: whatever it is. paths: calls on one of them, as `paths` says."""

    calls: CallSet | None = None
    statuses: frozenset[str] | None = None
    signals: frozenset[int] | None = None
    paths: tuple[bytes, ...] = ()


def trace_set(text: str, later: frozenset[str] = frozenset()) -> CallSet:
    """The calls that a SET names. later: names that a snapshot knows besides the tables. Raises ValueError."""
    members: set[tuple[str, bool]] = set()
    known = _known() | later

    def add(word: str) -> None:
        members.update(_named(word, known))

    everything = _read_set(text, add)
    return cache(lambda name, compat: ((name, compat) in members) is not everything)


def status_set(text: str) -> frozenset[str]:
    """The outcomes that a SET names. Raises ValueError."""
    members: set[str] = set()

    def add(word: str) -> None:
        if word not in STATUSES:
            raise ValueError(f"invalid status '{word}'")
        members.add(word)

    return STATUSES - members if _read_set(text, add) else frozenset(members)


def signal_set(text: str) -> frozenset[int]:
    """The signals that a SET names. Raises ValueError."""
    numbers = {name: number for number, name in SIGNAL.items()}
    members: set[int] = set()

    def add(word: str) -> None:
        name = word.upper()
        number = int(word) if word.isdecimal() else numbers.get(name, numbers.get(f"SIG{name}"))
        if number is None:
            raise ValueError(f"invalid signal '{word}'")
        members.add(number)

    return frozenset(range(1, 65)) - members if _read_set(text, add) else frozenset(members)


def _read_set(text: str, add: Callable[[str], None]) -> bool:
    # Gives each word to `add`. True: the set is all but these.
    everything = text.startswith("!")
    words = text.removeprefix("!")
    if words == "all":
        return not everything
    if words != "none":
        for word in words.split(","):
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
    elif name.removeprefix("%") in _CLASSES and (name.startswith("%") or name not in known):
        names = set(_CLASSES[name.removeprefix("%")].split())
    else:
        names = {name} & known
    if not names and not optional:
        raise ValueError(f"invalid system call '{word}'")
    return {(call, compat) for call in names for compat in _TABLES[suffix]}


@cache
def _known() -> frozenset[str]:
    return frozenset(call.name for abi in ABIS for call in abi.table().values())


def selected(events: Iterable[Event], selection: Selection) -> Iterator[Event]:
    """The events that are shown, in their order. Halves of a call that stand together then become one again.

    events: where paths are asked for, those that `descriptors.follow.known` gives.
    """
    picked = _picked(events, selection)
    return _rejoined(picked) if selection.statuses is None else _settled(picked, selection.statuses)


def _picked(events: Iterable[Event], selection: Selection) -> Iterator[Event]:
    # By call, path and signal.
    calls, signals = selection.calls, selection.signals
    paths = Paths(selection.paths) if selection.paths else None
    for event in events:
        if isinstance(event, Signal):
            if signals is not None and event.number not in signals:
                continue
        elif isinstance(event, Call | Entered | Returned):
            call = event if isinstance(event, Call) else event.call
            if paths is not None and not paths.has(call):
                continue
            if calls is not None and not calls(call.name, call.compat):
                continue
        yield event


def _settled(events: Iterable[Event], statuses: frozenset[str]) -> Iterator[Event]:
    # By outcome: calls are whole, and come when they returned.
    open_calls: dict[int, Entered] = {}
    for event in events:
        if isinstance(event, Entered):
            open_calls[event.call.tid] = event
            continue
        if isinstance(event, Call | Returned):
            call = event if isinstance(event, Call) else event.call
            open_calls.pop(call.tid, None)
            if _outcome(call) in statuses:
                yield event if call.entry_lost else call
            continue
        unfinished = open_calls.pop(event.tid, None) if isinstance(event, TaskExit) else None
        if unfinished is not None and "unfinished" in statuses:
            yield unfinished
        yield event
    if "detached" in statuses:
        yield from open_calls.values()


def _rejoined(events: Iterable[Event]) -> Iterator[Event]:
    held: Entered | None = None
    for event in events:
        if held is not None:
            if isinstance(event, Returned) and event.call.tid == held.call.tid and not event.call.entry_lost:
                held = None
                yield event.call
                continue
            yield held
        held = event if isinstance(event, Entered) else None
        if held is None:
            yield event
    if held is not None:
        yield held


def _outcome(call: Call) -> str:
    if call.result is None:
        return "unavailable"
    return "failed" if -_ERROR_MAX <= call.result < 0 else "successful"
