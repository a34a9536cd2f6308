# SPDX-License-Identifier: Apache-2.0
"""Differences as one screen of text, and as an object for programs.

The object, version 1 of the schema; ``a`` and ``b`` of a change are "" where a run has none::

    schema      1
    same        true if both did the same, times aside
    divergence  {"a": step or null, "b": step or null}, or null: the first thing that only B did
    failure     the same: the first that failed in B alone, if the divergence did not
    left_out    the same: the first thing that only A did, and what B did then, if B did nothing of its own
    ends files peers variables      lists of {"what", "a", "b"}
    processes   {"only_a": [...], "only_b": [...]}, command lines
    output      lines that only B printed
    slower      list of {"call", "on", "a_ns", "b_ns", "returned"}
    ran_ns lost {"a", "b"}

A step is {"process", "pid", "after_ns", "line"}: after_ns is counted from its run's first event.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from traceloop_decode.comparing.compare import Change, Difference, Pair, Slower, Step
from traceloop_decode.comparing.profile import OK, Profile
from traceloop_decode.safe_text import printable
from traceloop_decode.spans import SECOND_NS
from traceloop_decode.text.short import call_text
from traceloop_decode.values.options import Options

SCHEMA: Final = 1
_MISSING: Final = "ENOENT"
_MOST: Final = 4
_OUTPUT_MOST: Final = 5
_WIDTH: Final = 150
_LABEL: Final = 16
_TEXT: Final = call_text(Options(string_max=80, dns=True, ends=True))
_ROUNDED: Final = 0.9995  # with three digits it is one
_UNITS: Final = ((SECOND_NS, "s"), (1_000_000, "ms"), (1_000, "us"))


def lines(difference: Difference, a: Profile, b: Profile) -> Iterator[str]:
    """Yields the text, without a heading."""
    if difference.same:
        both = "What the two traces still hold is the same" if any(difference.lost) else "Both did the same"
        yield f"{both}: no difference in calls, files, peers, output, environment or ends."
    yield from _pair("First difference", difference.divergence, a, b)
    yield from _pair("First failure in B alone", difference.failure, a, b)
    yield from _pair("B did nothing of its own, and left out", difference.left_out, a, b)
    found = [*_sections(difference)]
    if found and not difference.same and (difference.divergence or difference.left_out):
        yield ""
    yield from found
    yield from _losses(difference)


def fields(difference: Difference, a: Profile, b: Profile) -> dict[str, Any]:
    """Returns the object."""
    return {
        "schema": SCHEMA,
        "same": difference.same,
        "divergence": _pair_fields(difference.divergence, a, b),
        "failure": _pair_fields(difference.failure, a, b),
        "left_out": _pair_fields(difference.left_out, a, b),
        "processes": {"only_a": [*difference.only_a], "only_b": [*difference.only_b]},
        **{
            name: [{"what": printable(one.what), "a": one.a, "b": one.b} for one in getattr(difference, name)]
            for name in ("ends", "files", "peers", "variables")
        },
        "output": [*difference.output],
        "slower": [
            {
                "call": one.name,
                "on": printable(one.on),
                "a_ns": one.a_ns,
                "b_ns": one.b_ns,
                "returned": one.returned,
            }
            for one in difference.slower
        ],
        "ran_ns": dict(zip("ab", difference.ran_ns, strict=True)),
        "lost": dict(zip("ab", difference.lost, strict=True)),
    }


def span(time_ns: int) -> str:
    """Formats a span of time with three digits: ``1.57 s``, ``204 us``."""
    size, unit = next(((size, unit) for size, unit in _UNITS if time_ns >= _ROUNDED * size), _UNITS[-1])
    return f"{time_ns / size:.3g} {unit}" if time_ns < 1000 * size else f"{time_ns // size} {unit}"


def _pair(title: str, pair: Pair | None, a: Profile, b: Profile) -> Iterator[str]:
    if pair is None:
        return
    where, run = (pair.b, b) if pair.b is not None else (pair.a, a)
    assert where is not None
    after = span(where.call.ts_ns - run.start_ns)
    yield f"{title}, after {after}, in {_cut(where.process, 60)} (pid {where.pid}):"
    yield f"  A  {_line(pair.a)}"
    yield f"  B  {_line(pair.b)}"


def _line(step: Step | None) -> str:
    return _cut(_TEXT(step.call, None), _WIDTH) if step is not None else "nothing"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width // 2]}...{text[3 + width // 2 - width :]}"


def _sections(difference: Difference) -> Iterator[str]:
    yield from _section("Ends", [_change(one) for one in difference.ends])
    yield from _alone("Processes", difference.only_a, difference.only_b)
    for name, changes in (("Files", difference.files), ("Peers", difference.peers)):
        yield from _section(name, [_change(one) for one in changes if one.a and one.b])
        yield from _alone(
            name,
            [_named(one, one.a) for one in changes if not one.b and one.a != _MISSING],  # probing, as a rule
            [_named(one, one.b) for one in changes if not one.a],
        )
    yield from _section("Environment", [f"{_change(one)} variables" for one in difference.variables])
    yield from _section("Output of B", difference.output[-_OUTPUT_MOST:], _OUTPUT_MOST)
    yield from _section("Slower in B", [_slow(one) for one in difference.slower])
    a_ns, b_ns = difference.ran_ns
    yield from _section("Ran for", [f"{span(a_ns)} -> {span(b_ns)}"])


def _change(one: Change) -> str:
    return f"{_cut(printable(one.what), 60)}: {one.a or '-'} -> {one.b or '-'}"


def _named(one: Change, outcome: str) -> str:
    return printable(one.what) + ("" if outcome == OK else f" ({outcome})")


def _slow(one: Slower) -> str:
    on = f" {printable(one.on)}" if one.on else ""
    before = span(one.a_ns) if one.a_ns else "not made"
    return f"{_cut(one.name + on, 60)}: {before} -> {span(one.b_ns)}{'' if one.returned else ', not returned'}"


def _section(name: str, texts: Sequence[str], most: int = _MOST) -> Iterator[str]:
    for n, text in enumerate(texts[:most]):
        yield f"{name if n == 0 else '':<{_LABEL}}{_cut(text, _WIDTH)}"
    if len(texts) > most:
        yield f"{'':<{_LABEL}}and {len(texts) - most:,} more (-o json)"


def _alone(name: str, only_a: Sequence[str], only_b: Sequence[str]) -> Iterator[str]:
    for run, texts in (("A", only_a), ("B", only_b)):
        if texts:
            yield f"{f'{name} of {run}':<{_LABEL}}{_cut(_listed(texts), _WIDTH)}"


def _listed(texts: Iterable[str]) -> str:
    counts: dict[str, int] = {}
    for text in texts:
        counts[text] = counts.get(text, 0) + 1
    shown = [f"{_cut(text, 48)}{f' ({count})' if count > 1 else ''}" for text, count in counts.items()]
    return ", ".join(shown[:_MOST]) + (f" and {len(shown) - _MOST:,} more" if len(shown) > _MOST else "")


def _losses(difference: Difference) -> Iterator[str]:
    for run, count in zip("AB", difference.lost, strict=True):
        if count:
            other = "B" if run == "A" else "A"
            yield f"{run} lost {count:,} events: what only {other} has may be among them (a larger ring keeps more)."


def _pair_fields(pair: Pair | None, a: Profile, b: Profile) -> dict[str, Any] | None:
    return None if pair is None else {"a": _step_fields(pair.a, a), "b": _step_fields(pair.b, b)}


def _step_fields(step: Step | None, run: Profile) -> dict[str, Any] | None:
    if step is None:
        return None
    after_ns = step.call.ts_ns - run.start_ns
    return {"process": step.process, "pid": step.pid, "after_ns": after_ns, "line": _TEXT(step.call, None)}
