# SPDX-License-Identifier: Apache-2.0
"""Finds what one run did differently from another of the same image.

Theory of operation. Processes are matched by their command lines, those that are left by their names, each in the order
of appearance. In matched processes, a thing (`profile.Thing`) that both did at any time is no difference: threads may
race. What only B did comes first where B did it::

    B's thing              its counterpart in A
    same call and object   A's other outcome: the call failed in one and not in the other
    anything else          what A did next after the last thing that both did before it

The *divergence* is the first thing that only B did. It need not be a failure; so the first failure that only B has is a
difference of its own. Where B did nothing of its own, the first thing that it left out is shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from traceloop_decode.comparing.profile import NO_RETURN, OK, Process, Profile, Thing, Wait
from traceloop_decode.model import Call

_SLOWER: Final = 5
_SLOWER_NS: Final = 100_000_000
_SLOWEST: Final = 5
_FILE_CALLS: Final = frozenset(
    (
        *("open", "openat", "openat2", "creat", "stat", "lstat", "newfstatat", "statx", "access", "faccessat"),
        *("faccessat2", "execve", "mkdir", "mkdirat", "unlink", "unlinkat", "rename", "renameat2", "readlink"),
    )
)
_PEER_CALLS: Final = frozenset(("connect", "bind", "sendto"))


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a process did: its title and pid, and the call."""

    process: str
    pid: int
    call: Call


@dataclass(frozen=True, slots=True)
class Pair:
    """A thing that A did, and what B did in its place; None: nothing."""

    a: Step | None
    b: Step | None


