# SPDX-License-Identifier: Apache-2.0
"""strace's options, as ``show`` takes them: what is shown of a trace, and how."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import click

from traceloop_cli.options.common import TEXT
from traceloop_cli.options.excerpt import check_window, excerpt_options, last
from traceloop_decode.descriptors.follow import known, protocols, unnamed
from traceloop_decode.events import events
from traceloop_decode.model import Event
from traceloop_decode.ring import unrecorded
from traceloop_decode.selection.select import STATUSES, CallSet, Selection, selected, signal_set, status_set, trace_set
from traceloop_decode.selection.window import within
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text import classic, jsonl, records, short, strace, summary
from traceloop_decode.text.notes import unrecorded_notes
from traceloop_decode.text.times import Clock, no_clock, relative_clock, wall_clock
from traceloop_decode.values.options import Options

FORMATS: Final = ("short", "strace", "classic", "json", "jsonl", "records")
_OBJECTS: Final = ("json", "jsonl")
_RECORDS: Final = "records"  # of the ring, which are no events: none is picked or counted
_STRING_MAX: Final = {"short": 256, "strace": 32}
_VALUES: Final = ("string_max", "verbose", "escape", "constants")  # what only the formats of _STRING_MAX have
_LAYOUT: Final = ("align", "times", "durations", "relative")  # what only strace's format has
_EVENTS: Final = (
    "expressions",
    "paths",
    "successful",
    "failed",
    "descriptors",
    "summary_only",
    "summary",
    "since",
    "until",
)
_ALL: Final = "all"
_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Rendering:
    """The values of the options, by their names here; None, False or 0 where one was not given."""

    output: str
    string_max: int | None
    verbose: bool
    escape: int
    constants: str | None
    descriptors: int
    align: int | None
    times: int
    durations: bool
    relative: bool
    expressions: tuple[str, ...]
    paths: tuple[str, ...]
    successful: bool
    failed: bool
    summary_only: bool
    summary: bool
    since: int | None
    until: int | None
    newest: int | None
    reverse: bool

    def check(self) -> None:
        """Raises click.UsageError where options do not go together, or a set names what there is not."""
        for name in _EVENTS if self.output == _RECORDS else ():
            if getattr(self, name) not in (None, False, 0, ()):
                raise click.UsageError(f"{_NAMES[name]} goes with all formats but -o records.")
        for name in _VALUES if self.output not in _STRING_MAX else ():
            if getattr(self, name):
                raise click.UsageError(f"{_NAMES[name]} goes with -o {' and -o '.join(_STRING_MAX)} alone.")
        if self.descriptors and self.output == "classic":
            raise click.UsageError("-y goes with all formats but -o classic.")
        for name in _LAYOUT if self.output != "strace" else ():
            if getattr(self, name):
                raise click.UsageError(f"{_NAMES[name]} goes with -o strace alone.")
        if self.summary_only and self.summary:
            raise click.UsageError("-c and -C exclude each other.")
        if self.summary_only and (self.newest is not None or self.reverse):
            raise click.UsageError("-n and -r do not go with -c, which prints no lines of events.")
        if self.summary and self.output in _OBJECTS:
            raise click.UsageError("-C goes with -o short, -o strace and -o classic alone.")
        if self.successful and self.failed:
            raise click.UsageError("-z and -Z exclude each other.")
        check_window(self.since, self.until)
        self.selection()

    @property
    def is_for_people(self) -> bool:
        """Whether the lines tell of events in text, where colour helps."""
        return self.output not in (*_OBJECTS, _RECORDS)

    def lines(self, snapshot: Snapshot) -> Iterable[str]:
        """What is shown of a snapshot; first, whatever is picked, what no record could tell."""
        if self.output == _RECORDS:
            return last(records.lines(snapshot), self.newest, reverse=self.reverse)
        text = self.is_for_people or self.summary_only
        missing = unrecorded_notes(unrecorded(snapshot)) if text else jsonl.unrecorded_lines(snapshot)
        shown = itertools.chain(missing, self._picked(snapshot))
        return jsonl.array(shown) if self.output == "json" and not self.summary_only else shown

    def _picked(self, snapshot: Snapshot) -> Iterable[str]:
        found = events(snapshot)
        if self.descriptors or self.paths:  # before any is left out: each may tell of descriptors
            found = known(found, snapshot.open_files, sockets=self.descriptors > 1)
        else:
            found = protocols(found)
        later = frozenset(call.name for call in snapshot.syscalls.values())
        windowed = self.since is not None or self.until is not None
        objects = windowed and self.output in _OBJECTS  # whose calls are not cut in two
        if self._selects or objects:
            selection = self.selection(later)
            found = selected(
                found, replace(selection, statuses=selection.statuses or STATUSES) if objects else selection
            )
        if windowed:
            since_ns, until_ns = (_boottime(at_ns, snapshot) for at_ns in (self.since, self.until))
            found = within(found, since_ns, until_ns, whole=objects)
        if self.paths and not self.descriptors:
            found = unnamed(found)
        if self.summary_only:
            return summary.lines(found)
        if not self.summary:
            return self._excerpt(found, snapshot)
        counted = summary.Summary()
        shown = self._excerpt(map(counted.observe, found), snapshot)
        return itertools.chain(shown, counted.lines())  # a generator: it counts when the lines have passed

    def _excerpt(self, found: Iterable[Event], snapshot: Snapshot) -> Iterable[str]:
        return last(self._lines(found, snapshot), self.newest, reverse=self.reverse)

    def _lines(self, found: Iterable[Event], snapshot: Snapshot) -> Iterator[str]:
        if self.output == "classic":
            return classic.lines(found, snapshot)
        if self.output in _OBJECTS:
            return jsonl.lines(found, snapshot)
        string_max = _STRING_MAX[self.output] if self.string_max is None else self.string_max
        options = Options(string_max, self.verbose, min(self.escape, 2), self.constants or "abbrev")
        if self.output == "short":
            return short.lines(found, snapshot, options)
        align = strace.ALIGN if self.align is None else self.align
        return strace.lines(found, snapshot, options, strace.Layout(align, self._clock(snapshot), self.durations))

    def selection(self, later: frozenset[str] = frozenset()) -> Selection:
        """What -e, -P, -z and -Z ask for. later: calls that the snapshot knows besides. Raises click.UsageError."""
        sets: dict[str, str] = {}
        for expression in self.expressions:
            what, equals, text = expression.partition("=")
            sets.update({_SETS.get(what, what): text} if equals else {"trace": expression})
        if unknown := sets.keys() - set(_SETS.values()):
            raise click.UsageError(f"-e takes trace=, status= or signal=, not {unknown.pop()}=.")
        if self.successful or self.failed:
            sets["status"] = "successful" if self.successful else "failed"
        try:
            calls: CallSet | None = trace_set(sets["trace"], later) if sets.get("trace", _ALL) != _ALL else None
            statuses = status_set(sets["status"]) if sets.get("status", _ALL) != _ALL else None
            signals = signal_set(sets["signal"]) if sets.get("signal", _ALL) != _ALL else None
        except ValueError as error:
            raise click.UsageError(f"-e: {error}.") from error
        return Selection(calls, statuses, signals, tuple(path.encode() for path in self.paths))

    @property
    def _selects(self) -> bool:
        return bool(self.expressions or self.paths or self.successful or self.failed)

    def _clock(self, snapshot: Snapshot) -> Clock:
        clock: Clock = no_clock
        if self.times:
            taken_s = (snapshot.taken_ns + snapshot.boot_offset_ns) // 1_000_000_000
            local_ns = 0 if self.times >= 3 else time.localtime(taken_s).tm_gmtoff * 1_000_000_000
            clock = wall_clock(min(self.times, 3), snapshot.boot_offset_ns + local_ns)
        return relative_clock(clock if self.times else None) if self.relative else clock


def _boottime(realtime_ns: int | None, snapshot: Snapshot) -> int | None:
    return None if realtime_ns is None else realtime_ns - snapshot.boot_offset_ns


_SETS: Final = {
    **dict.fromkeys(("trace", "t"), "trace"),
    **dict.fromkeys(("signal", "signals", "s"), "signal"),
    "status": "status",
}
_NAMES: Final = {
    "string_max": "-s",
    "verbose": "-v",
    "escape": "-x",
    "constants": "-X",
    "descriptors": "-y",
    "align": "-a",
    "times": "-t",
    "durations": "-T",
    "relative": "--relative-timestamps",
    "expressions": "-e",
    "paths": "-P",
    "successful": "-z",
    "failed": "-Z",
    "summary_only": "-c",
    "summary": "-C",
    "since": "-S",
    "until": "-U",
}
_OPTIONS: Final = (
    click.option("-o", "--output", type=click.Choice(FORMATS), default="short", show_default=True),
    click.option("-e", "expressions", metavar="EXPR", type=TEXT, multiple=True, help="trace=, status= or signal=SET."),
    click.option("-P", "--trace-path", "paths", metavar="PATH", type=TEXT, multiple=True, help="Calls on PATH alone."),
    click.option("-z", "--successful-only", "successful", is_flag=True, help="Calls that returned without an error."),
    click.option("-Z", "--failed-only", "failed", is_flag=True, help="Calls that returned with an error."),
    click.option("-s", "--string-limit", "string_max", metavar="N", type=click.IntRange(0), help="Bytes of a string."),
    click.option("-v", "--no-abbrev", "verbose", is_flag=True, help="Structs with all their fields."),
    click.option("-x", "escape", count=True, help="Strings that are not text in hexadecimal; -xx: all."),
    click.option("-X", "--const-print-style", "constants", type=click.Choice(("raw", "abbrev", "verbose"))),
    click.option("-y", "--decode-fds", "descriptors", count=True, help="What descriptors stand for; -yy: sockets too."),
    click.option("-a", "--columns", "align", metavar="N", type=click.IntRange(0, 10_000), help="Column of the result."),
    click.option("-t", "times", count=True, help="The time of day; -tt: with microseconds; -ttt: since 1970."),
    click.option("-T", "--syscall-times", "durations", is_flag=True, help="How long each call took, in seconds."),
    click.option("--relative-timestamps", "relative", is_flag=True, help="Seconds since the line before."),
    click.option("-c", "--summary-only", is_flag=True, help="Calls, errors and times by call, instead."),
    click.option("-C", "--summary", is_flag=True, help="The same behind the lines."),
)


def rendering_options(command: _Command) -> _Command:
    """All of them; the command gets their values by the names of `Rendering`."""
    command = excerpt_options("Events", "lines")(command)
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
