# SPDX-License-Identifier: Apache-2.0
"""Text of the lines between calls: signals, ends of threads, losses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from traceloop_decode.errnos import is_error
from traceloop_decode.forgotten import CALLS, FIRSTS, FIRSTS_DROPPED, RUNTIME
from traceloop_decode.model import FAULTS, LEFT, NEWER, Ignored
from traceloop_decode.out_of_memory import short_level
from traceloop_decode.safe_text import printable
from traceloop_decode.values.siginfo import fields, signal_name, text_of
from traceloop_decode.wait_status import wait_status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from traceloop_decode.model import Call, Level, Lost, Sender, Signal, TaskExit
    from traceloop_decode.program_start import ProgramStart
    from traceloop_decode.ring_headers import Unrecorded

# Lost.reason -> what happened, and what to do about it.
_LOSSES: Final = {
    "overwritten": "{were} overwritten: a larger ring keeps more (ring.size in traceloop.toml)",
    "rejected": "{were} rejected as possibly damaged: a larger ring makes this rarer (ring.size in traceloop.toml)",
    "dropped": "{were} not recorded, because another record was being written there: this is rare and has no remedy",
}
# A program's own text never comes so early in a line: its thread's name and its arguments come later.
_LOSS: Final = re.compile(
    r"(?:\S+ (?:\(\S+ *\S+\) )?cpu#\d+ )?--- (?:[\d,]+ .* of cpu#\d+|the container's first) "
    r'|\{"schema":\d+,"event":"lost"'
)


_OF_FIRSTS: Final = {
    FIRSTS: "firsts before this were overwritten: more was new than is kept",
    RUNTIME: "calls of the runtime before this were overwritten: its last ones are kept",
    FIRSTS_DROPPED: "{count:,} firsts were not kept, because others were being written there: this has no remedy",
}
_KINDS_SHOWN: Final = 5
_MIB: Final = 1 << 20


def _kinds(calls: tuple[tuple[str, int], ...]) -> str:
    # ``1,234 calls: 1,000 read, 200 write, 34 of 7 other kinds``
    said = [f"{count:,} {name}" for name, count in calls[:_KINDS_SHOWN]]
    if rest := calls[_KINDS_SHOWN:]:
        kinds = f"{len(rest):,} other {'kind' if len(rest) == 1 else 'kinds'}"
        said.append(f"{sum(count for _, count in rest):,} of {kinds}")
    total = sum(count for _, count in calls)
    return f"{total:,} {'call' if total == 1 else 'calls'}: {', '.join(said)}"


def signal_note(signal: Signal, constants: str = "abbrev", arch: str = "x86_64") -> str:
    """Returns ``--- SIGCHLD {si_signo=SIGCHLD, ...} ---``. constants: how -X shows them. arch: the machine's."""
    found, name = fields(signal), signal_name(signal.number)
    return f"--- {name} {text_of(found, constants, arch)} ---" if found else f"--- {name} ---"


def details_note(signal: Signal) -> str:
    """Returns `` sent by pid 7 [kill]``, or another detail of a signal that was recorded; "" if none was.

    The sender is shown even where si_pid is 0, because it is outside the container's pid namespace. A fault has the
    instruction's address, as in `` at 0x401136``; a kill by the kernel the memory that was short.
    """
    if signal.sender is not None:
        return f" {_sent_by(signal.sender)}"
    if signal.memory:
        return f" {memory_note(signal.memory)}"
    return f" at {signal.fault.ip:#x}" if signal.fault is not None and signal.number in FAULTS else ""


def ignored_note(ignored: Ignored, constants: str = "abbrev", arch: str = "x86_64") -> str:
    """Returns ``/* SIGTERM {si_signo=SIGTERM, ...} ignored, sent by pid 7 [kill] */``: nothing happened."""
    name, said = signal_name(ignored.number), text_of(fields(ignored), constants, arch)
    return f"/* {name} {said} ignored, {_sent_by(ignored.sender)} */"


