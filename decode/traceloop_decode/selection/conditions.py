# SPDX-License-Identifier: Apache-2.0
"""Conditions on events: comparisons of fields, joined by and, or, not.

A condition is a tree of frozen values, which a parser or an option makes, and which `predicate` turns into a function.
A comparison holds if one of the field's values fits; one of a field that the event does not have never holds. ``!=``
and ``!~`` are the opposites of ``==`` and ``=~``, so they hold for events without the field.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, NamedTuple

from traceloop_decode.errnos import ERRNO
from traceloop_decode.model import Call, Entered, Event, Returned
from traceloop_decode.selection.call_names import CALL_CLASSES, Predicate, known_calls
from traceloop_decode.selection.fields import FIELDS, Kind, Seen
from traceloop_decode.signals import SIGNAL

_ORDERS: Final = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_MATCHES: Final = ("=~", "!~")
_OPPOSITES: Final = {"!=": "==", "!~": "=~"}
OPERATORS: Final = ("==", "!=", *_ORDERS, *_MATCHES)


class Literal(NamedTuple):
    """A value as it was written: a ``word`` such as ENOENT, ``text`` in quotes, a ``number``, a ``span`` in ns."""

    form: str
    value: int | str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field compared with values, one of which has to fit; a flag has none."""

    field: str
    operator: str = "=="
    values: tuple[int | str, ...] = ()


@dataclass(frozen=True, slots=True)
class Every:
    """True if all of the conditions are."""

    of: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """True if one of the conditions is."""

    of: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Opposite:
    """True if the condition is not."""

    of: Condition


Condition = Comparison | Every | Either | Opposite


def field_named(name: str) -> str:
    """Returns the name of a field. Raises ValueError, whose message lists names that resemble it, or all."""
    if name in FIELDS:
        return name
    close = get_close_matches(name, FIELDS)
    hint = f"did you mean {' or '.join(close)}?" if close else f"fields are {', '.join(FIELDS)}"
    raise ValueError(f"no field is named {name}; {hint}")


def comparison(field: str, sign: str, literals: Iterable[Literal]) -> Condition:
    """Returns a comparison of a field of `FIELDS`. Raises ValueError if the field has other values or no such order."""
    kind = FIELDS[field].kind
    if kind is Kind.FLAG:
        raise ValueError(f"{field} has no value; write {field} or !{field}")
    if sign in _ORDERS and kind not in (Kind.NUMBER, Kind.SPAN):
        raise ValueError(f"{field} is {kind.value}, which has no order; compare it with ==, !=, or in (...)")
    if sign in _MATCHES and kind not in (Kind.TEXT, Kind.CALL):
        raise ValueError(f"{field} is {kind.value}; only text is compared with {sign}")
    found: list[int | str] = []
    for literal in literals:
        found += _pattern(field, literal) if sign in _MATCHES else _VALUES[kind](field, literal)
    made = Comparison(field, _OPPOSITES.get(sign, sign), tuple(found))
    return Opposite(made) if sign in _OPPOSITES else made


def _pattern(field: str, literal: Literal) -> list[int | str]:
    if literal.form != "text":
        raise ValueError(f"{field} is matched with a regular expression in quotes")
    try:
        re.compile(str(literal.value))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"invalid regular expression: {error}") from error
    return [literal.value]


def _number(field: str, literal: Literal) -> list[int | str]:
    if literal.form != "number":
        raise ValueError(f"{field} is a number")
    return [literal.value]


def _span(field: str, literal: Literal) -> list[int | str]:
    if literal.form != "span":
        raise ValueError(f"{field} is a span of time, with a unit: 250us, 10ms, 1.5s, 2min")
    return [literal.value]


def _text(field: str, literal: Literal) -> list[int | str]:
    if literal.form not in ("word", "text"):
        raise ValueError(f"{field} is text; put it in quotes")
    return [literal.value]


def _call(field: str, literal: Literal) -> list[int | str]:
    (name,) = map(str, _text(field, literal))
    if name.startswith("%"):
        if name[1:] not in CALL_CLASSES:
            raise ValueError(f"no class of calls is named {name}; some are %file, %network, %process, %desc, %memory")
        return [*CALL_CLASSES[name[1:]].split()]
    if literal.form == "word" and name not in known_calls():
        close = get_close_matches(name, known_calls())
        hint = f"did you mean {' or '.join(close)}?" if close else "quotes make it a call that only the node knows"
        raise ValueError(f"no system call is named {name}; {hint}")
    return [name]


def _error(field: str, literal: Literal) -> list[int | str]:
    return [_numbered(field, literal, {name: number for number, (name, _) in ERRNO.items()}, "an error", "ENOENT")]


def _signal(field: str, literal: Literal) -> list[int | str]:
    names = {name: number for number, name in SIGNAL.items()}
    names |= {name.removeprefix("SIG"): number for name, number in names.items()}
    return [_numbered(field, literal, names, "a signal", "SIGTERM")]


def _numbered(field: str, literal: Literal, names: dict[str, int], what: str, example: str) -> int:
    if literal.form == "number":
        return int(literal.value)
    name = str(literal.value).upper()
    if literal.form == "span" or name not in names:
        given = literal.value if literal.form != "span" else "a span of time"
        raise ValueError(f"{field} is {what}, such as {example}, not {given}")
    return names[name]


_VALUES: Final = {
    Kind.NUMBER: _number,
    Kind.SPAN: _span,
    Kind.TEXT: _text,
    Kind.CALL: _call,
    Kind.ERROR: _error,
    Kind.SIGNAL: _signal,
}


def fields_of(condition: Condition) -> Iterator[str]:
    """Yields the names of the fields that a condition compares."""
    if isinstance(condition, Comparison):
        yield condition.field
    elif isinstance(condition, Opposite):
        yield from fields_of(condition.of)
    else:
        for part in condition.of:
            yield from fields_of(part)


def predicate(condition: Condition, started_ns: int) -> Predicate:
    """Returns the function that tells whether an event fulfils a condition. started_ns: when recording began."""
    fulfils = _function(condition)

    def selects(event: Event, until_ns: int) -> bool:
        inner = event.call if isinstance(event, Entered | Returned) else event
        return fulfils(Seen(event, inner if isinstance(inner, Call) else None, until_ns, started_ns))

    return selects


_Test = Callable[[Seen], bool]


def _function(condition: Condition) -> _Test:
    if isinstance(condition, Comparison):
        return _compared(condition)
    if isinstance(condition, Opposite):
        of = _function(condition.of)
        return lambda seen: not of(seen)
    parts = [_function(part) for part in condition.of]
    if isinstance(condition, Every):
        return lambda seen: all(part(seen) for part in parts)
    return lambda seen: any(part(seen) for part in parts)


def _compared(comparison: Comparison) -> _Test:
    field, sign, wanted = FIELDS[comparison.field], comparison.operator, comparison.values
    values = field.values
    if field.kind is Kind.FLAG:
        return lambda seen: any(values(seen))
    if sign == "=~":
        patterns = [re.compile(str(text)) for text in wanted]
        return lambda seen: any(pattern.search(str(value)) for value in values(seen) for pattern in patterns)
    if sign in _ORDERS:
        fits, (bound,) = _ORDERS[sign], wanted
        return lambda seen: any(fits(value, bound) for value in values(seen))
    members = frozenset(wanted)
    return lambda seen: any(value in members for value in values(seen))
