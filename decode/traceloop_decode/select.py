# SPDX-License-Identifier: Apache-2.0
"""Picks events as strace's options do: by call (-e trace=), outcome (-e status=), path (-P), signal (-e signal=).

What is a ``SET``, in all of them: ``[!]WORD[,WORD...]``; ``!`` is all but these; ``all``; ``none``. Words::

    trace     a call; /REGEX; %file or another class of `tables.classes`; each also as ?WORD (no error if there is no
              such call), WORD@64 and WORD@32 (of one table alone)
    status    successful, failed, unfinished (its thread ended before it returned), detached (it has not returned yet)
    signal    SIGUSR1, USR1 or a number

An outcome is known when a call returned, so with -e status= each call is one event, which comes when it returned.
What is lost, and how threads ended, is always shown.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from traceloop_decode.model import Call, Entered, Event, Returned, Signal, TaskExit
from traceloop_decode.signals import SIGNAL
from traceloop_decode.syscalls import ABIS, Abi
from traceloop_decode.tables.classes import CLASSES

STATUSES: Final = frozenset(("successful", "failed", "unfinished", "unavailable", "detached"))
_ERROR_MAX: Final = 4095
_INT: Final = 0xFFFFFFFF
_MAKE_FDS: Final = frozenset(("open", "openat", "openat2", "creat", "dup", "dup2", "dup3"))
_IS_FD: Final = re.compile(r"fd$|^fd|^fildes")
_NO_FDS: Final[frozenset[int]] = frozenset()
_TABLES: Final = {"": (False, True), "@64": (False,), "@32": (True,)}  # suffix -> compat or not

CallSet = Callable[[str, bool], bool]
"""Is a call, by name and whether it is of the 32-bit table, in the set?"""


@dataclass(frozen=True, slots=True)
class Selection:
    """What is shown. None: whatever it is. paths: calls that name one of them, or a descriptor opened by it."""

    calls: CallSet | None = None
    statuses: frozenset[str] | None = None
    signals: frozenset[int] | None = None
    paths: tuple[bytes, ...] = ()


def trace_set(text: str) -> CallSet:
    """The calls that a SET names. Raises ValueError."""
    members: set[tuple[str, bool]] = set()

    def add(word: str) -> None:
        members.update(_named(word))

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


def _named(word: str) -> set[tuple[str, bool]]:
    optional, name = word.startswith("?"), word.removeprefix("?")
    suffix = name[-3:] if name[-3:] in ("@64", "@32") and not name.startswith("/") else ""
    name = name.removesuffix(suffix)
    if name.startswith("/"):
        try:
            matches = re.compile(name[1:]).search
        except re.error as error:
            raise ValueError(f"invalid regular expression '{name[1:]}': {error}") from error
        names = {call for call in _known() if matches(call)}
    elif name.removeprefix("%") in CLASSES and (name.startswith("%") or name not in _known()):
        names = set(CLASSES[name.removeprefix("%")].split())
    else:
        names = {name} & _known()
    if not names and not optional:
        raise ValueError(f"invalid system call '{word}'")
    return {(call, compat) for call in names for compat in _TABLES[suffix]}


@cache
def _known() -> frozenset[str]:
    return frozenset(call.name for abi in ABIS for call in abi.table().values())


def selected(events: Iterable[Event], selection: Selection) -> Iterator[Event]:
    """The events that are shown, in their order. Halves of a call that stand together then become one again."""
    picked = _picked(events, selection)
    return _rejoined(picked) if selection.statuses is None else _settled(picked, selection.statuses)


def _picked(events: Iterable[Event], selection: Selection) -> Iterator[Event]:
    # By call, path and signal.
    calls, signals = selection.calls, selection.signals
    paths = _Paths(selection.paths) if selection.paths else None
    for event in events:
        if isinstance(event, Signal):
            if signals is not None and event.number not in signals:
                continue
        elif isinstance(event, Call | Entered | Returned):
            call = event if isinstance(event, Call) else event.call
            if calls is not None and not calls(call.name, call.compat):
                continue
            if paths is not None and not paths.names(call):
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


class _Paths:
    """Which descriptors stand for the paths asked for: those that the trace shows to be opened by them."""

    def __init__(self, paths: tuple[bytes, ...]) -> None:
        self._paths = frozenset(paths)
        self._fds: dict[int, set[int]] = defaultdict(set)  # by process

    def names(self, call: Call) -> bool:
        """Does the call name one of the paths, or a descriptor of theirs? Learns from what it returned."""
        fds = self._fds.get(call.pid, _NO_FDS)
        places = _fd_places(call.number, call.abi) if fds else ()
        named = any(item.data in self._paths for items in call.items.values() for item in items) or any(
            call.registers[n] & _INT in fds for n in places if n < len(call.registers)
        )
        if named and call.result is not None and call.result >= 0:
            if call.name in _MAKE_FDS:
                self._fds[call.pid].add(call.result)
            elif call.name == "close" and call.registers:
                self._fds[call.pid].discard(call.registers[0] & _INT)
        return named


@cache
def _fd_places(number: int, abi: Abi) -> tuple[int, ...]:
    syscall = abi.lookup(number)
    params = syscall.params if syscall is not None else ()
    return tuple(n for n, param in enumerate(params) if _IS_FD.search(param.name))
