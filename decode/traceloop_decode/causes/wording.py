# SPDX-License-Identifier: Apache-2.0
"""States what ran, what it said last, and which part of its life a trace covers."""

from __future__ import annotations

from typing import Final

from traceloop_decode.causes.report import Covered, Ran, Words
from traceloop_decode.safe_text import printable
from traceloop_decode.spans import SECOND_NS
from traceloop_decode.trace_facts import TraceFacts

_MILLISECOND_NS: Final = 1_000_000
_WORDS_MAX: Final = 160


def span(ns: int) -> str:
    """Returns a span of time: ``0.412 ms``, ``1.234 s``, ``3,600.0 s``."""
    if ns < 10 * _MILLISECOND_NS:
        return f"{ns / _MILLISECOND_NS:.3g} ms"
    return f"{ns / SECOND_NS:.3f} s" if ns < 10 * SECOND_NS else f"{ns / SECOND_NS:,.1f} s"


def program(ran: Ran) -> str:
    """Returns the program's words; if they are not known, what is known of it instead."""
    if ran.argv:
        return printable(" ".join(ran.argv))
    if not ran.started:
        return "nothing: the program was never started"
    named = f", a process named {printable(ran.comm)}" if ran.comm else ""
    return f"not known{named}: its start is not in the trace"


def said(words: Words) -> list[str]:
    """Returns the last lines to a stream, printable; of a long line its end, which says most."""
    return [printable(line)[-_WORDS_MAX:] for line in words.lines]


def part(covered: Covered, facts: TraceFacts) -> str:
    """Returns what the ring has without a hole: ``its whole life``, ``the last 0.412 ms of 24.0 s``."""
    if not covered.lost:
        return "its whole life"
    whole = f" of {span(facts.ended_ns - facts.started_ns)}" if facts.ended_ns and facts.started_ns else ""
    return f"the last {span(covered.until_ns - covered.from_ns)}{whole}"


def first_times(covered: Covered) -> str:
    """Returns ``, and 412 first times from before``: the firsts of what the ring has no more; "" if there are none."""
    if not (covered.lost and covered.firsts):
        return ""
    return f", and {covered.firsts:,} first {'time' if covered.firsts == 1 else 'times'} from before"
