# SPDX-License-Identifier: Apache-2.0
"""Findings about signals that a process caused itself: faults, abort(3), and calls that seccomp punishes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from traceloop_decode.causes import subject
from traceloop_decode.causes.death import Death
from traceloop_decode.causes.killed import sent
from traceloop_decode.causes.report import Evidence, Finding, Sure
from traceloop_decode.model import Call, Fault
from traceloop_decode.syscalls import abis

SIGABRT: Final = 6
SIGSYS: Final = 31
FAULTS: Final = {
    4: "it met an illegal instruction",
    5: "it met a breakpoint",
    7: "it used a part of a mapped file that the file does not have",
    8: "it made an arithmetic error, such as a division by zero",
    11: "it used memory that it does not have, or may not use so",
}
OWN_FAULTS: Final = frozenset((*FAULTS, SIGABRT, SIGSYS))
"""Signals by which a process ends because of what it did itself."""
_PAGE_FAULT: Final = 14
_OF_WRITE, _OF_INSTRUCTION = 2, 16
_EXECUTING: Final = "executing "
_NULL_PAGE: Final = 0x1000
_REFUSED: Final = " ... "


def faulted(death: Death) -> Iterator[Finding]:
    """Yields where and at what a process crashed."""
    process = death.process
    call = _abort_of(death)
    if call is not None:
        more = f", and ended by {death.name}, as process 1 ignores SIGABRT"
        yield death.finding("aborted", _aborted(death, more), Sure.CERTAIN, subject.evidence(call))
    elif death.by_process:
        yield from sent(death)
    else:
        fault = death.event.fault if death.event is not None else None
        at, stack = _where(death, fault) if fault is not None else ("", ())
        last = death.story.before_signal.get(process.pid)
        after, lines = (f"; its last call was {last.name}", (subject.evidence(last),)) if last is not None else ("", ())
        said = f"{process.name} crashed ({death.name}): {FAULTS[death.number]}{_address(death, fault)}{at}{after}."
        found = death.finding("crashed", said, Sure.CERTAIN, *lines)
        yield replace(found, evidence=(*found.evidence, *stack))


def _where(death: Death, fault: Fault) -> tuple[str, tuple[Evidence, ...]]:
    # The instruction's place, and the stack as evidence.
    places = death.story.mappings.places(death.process.pid, fault)
    stack: tuple[Evidence, ...] = ()
    if len(places) > 1 and death.event is not None:
        stack = (subject.evidence_of(death.event, subject.stack(places)),)
    if _how(fault) == _EXECUTING:  # the instruction's address is that of the fault
        return "", stack
    known = f" ({places[0]})" if fault.stack[0].address == fault.ip and not places[0].startswith("0x") else ""
    return f", by the instruction at {fault.ip:#x}{known}", stack


def _how(fault: Fault | None) -> str:
    # What a page fault was about, by its error code (arch/x86/include/asm/trap_pf.h).
    if fault is None or fault.trap != _PAGE_FAULT:
        return ""
    if fault.error_code & _OF_INSTRUCTION:
        return _EXECUTING
    return "writing " if fault.error_code & _OF_WRITE else "reading "


def _address(death: Death, fault: Fault | None) -> str:
    # The kernel knows no address for some faults, and gives 0.
    address = death.siginfo.get("si_addr")
    if address is None or death.by_kernel:
        return ""
    if fault is not None and address == fault.ip and _how(fault) != _EXECUTING:  # it is that of the instruction
        return ""
    return f", {_how(fault)}at address {address:#x}{' (a null pointer)' if address < _NULL_PAGE else ''}"


def aborted(death: Death) -> Iterator[Finding]:
    """Yields that a process sent SIGABRT to itself, or who did."""
    call = _abort_of(death)
    if call is None:
        yield from sent(death)
    else:
        yield death.finding("aborted", _aborted(death, ""), Sure.CERTAIN, subject.evidence(call))


def _abort_of(death: Death) -> Call | None:
    # The call by which the process sent SIGABRT to itself, and died. The target is a number of the PID namespace; where
    # that is not the one in the trace, or SIGABRT did not end it, it is the last that the thread did.
    story, pid = death.story, death.process.pid
    raised = story.raised.get(pid)
    if raised is not None and _signal_of(raised) == SIGABRT:
        return raised
    sender = death.event.sender if death.event is not None else None
    if death.number != SIGABRT or (sender is not None and sender.pid != pid):
        return None
    return next((one for one in reversed(story.sent) if _signal_of(one) == SIGABRT and _to_itself(one, pid)), None)


def _signal_of(call: Call) -> int:
    index = 2 if call.name == "tgkill" else 1
    return call.registers[index] if len(call.registers) > index else 0


def _to_itself(call: Call, pid: int) -> bool:
    return call.pid == pid and call.registers[0] == (call.tid if call.name == "tkill" else pid)


def _aborted(death: Death, more: str) -> str:
    return f"{death.process.name} aborted: it sent SIGABRT to itself, as abort(3) and failed assertions do{more}."


def forbidden(death: Death) -> Iterator[Finding]:
    """Yields the call because of which seccomp ended a process."""
    pid = death.process.pid
    refused = next((one.last for one in death.story.failures if one.pid == pid and one.last.by_seccomp), None)
    number = death.siginfo.get("si_syscall")
    lines: tuple[Evidence, ...] = ()
    name = abis(death.arch)[0].call_name(number) if number is not None else "a call"
    if refused is not None:
        name, lines = subject.line(refused).partition(_REFUSED)[0], (subject.evidence(refused),)
    said = f"The container's seccomp filter ended {death.process.name} because of {name}."
    yield death.finding("seccomp-killed", said, Sure.CERTAIN, *lines)