@dataclass(frozen=True, slots=True)
class Change:
    """Something of which A has one value and B another. a, b: "" if it has none."""

    what: str
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class Slower:
    """A call that took longer in B. on: its object. a_ns is 0 if A never made it. returned: in B."""

    name: str
    on: str
    a_ns: int
    b_ns: int
    returned: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """The differences of B from A. Changes: of files by path, peers by address, ends by process, variables by program.

    output: lines that only B printed. lost: events that each run's trace lacks.
    """

    divergence: Pair | None
    failure: Pair | None
    left_out: Pair | None
    ends: tuple[Change, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    files: tuple[Change, ...]
    peers: tuple[Change, ...]
    variables: tuple[Change, ...]
    output: tuple[str, ...]
    slower: tuple[Slower, ...]
    ran_ns: tuple[int, int]
    lost: tuple[int, int]

    @property
    def same(self) -> bool:
        """True if both did the same, times aside."""
        changes = (self.ends, self.only_a, self.only_b, self.files, self.peers, self.variables, self.output)
        return self.divergence is None and self.left_out is None and not any(changes)


def compare(a: Profile, b: Profile) -> Difference:
    """Returns how B differs from A."""
    matched = _matched(a.processes, b.processes)
    both = [(one, other) for one, other in matched if one is not None and other is not None]
    news = sorted(_news(both), key=lambda one: _b_ns(one[0]))
    failures = [pair for pair, failed in news if failed]
    return Difference(
        divergence=news[0][0] if news else None,
        failure=failures[0] if failures and failures[0] is not news[0][0] else None,
        left_out=min(_left_out(both), key=_a_ns, default=None) if not news else None,
        ends=tuple(Change(other.title, one.end, other.end) for one, other in both if one.end != other.end),
        only_a=tuple(one.title for one, other in matched if one is not None and other is None),
        only_b=tuple(other.title for one, other in matched if other is not None and one is None),
        files=tuple(_changes(a, b, _FILE_CALLS)),
        peers=tuple(_changes(a, b, _PEER_CALLS)),
        variables=tuple(_variables(both)),
        output=tuple(line for key, line in b.said.items() if key not in a.said),
        slower=tuple(_slower(both)),
        ran_ns=(a.end_ns - a.start_ns, b.end_ns - b.start_ns),
        lost=(a.lost, b.lost),
    )


def _matched(a: list[Process], b: list[Process]) -> list[tuple[Process | None, Process | None]]:
    found: list[tuple[Process | None, Process | None]] = []
    rest_a, rest_b = a, b
    for key in (lambda one: (one.comm, one.title), lambda one: one.comm):
        waiting: dict[object, list[Process]] = defaultdict(list)
        for one in rest_a:
            waiting[key(one)].append(one)
        left = []
        for other in rest_b:
            same = waiting[key(other)]
            if same:
                found.append((same.pop(0), other))
            else:
                left.append(other)
        rest_a, rest_b = [one for ones in waiting.values() for one in ones], left
    return [*found, *((one, None) for one in rest_a), *((None, other) for other in rest_b)]


def _news(both: Iterable[tuple[Process, Process]]) -> Iterator[tuple[Pair, bool]]:
    # The first thing, and the first failure, that only B did in each process; whether it is a failure.
    for one, other in both:
        outcomes = _outcomes(one)
        common: Thing | None = None
        found = 0
        for thing, call in other.did.items():
            if thing in one.did:
                common = thing
                continue
            failed = thing.outcome != OK
            if not found or failed:
                counterpart = outcomes.get((thing.name, thing.on))
                yield Pair(_step(one, counterpart or _after(one, common, other)), _step(other, call)), failed
            found += 1
            if failed:
                break


def _outcomes(process: Process) -> dict[tuple[str, str], Call]:
    # The first call of each name on each object.
    found: dict[tuple[str, str], Call] = {}
    for thing, call in process.did.items():
        found.setdefault((thing.name, thing.on), call)
    return found


def _after(process: Process, common: Thing | None, other: Process) -> Call | None:
    # What a process did after the last common thing, and the other never did.
    passed = common is None
    for thing, call in process.did.items():
        if passed and thing not in other.did:
            return call
        passed = passed or thing == common
    return None


def _left_out(both: Iterable[tuple[Process, Process]]) -> Iterator[Pair]:
    # The first thing in each process that only A did, and what B did next after what both did before it.
    for one, other in both:
        common: Thing | None = None
        for thing, call in one.did.items():
            if thing not in other.did:
                yield Pair(_step(one, call), _step(other, _next(other, common)))
                break
            common = thing


def _next(process: Process, common: Thing | None) -> Call | None:
    passed = common is None
    for thing, call in process.did.items():
        if passed:
            return call
        passed = thing == common
    return None


def _a_ns(pair: Pair) -> int:
    return pair.a.call.ts_ns if pair.a is not None else 0


def _b_ns(pair: Pair) -> int:
    return pair.b.call.ts_ns if pair.b is not None else 0


def _step(process: Process, call: Call | None) -> Step | None:
    return Step(process.title, process.pid, call) if call is not None else None


def _changes(a: Profile, b: Profile, calls: frozenset[str]) -> Iterator[Change]:
    # Objects of these calls that ended otherwise, then those of one run alone.
    ours, theirs = _by_object(a, calls), _by_object(b, calls)
    for on in sorted(ours.keys() & theirs.keys()):
        if OK in ours[on] and OK not in theirs[on]:
            yield Change(on, OK, _worst(theirs[on]))
        elif OK in theirs[on] and OK not in ours[on]:
            yield Change(on, _worst(ours[on]), OK)
    yield from (Change(on, "", _worst(theirs[on])) for on in sorted(theirs.keys() - ours.keys()))
    yield from (Change(on, _worst(ours[on]), "") for on in sorted(ours.keys() - theirs.keys()))


def _by_object(run: Profile, calls: frozenset[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for process in run.processes:
        for thing in process.did:
            if thing.name in calls and thing.on:
                found[thing.on.split(" ")[0]].add(thing.outcome)
    return found


def _worst(outcomes: set[str]) -> str:
    return OK if OK in outcomes else min(outcomes, key=lambda one: (one == NO_RETURN, one))


def _variables(both: Iterable[tuple[Process, Process]]) -> Iterator[Change]:
    for one, other in both:
        for program, count in other.variables.items():
            before = one.variables.get(program)
            if before is not None and before != count:
                yield Change(program, str(before), str(count))


def _slower(both: Iterable[tuple[Process, Process]]) -> list[Slower]:
    found: dict[tuple[str, str], Slower] = {}
    for one, other in both:
        for key, wait in other.waits.items():
            before = one.waits.get(key, Wait(0, returned=True, call=wait.call))
            if wait.took_ns >= max(_SLOWER_NS, _SLOWER * before.took_ns):
                known = found.get(key)
                if known is None or wait.took_ns > known.b_ns:
                    found[key] = Slower(*key, before.took_ns, wait.took_ns, wait.returned)
    return sorted(found.values(), key=lambda one: -one.b_ns)[:_SLOWEST]
