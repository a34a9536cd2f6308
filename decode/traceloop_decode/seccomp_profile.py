# SPDX-License-Identifier: Apache-2.0
"""Makes a seccomp profile from the calls that traces counted: they are allowed, and all others refused.

The profile is the ``linux.seccomp`` object of the OCI runtime specification, which docker's and podman's
``--security-opt seccomp=FILE`` take too. It is complete for what the traces saw, since totals count every call whatever
the ring has overwritten. Two things are added:

- A runtime loads the profile before it executes the program, and has more to do then: what it called after the profile,
  or, where it loaded none, after it had set up the file systems. What its threads call by chance is allowed as well
  (`_RUNTIMES`).
- A call that the traces' own profile always refused stays refused, with the same error: programs depend on it, as libc
  uses clone where clone3 gives ENOSYS.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from traceloop_decode.areas import RUNTIME
from traceloop_decode.events import events
from traceloop_decode.model import Call, Entered, Event, Returned
from traceloop_decode.multiplexed_calls import kernel_number
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import EXECS, Abi, abis
from traceloop_decode.tables.classes import CLASSES
from traceloop_decode.totals import UNNAMED

ARCHITECTURES: Final = {
    "x86_64": ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86"),
    "aarch64": ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
}
"""Names of a kernel's own table and of that of its 32-bit programs, by the machine's name."""
_EPERM: Final = 1
_RUNTIMES: Final = frozenset(
    (
        *("close", "execve", "exit", "exit_group", "futex", "getpid", "gettid", "madvise", "mmap", "munmap"),
        *("nanosleep", "read", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sched_yield", "sigaltstack"),
        *("tgkill", "write"),
    )
)
_LOADS: Final = "seccomp"
_SETS_UP: Final = frozenset(
    (
        *("chroot", "fsconfig", "fsmount", "fsopen", "fspick", "mknod", "mknodat", "mount", "mount_setattr"),
        *("move_mount", "open_tree", "pivot_root", "setdomainname", "sethostname", "setns", "umount2", "unshare"),
    )
)
"""Calls that a runtime makes before it may load a profile (runc: standard_init_linux.go, before finalizeNamespace)."""
_CLASSES_TOLD: Final = ("clock", "creds", "file", "ipc", "memory", "network", "process", "signal")


class NoTotalsError(ValueError):
    """A trace has no totals. The message names it, and says what to do."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile, as JSON text, and lines that say what it is made of and what it refuses."""

    text: str
    notes: tuple[str, ...]


def seccomp_profile(traces: Sequence[tuple[str, Snapshot]]) -> Profile:
    """Makes one profile from traces, each with its name. Raises NoTotalsError."""
    allowed: set[str] = set()
    architectures: dict[str, None] = {}
    refused: dict[str, set[int]] = defaultdict(set)
    notes = [f"seccomp: allows what {_count(len(traces), 'trace')} called: {', '.join(name for name, _ in traces)}"]
    known: dict[str, None] = {}
    for name, snapshot in traces:
        used, refusals = _used(name, snapshot)
        allowed |= used - refusals.keys() | _on_the_way(snapshot)
        for call, error in refusals.items():
            refused[call].add(error)
        tables = abis(snapshot.arch, snapshot.syscalls)
        known |= dict.fromkeys(_names(tables[0]))
        architectures |= dict.fromkeys(_architectures(snapshot))
        notes += _limits(name, snapshot, used)
    answers = {call: min(errors) for call, errors in sorted(refused.items()) if call not in allowed}
    allowed |= _RUNTIMES
    unseen = [call for call in known if call not in allowed]
    notes.append(f"seccomp: {_count(len(allowed), 'call')} allowed; {len(unseen)} that were never seen are refused")
    if never := [f"%{one}" for one in _CLASSES_TOLD if not allowed & set(CLASSES[one].split())]:
        notes.append(f"seccomp: never seen: any call of {', '.join(never)}")
    if answers:
        notes.append(f"seccomp: refused as the traces' own profile refused them: {', '.join(answers)}")
    return Profile(json.dumps(_object(allowed, answers, list(architectures)), indent=2) + "\n", tuple(notes))


