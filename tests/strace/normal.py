# SPDX-License-Identifier: Apache-2.0
"""Lines of two runs made comparable: by thread, halves joined, and no addresses, pids or times in them.

::

    31964 wait4(31965,  <unfinished ...>
    31965 exit_group(0)     = ?
    31964 <... wait4 resumed>NULL, 0, NULL) = 31965

becomes the thread P1's ``wait4(P2, NULL, 0, NULL) = P2`` and the thread P2's ``exit_group(0) = ?``.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

from traceloop_decode.printers.core import READ_AT_EXIT

# Lines that only one of the two runs can have, with the reason; they are left out if the other run lacks them.
ARTEFACTS = [
    # The kernel discards an ignored signal when it is sent, unless the thread is traced.
    re.compile(r"--- SIG(CHLD|URG|WINCH|CONT) \{"),
    # Only the tracer sees a stop of the whole process.
    re.compile(r"--- stopped by SIG"),
]

# To a tracer, a call in which a signal kills the thread never returns: it cannot see the kernel's result.
_KILLED = re.compile(r"\+\+\+ (?:killed by (SIG\w+)|superseded)")
_ANSWER = re.compile(r" = [^=]*$")

_LINE = re.compile(r"(\d+) +(.*)", re.DOTALL)
_UNFINISHED = re.compile(r"(.*?) ?<unfinished \.\.\.>", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)", re.DOTALL)
_RESULT_COLUMN = re.compile(r"\) +(= [^=]*)$")
_PID_SPAN = 1 << 22  # thread numbers may wrap around

_VOLATILE = [
    (re.compile(r"0x(7f|5[56])[0-9a-f]{10}\b"), "ADDRESS"),
    # Resources used by processes, and the rest of a wait
    (re.compile(r"\b(ru_[us]time|left) ?=? ?\{tv_sec=\d+, tv_(u|n)sec=\d+\}"), r"\1={USED}"),
    (re.compile(r"(nanosleep\(.*\}, )\{tv_sec=\d+, tv_nsec=\d+\}(?=\) = \? ERESTART)"), r"\1{USED}"),
    (re.compile(r"\(\d{4}-\d\d-\d\dT[0-9:.]+\+0000\)"), "(WHEN)"),
    (re.compile(r"\b(si_[us]time|tms_\w+|ru_\w+)=\d+"), r"\1=USED"),
    (re.compile(r"\b(st_[acm]time_nsec)=\d+"), r"\1=TIME"),
    (re.compile(r"/\* \d{4}-\d\d-\d\dT[0-9:.]+\+0000 \*/"), "/* WHEN */"),
    # State of the machine
    (re.compile(r"\b(f_bfree|f_bavail|f_ffree|freeram|bufferram|sharedram|freeswap|procs|uptime)=\d+"), r"\1=STATE"),
    (re.compile(r"\bloads=\[\d+, \d+, \d+\]"), "loads=STATE"),
]
_CLOCKS = re.compile(r"(clock_gettime|gettimeofday|times|timer_gettime|getitimer|sched_rr_get_interval)\(")
_TICKS = re.compile(r"(times\(.*\) = )\d+")
_RANDOM = re.compile(r'(getrandom\()"[^"]*"')
_SECONDS = re.compile(r"(tv_sec=)?\b(\d+)(?:(, tv_[un]sec=)\d+)?")
_NOW_WITHIN_S = 3600


def by_thread(lines: list[str], parent: int) -> dict[str, list[str]]:
    """Returns each thread's lines in order; threads are named in the order of their numbers, `parent` is ``PARENT``."""
    threads: dict[int, list[str]] = {}
    begun: dict[int, str] = {}
    for line in lines:
        match = _LINE.fullmatch(line)
        assert match, f"no thread's line: {line!r}"
        tid, text = int(match[1]), match[2]
        of_thread = threads.setdefault(tid, [])
        if unfinished := _UNFINISHED.fullmatch(text):
            begun[tid] = unfinished[1]
            continue
        if resumed := _RESUMED.fullmatch(text):
            text = begun.pop(tid, "") + resumed[1]
        elif tid in begun:
            of_thread.append(begun.pop(tid) + " <unfinished ...>")
        of_thread.append(text)
    for tid, text in begun.items():
        threads[tid].append(text + " <unfinished ...>")
    if not threads:
        return {}
    first = next(iter(threads))
    ordered = sorted(threads, key=lambda tid: (tid - first) % _PID_SPAN)
    names = {str(tid): f"P{n}" for n, tid in enumerate(ordered, 1)} | {str(parent): "PARENT"}
    pids = re.compile(r"\b(" + "|".join(names) + r")\b")
    now = time.time(), time.clock_gettime(time.CLOCK_BOOTTIME)
    return {
        names[str(tid)]: [
            pids.sub(lambda match: names[match[1]], _plain(text, now)) for text in _answered(threads[tid])
        ]
        for tid in ordered
    }


def _answered(lines: list[str]) -> list[str]:
    killed = _KILLED.match(lines[-1]) if len(lines) > 1 else None
    if killed and not lines[-2].startswith("---"):
        lines[-2] = _ANSWER.sub(" = ?", lines[-2]).replace(" <unfinished ...>", ") = ?")
    return lines


def _plain(text: str, now: tuple[float, float]) -> str:
    text = _RESULT_COLUMN.sub(r") \1", text.replace(READ_AT_EXIT, ""))
    for pattern, replacement in _VOLATILE:
        text = pattern.sub(replacement, text)
    text = _TICKS.sub(r"\1TICKS", text) if text.startswith("times(") else text
    text = _RANDOM.sub(r'\1"RANDOM"', text)
    if _CLOCKS.match(text):
        text = re.sub(r"(tv_[un]?sec)=\d+", r"\1=TIME", text)

    def is_now(match: re.Match[str]) -> str:
        seconds = int(match[2])
        near = [clock for clock in now if abs(clock - seconds) < _NOW_WITHIN_S and (match[1] or seconds > 1 << 30)]
        return f"{match[1] or ''}NOW{match[3] + 'TIME' if match[3] else ''}" if near else match[0]

    return _SECONDS.sub(is_now, text)


def is_artefact(line: str) -> bool:
    """Returns whether the other run may legitimately lack the line."""
    return any(pattern.match(line) for pattern in ARTEFACTS)


def workloads(directory: Path) -> list[str]:
    """Returns the names of all workloads."""
    return sorted(path.stem for path in directory.glob("*.c"))
