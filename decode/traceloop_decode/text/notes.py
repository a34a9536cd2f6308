# SPDX-License-Identifier: Apache-2.0
"""What stands between the calls, as text: signals, ends of threads, losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from traceloop_decode.values.siginfo import fields, signal_name, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from traceloop_decode.model import Lost, Signal, TaskExit
    from traceloop_decode.ring import Unrecorded

_CORE_DUMPED: Final = 0x80
_SIGNAL_MASK: Final = 0x7F

# Lost.reason -> what happened, and what helps.
_LOSSES: Final = {
    "overwritten": "{were} overwritten: a larger ring keeps more (ring.size in traceloop.toml)",
    "rejected": "{were} left out, as not to be trusted: a larger ring makes this rarer (ring.size in traceloop.toml)",
    "dropped": "{were} not recorded, as another record was being written there: this is rare, and has no remedy",
}


def signal_note(signal: Signal, constants: str = "abbrev", arch: str = "x86_64") -> str:
    """``--- SIGCHLD {si_signo=SIGCHLD, ...} ---``. constants: as -X says. arch: the machine's."""
    found, name = fields(signal), signal_name(signal.number)
    return f"--- {name} {text_of(found, constants, arch)} ---" if found else f"--- {name} ---"


def exit_status(code: int) -> tuple[int | None, int | None, bool]:
    """A code as wait(2) reports it -> exit status or None, signal or None, core dumped."""
    number = code & _SIGNAL_MASK
    if number:
        return None, number, bool(code & _CORE_DUMPED)
    return code >> 8 & 0xFF, None, False


def exit_note(end: TaskExit) -> str:
    """``+++ exited with 1 +++``."""
    status, signal, core_dumped = exit_status(end.code)
    if signal is None:
        return f"+++ exited with {status} +++"
    return f"+++ killed by {signal_name(signal)}{' (core dumped)' if core_dumped else ''} +++"


def unrecorded_notes(unrecorded: Unrecorded) -> Iterator[str]:
    """``--- this container used io_uring (2 rings): ... ---``, and what else no record could tell."""
    if count := unrecorded.io_urings:
        rings = f"{count:,} {'ring' if count == 1 else 'rings'}"
        yield f"--- this container used io_uring ({rings}): what it submitted through them is not recorded ---"
    if count := unrecorded.cgroups:
        below = f"{count:,} {'cgroup' if count == 1 else 'cgroups'} below the container's own"
        yield f"--- calls made in {below} are not recorded: it has too many ---"
    if count := unrecorded.rereads:
        calls = f"{count:,} {'call' if count == 1 else 'calls'}"
        yield f"--- arguments of {calls} were not read again at exit: too many were in flight ---"


def lost_note(lost: Lost) -> str:
    """``--- 1,234 earlier events of cpu#1 were overwritten: ... ---``."""
    count, noun = (lost.events, "event") if lost.events else (lost.records, "return")
    earlier = "earlier " if lost.reason == "overwritten" else ""
    text = _LOSSES.get(lost.reason, "{were} lost: " + lost.reason).format(were="was" if count == 1 else "were")
    return f"--- {count:,} {earlier}{noun}{'' if count == 1 else 's'} of cpu#{lost.cpu} {text} ---"
