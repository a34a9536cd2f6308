# SPDX-License-Identifier: Apache-2.0
"""Tables that views make: columns with a unit each, and rows of plain values, for text and for JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from traceloop_decode.model import Call, Entered, Event, Ignored, Lost, Returned, Signal, TaskExit

Value = int | str | None
"""A cell; None if there is no value, or if it is not known."""
Whole = Call | Signal | Ignored | TaskExit | Lost
"""An event whose call, if it is one, is complete, or never returned."""


class Unit(Enum):
    """The meaning of a column's values. SPAN and SINCE_START are nanoseconds."""

    TEXT = "text"
    COUNT = "count"
    BYTES = "bytes"
    NUMBER = "number"
    SPAN = "span"
    SINCE_START = "since start"


class Column(NamedTuple):
    """A column. name: its key in JSON, which has the unit if it is one of time or size. heading: in text."""

    name: str
    heading: str
    unit: Unit = Unit.TEXT


@dataclass(frozen=True, slots=True)
class Table:
    """A table, whose last column is as wide as it has to be."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]


class Losses:
    """Counts the missing events of a trace, by reason."""

    def __init__(self) -> None:
        self._by_reason: dict[str, Lost] = {}

    def noted(self, events: Iterable[Event]) -> Iterator[Event]:
        """Yields the events and counts the losses among them."""
        for event in events:
            if isinstance(event, Lost):
                before = self._by_reason.get(event.reason, event._replace(events=0, records=0))
                self._by_reason[event.reason] = before._replace(
                    events=before.events + event.events, records=before.records + event.records
                )
            yield event

    def __iter__(self) -> Iterator[Lost]:
        """Iterates over one `Lost` a reason, with the sums of all CPUs; its time and CPU are the first one's."""
        return iter(self._by_reason.values())


def whole(events: Iterable[Event]) -> Iterator[Whole]:
    """Yields the events of `select.selected`, in which calls are whole, without the kinds of halves."""
    return (event.call if isinstance(event, Entered | Returned) else event for event in events)


def limited(names: Iterable[str], most: int = 3) -> str:
    """Joins counted names, the most frequent first: ``ENOENT 5, EACCES``; those beyond `most` become ``...``."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    ordered = sorted(counts.items(), key=lambda entry: -entry[1])
    shown = [name if count == 1 else f"{name} {count}" for name, count in ordered[:most]]
    return ", ".join([*shown, *["..."] * (len(ordered) > most)])