def _object(allowed: set[str], answers: dict[str, int], architectures: list[str]) -> dict[str, Any]:
    rules: list[dict[str, Any]] = [{"names": sorted(allowed), "action": "SCMP_ACT_ALLOW"}]
    for error in sorted(set(answers.values())):
        names = [name for name, its in answers.items() if its == error]
        rules.append({"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": error})
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _EPERM,
        "architectures": architectures,
        "syscalls": rules,
    }


def _used(name: str, snapshot: Snapshot) -> tuple[set[str], dict[str, int]]:
    # The names of the calls that were made, and those among them that seccomp always refused, with the error.
    totals = snapshot.totals
    if totals is None:
        raise NoTotalsError(f"{name}: recorded by a version that did not count all calls: record the container again")
    native, compat = tables = abis(snapshot.arch, snapshot.syscalls)
    made: dict[str, bool] = {}  # did it always fail?
    for is_compat, title, number, total in totals.named(native, compat):
        if title != UNNAMED and tables[is_compat].lookup(number) is not None and total.calls:
            made[title] = made.get(title, True) and total.failed == total.calls
    refusals: dict[str, int] = {}
    for call in _without_entry(events(snapshot)):
        title = call.abi.call_name(kernel_number(call.number))
        if call.result is not None and call.result < 0 and made.get(title):
            refusals[title] = -call.result
    return set(made), refusals


def _on_the_way(snapshot: Snapshot) -> set[str]:
    # The names of the calls that a runtime made last before it executed the program.
    made: dict[int, set[str]] = defaultdict(set)
    loaded: set[int] = set()
    for event in events(snapshot, [RUNTIME]):
        if not isinstance(event, Call | Entered):
            continue
        call = event if isinstance(event, Call) else event.call
        if call.name == _LOADS:
            loaded.add(call.pid)
            made[call.pid] = set()
        elif call.name in _SETS_UP and call.pid not in loaded:
            made[call.pid] = set()
        else:
            made[call.pid].add(call.abi.call_name(kernel_number(call.number)))
    return set().union(*made.values())


def _without_entry(found: Iterable[Event]) -> Iterator[Call]:
    # The calls that seccomp answered. Among the firsts these are the ones with arguments but without an entry.
    for event in found:
        if isinstance(event, Call) and event.by_seccomp:
            yield event
        elif isinstance(event, Returned) and event.call.source and event.call.entry_lost and event.call.registers:
            yield event.call


def _names(abi: Abi) -> Iterable[str]:
    return (call.name for call in abi.table().values() if call.known)


def _architectures(snapshot: Snapshot) -> Iterable[str]:
    native, compat = ARCHITECTURES.get(snapshot.arch, ("", ""))
    if native:
        yield native
    if compat and snapshot.totals is not None and snapshot.totals.compat:
        yield compat


def _limits(name: str, snapshot: Snapshot, used: set[str]) -> Iterable[str]:
    # What the profile may lack because of this trace.
    native, compat = tables = abis(snapshot.arch, snapshot.syscalls)
    if not used & EXECS:
        yield f"seccomp: {name}: no execve was seen: the recording began later, and calls may be missing"
    if snapshot.totals is None:
        return
    if not snapshot.totals.compat:
        yield f"seccomp: {name}: no call of a 32-bit program was seen: such a program is not allowed to run"
    numbers = [
        number
        for is_compat, _, number, _ in snapshot.totals.named(native, compat)
        if tables[is_compat].lookup(number) is None
    ]
    if numbers:
        yield f"seccomp: {name}: {_count(len(numbers), 'number')} without a name cannot be allowed by name"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