def whole_signal_note(event: Signal | Ignored, constants: str = "abbrev", arch: str = "x86_64") -> str:
    """Returns the note of a signal with its details, or of one that was ignored."""
    if isinstance(event, Ignored):
        return ignored_note(event, constants, arch)
    return signal_note(event, constants, arch) + details_note(event)


def memory_note(levels: tuple[Level, ...]) -> str:
    """Returns ``out of memory: 30.0 MiB of 30.0 MiB``; without numbers where no limit was reached, but the node's."""
    short = short_level(levels)
    if short is None:
        return "out of memory: the node's"
    used, limit = short.level.usage_bytes / _MIB, (short.level.limit_bytes or 0) / _MIB
    return f"out of memory: {used:,.1f} MiB of {limit:,.1f} MiB"


def _sent_by(sender: Sender) -> str:
    return f"sent by pid {sender.pid} [{printable(sender.comm)}]"


def seccomp_note(call: Call) -> str:
    """Returns `` (refused by seccomp)``, or ``answered`` where it gave a value; "" for a call that the kernel ran."""
    return f" ({seccomp_word(call)} by seccomp)" if call.by_seccomp else ""


def seccomp_word(call: Call) -> str:
    """Returns what seccomp did with a call that it did not let pass."""
    return "refused" if call.result is None or is_error(call.result) else "answered"


def exit_note(end: TaskExit) -> str:
    """Returns ``+++ exited with 1 +++``, or ``+++ superseded by execve in pid 5 +++``."""
    if end.superseded_by:
        return f"+++ superseded by execve in pid {end.superseded_by} +++"
    code, signal, core_dumped = wait_status(end.code)
    if signal is None:
        return f"+++ exited with {code} +++"
    return f"+++ killed by {signal_name(signal)}{' (core dumped)' if core_dumped else ''} +++"


def runtime_note(start: ProgramStart) -> str:
    """Returns ``--- 467 events of the container runtime are not shown ... ---``. start: that of the program."""
    count = f"{start.before:,} {'event' if start.before == 1 else 'events'}"
    took_s = ((start.call.ts_ns if start.call is not None else 0) - start.first_ns) / 1e9
    return f"--- {count} of the container runtime, {took_s:.3f} s before the program, are not shown: see --runtime ---"


def is_loss(line: str) -> bool:
    """Tells whether a line of any text format, or of JSON, reports missing events."""
    return _LOSS.match(line) is not None


def unrecorded_notes(unrecorded: Unrecorded) -> Iterator[str]:
    """Yields ``--- this container used io_uring (2 rings): ... ---`` and the other losses that have no record."""
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
    """Returns ``--- 1,234 earlier events of cpu#1 were overwritten: ... ---``."""
    return _lost_text(lost, f" of cpu#{lost.cpu}")


def losses_note(lost: Lost) -> str:
    """Returns the same for the sum of all CPUs: ``--- 1,234 earlier events were overwritten: ... ---``."""
    return _lost_text(lost, "")


def _lost_text(lost: Lost, where: str) -> str:
    if lost.reason == LEFT:
        return "--- the container's first process left its cgroup: its calls in another are not recorded ---"
    if lost.reason == NEWER:
        records = "1 record" if lost.records == 1 else f"{lost.records:,} records"
        what = f"{records}{where} of kinds that this version does not know"
        return f"--- {what}: the recorder is newer, and so must the program be that shows them ---"
    if lost.reason == CALLS:
        return f"--- overwritten, and not among the firsts: {_kinds(lost.calls)} ---"
    if lost.reason in _OF_FIRSTS:
        return f"--- {_OF_FIRSTS[lost.reason].format(count=lost.records)} ---"
    count, noun = (lost.events, "event") if lost.events else (lost.records, "return")
    earlier = "earlier " if lost.reason == "overwritten" else ""
    text = _LOSSES.get(lost.reason, "{were} lost: " + lost.reason).format(were="was" if count == 1 else "were")
    return f"--- {count:,} {earlier}{noun}{'' if count == 1 else 's'}{where} {text} ---"
