# SPDX-License-Identifier: Apache-2.0
"""The options of ``show``, mostly strace's: which events of a trace are shown, and how."""

# ruff: noqa: PLC0415 - each format is loaded when it is asked for
from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, Final, TypeVar

import click

from traceloop_cli.options.common import TEXT
from traceloop_cli.options.conflicts import FORMATS, OBJECTS, RECORDS, STRING_MAX, check_conflicts, given
from traceloop_cli.options.excerpt import First, check_window, excerpt_options, last
from traceloop_cli.options.filters import Filters, Pattern, Span, filter_options, matching
from traceloop_cli.options.instants import Instant, InstantType
from traceloop_cli.options.picking import AROUND, Picking
from traceloop_decode.areas import FIRSTS, RUNTIME
from traceloop_decode.events import RING, SOURCES, events
from traceloop_decode.following import Batches, Follower
from traceloop_decode.life import Life, life
from traceloop_decode.model import Event
from traceloop_decode.program_start import ProgramStart, program_start
from traceloop_decode.ring_headers import unrecorded
from traceloop_decode.selection.select import (
    STATUSES,
    CallSet,
    Selection,
    fd_set,
    signal_set,
    status_set,
    trace_set,
)
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text import short
from traceloop_decode.text.notes import is_loss, runtime_note, unrecorded_notes
from traceloop_decode.text.times import Clock, Stamps, no_clock, relative_clock, wall_clock
from traceloop_decode.values.options import Options

_DNS: Final = ("short", *OBJECTS)  # formats that always decode DNS messages
_ALL: Final = "all"
_NOT_GIVEN: Final = {"bool": False, "int": 0, "tuple[str, ...]": ()}  # by type; others: None
_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Rendering:
    """Values of the options; None, False or 0 for one that was not given."""

    output: str
    string_max: int | None
    verbose: bool
    escape: int
    constants: str | None
    descriptors: int
    dns: bool
    align: int | None
    times: int
    durations: bool
    relative: bool
    numbers: bool
    comms: bool
    arg_names: bool
    hex_strings: str | None
    compat: str | None
    absolute: str | None
    relative_as: str | None
    durations_as: str | None
    expressions: tuple[str, ...]
    paths: tuple[str, ...]
    successful: bool
    failed: bool
    summary_only: bool
    summary: bool
    since: int | None
    until: int | None
    newest: int | First | None
    reverse: bool
    since_end: int | None
    around: Instant | None
    grep: re.Pattern[str] | None
    runtime: bool
    following_on: bool
    firsts: bool
    ring_alone: bool
    filters: Filters = field(default_factory=Filters)

    @classmethod
    def only(cls, output: str, expressions: tuple[str, ...]) -> Rendering:
        """Returns the values where no other options were given."""
        given = (one for one in fields(cls) if one.default_factory is MISSING)
        values: dict[str, Any] = {one.name: _NOT_GIVEN.get(str(one.type)) for one in given}
        return cls(**values | {"output": output, "expressions": expressions})

    def check(self) -> None:
        """Raises click.UsageError if options conflict, or a set contains an unknown word."""
        check_conflicts(self)
        check_window(self.since, self.until)
        self._wall()
        self.selection()

    @property
    def is_for_people(self) -> bool:
        """True for formats that print events as text, which colour suits."""
        return self.output not in (*OBJECTS, RECORDS)

    def lines(self, snapshot: Snapshot) -> Iterable[str]:
        """Returns the lines that are shown of a snapshot.

        The first tell what was not recorded at all, whichever events are selected.
        """
        if self.output == RECORDS:
            from traceloop_decode.text import records

            return last(records.lines(snapshot), self.newest, reverse=self.reverse)
        text = self.is_for_people or self.summary_only
        missing = _missing(snapshot, text=text)
        picking = self._picking(snapshot)
        start = self._start(snapshot, picking) if text else None
        notes = iter([runtime_note(start)]) if start is not None and self._from_beginning else iter(())
        shown = itertools.chain(missing, notes, self._shown(picking, snapshot, start))
        if self.output != "json" or self.summary_only:
            return shown
        from traceloop_decode.text import jsonl

        return jsonl.array(shown)

    def following(self, snapshots: Iterator[tuple[Snapshot, bool]]) -> Iterator[str]:
        """Yields the lines of a live ring, from its snapshots, each with whether it is the last one.

        Takes the next snapshot when all lines of the ones before were taken.
        """
        first, is_last = next(snapshots)
        text = self.is_for_people
        yield from _missing(first, text=text)
        start = self._start(first, self._picking(first)) if text else None
        if start is not None and self._from_beginning:
            yield runtime_note(start)
        whole = self._picking(first).selection
        follower = Follower(whole=whole is not None and whole.whole)

        def batch(snapshot: Snapshot, *, last: bool) -> Iterator[Event]:
            picking = self._picking(snapshot)
            start = self._start(snapshot, picking) if text else None
            return follower.new(picking.of(events(snapshot, self._sources), snapshot, start), snapshot, last=last)

        batches = Batches(
            batch(snapshot, last=last) for snapshot, last in itertools.chain([(first, is_last)], snapshots)
        )
        lines: Iterable[str] = self._lines(batches, first)
        yield from lines if self.grep is None else matching(lines, self.grep, is_loss)

    @property
    def _from_beginning(self) -> bool:
        # Is the beginning of the trace a part of what is shown?
        cut = given(self, "since", "since_end", "around", "grep")
        return not cut and (self.newest is None or isinstance(self.newest, First))

    def _start(self, snapshot: Snapshot, picking: Picking) -> ProgramStart | None:
        # Where the container's program began, if what the runtime did before is left out.
        if self.runtime:
            return None
        start = program_start(events(snapshot))
        return None if start.call is None or picking.ends_before(start.call.ts_ns, snapshot) else start

    def _picking(self, snapshot: Snapshot) -> Picking:
        later = frozenset(call.name for call in snapshot.syscalls.values())
        selection = self.selection(later)
        where = self.filters.predicate(snapshot.started_ns)
        if where is not None:
            selection = replace(selection, where=where)
        # JSON shows a call as one object, never its entry alone. Near an end, calls that never returned matter most.
        windowed = given(self, "since", "until") and self.output in OBJECTS
        whole = windowed or given(self, "since_end", "around")
        if whole:
            selection = replace(selection, statuses=selection.statuses or STATUSES)
        return Picking(
            selection=selection if self._selects or whole or where is not None else None,
            by_return=self.output in OBJECTS or self.following_on,
            names=self.descriptors,
            needs_files=bool(self.paths) or self.filters.needs_files,
            dns=self.dns or self.output in _DNS,
            since_ns=self.since,
            until_ns=self.until,
            since_end_ns=self.since_end,
            around=self.around,
            count=self.newest if isinstance(self.newest, int) else AROUND,
        )

    def _shown(self, picking: Picking, snapshot: Snapshot, start: ProgramStart | None) -> Iterable[str]:
        found = picking.of(events(snapshot, self._sources), snapshot, start)
        if not (self.summary or self.summary_only):
            return self._excerpt(found, snapshot)
        from traceloop_decode.text import summary

        counted = summary.Summary(self._life(picking.selection or Selection(), snapshot))
        if self.summary_only:
            return counted.lines_of(found)
        shown = self._excerpt(map(counted.observe, found), snapshot)
        return itertools.chain(shown, counted.lines())  # a generator, so it is read after all events were counted

    @property
    def _sources(self) -> tuple[str, ...]:
        return (FIRSTS, RUNTIME) if self.firsts else (RING,) if self.ring_alone else SOURCES

    def _life(self, selection: Selection, snapshot: Snapshot) -> Life | None:
        # The totals count calls by name, so they answer no other selection.
        selects = selection.paths or selection.statuses is not None or selection.where is not None
        cut = given(self, "since", "until", "since_end", "around", "firsts", "ring_alone")
        return None if selects or cut else life(snapshot, selection.calls)

    def _excerpt(self, found: Iterable[Event], snapshot: Snapshot) -> Iterable[str]:
        lines: Iterable[str] = self._lines(found, snapshot)
        if self.grep is not None:
            lines = matching(lines, self.grep, is_loss)
        return last(lines, None if self.around is not None else self.newest, reverse=self.reverse)

    def _lines(self, found: Iterable[Event], snapshot: Snapshot) -> Iterator[str]:
        if self.output in OBJECTS:
            from traceloop_decode.text import jsonl

            return jsonl.lines(found, snapshot)
        stamps = self._stamps(snapshot)
        if self.output == "classic":
            from traceloop_decode.text import classic

            return classic.lines(found, snapshot, stamps)
        string_max = STRING_MAX[self.output] if self.string_max is None else self.string_max
        dns = self.dns or self.output in _DNS
        escape = _HEX[self.hex_strings] if self.hex_strings else min(self.escape, 2)
        sets = self._sets()
        verbose_calls = trace_set(sets["verbose"]) if sets.get("verbose", _ALL) != _ALL else None
        constants = self.constants or "abbrev"
        names, ends = self.arg_names, self.output == "short"
        options = Options(string_max, self.verbose, escape, constants, dns, names, verbose_calls, ends)
        if self.output == "short":
            return short.lines(found, snapshot, options, stamps)
        from traceloop_decode.text import strace

        align = strace.ALIGN if self.align is None else self.align
        layout = strace.Layout(
            align=align,
            clock=stamps.clock or no_clock,
            duration_digits=stamps.duration_digits,
            numbers=self.numbers,
            comms=self.comms,
            old=self.compat is not None,
            reads=fd_set(sets["read"]) if "read" in sets else None,
            writes=fd_set(sets["write"]) if "write" in sets else None,
        )
        return strace.lines(found, snapshot, options, layout)

    def _stamps(self, snapshot: Snapshot) -> Stamps:
        digits = _DIGITS[self.durations_as or "us"] if self.durations or self.durations_as else None
        cut = given(self, "until", "around", "following_on")  # then a call may have returned later
        return Stamps(self._clock(snapshot), digits, None if cut else snapshot.taken_ns)

    def selection(self, later: frozenset[str] = frozenset()) -> Selection:
        """Returns the selection by -e, -P, -z and -Z. Raises click.UsageError.

        later: names of calls that the snapshot brings in addition to the tables'.
        """
        sets = self._sets()
        if self.successful or self.failed:
            sets["status"] = "successful" if self.successful else "failed"
        try:
            calls: CallSet | None = trace_set(sets["trace"], later) if sets.get("trace", _ALL) != _ALL else None
            statuses = status_set(sets["status"]) if sets.get("status", _ALL) != _ALL else None
            signals = signal_set(sets["signal"]) if sets.get("signal", _ALL) != _ALL else None
            for what in _DUMPS & sets.keys():
                fd_set(sets[what])
            trace_set(sets.get("verbose", _ALL))
        except ValueError as error:
            raise click.UsageError(f"-e: {error}.") from error
        return Selection(calls, statuses, signals, tuple(path.encode() for path in self.paths))

    def _sets(self) -> dict[str, str]:
        # What each -e says, the last of a kind.
        sets: dict[str, str] = {}
        for expression in self.expressions:
            what, equals, text = expression.partition("=")
            sets.update({_SETS.get(what, what): text} if equals else {"trace": expression})
        if unknown := sets.keys() - set(_SETS.values()):
            takes = "trace=, status=, signal=, read=, write= or verbose="
            raise click.UsageError(f"-e takes {takes}, not {unknown.pop()}=.")
        return sets

    @property
    def _selects(self) -> bool:
        return bool(self._sets().keys() - _DUMPS - {"verbose"} or self.paths or self.successful or self.failed)

    def _clock(self, snapshot: Snapshot) -> Clock | None:
        unix, digits = self._wall()
        clock: Clock | None = None
        if digits is not None:
            taken_s = (snapshot.taken_ns + snapshot.boot_offset_ns) // 1_000_000_000
            local_ns = 0 if unix else time.localtime(taken_s).tm_gmtoff * 1_000_000_000
            clock = wall_clock(snapshot.boot_offset_ns + local_ns, unix=unix, digits=digits)
        if not self.relative and self.relative_as is None:
            return clock
        return relative_clock(clock, digits=_DIGITS[self.relative_as or "us"])

    def _wall(self) -> tuple[bool, int | None]:
        # Since 1970? With how many digits? None: without a time.
        if self.absolute is None:
            return self.times >= 3, {0: None, 1: 0}.get(self.times, 6)
        unix, digits = False, 0
        for word in self.absolute.split(","):
            value = word.removeprefix("format:").removeprefix("precision:")
            if value == "none":
                return False, None
            if value in _DIGITS:
                digits = _DIGITS[value]
            elif value in ("unix", "time"):
                unix = value == "unix"
            else:
                raise click.UsageError(f"--absolute-timestamps takes none, time, unix, s, ms, us and ns, not {word!r}.")
        return unix, digits


def _missing(snapshot: Snapshot, *, text: bool) -> Iterable[str]:
    if text:
        return unrecorded_notes(unrecorded(snapshot))
    from traceloop_decode.text import jsonl

    return jsonl.unrecorded_lines(snapshot)


_DIGITS: Final = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_HEX: Final = {"none": 0, "non-ascii": 1, "non-ascii-chars": 3, "all": 2}
_DUMPS: Final = frozenset(("read", "write"))
_SETS: Final = {
    **dict.fromkeys(("trace", "t"), "trace"),
    **dict.fromkeys(("signal", "signals", "s"), "signal"),
    "status": "status",
    **dict.fromkeys(("read", "reads", "r"), "read"),
    **dict.fromkeys(("write", "writes", "w"), "write"),
    **dict.fromkeys(("verbose", "v"), "verbose"),
}
_OPTIONS: Final = (
    click.option("-o", "--output", type=click.Choice(FORMATS), default="short", show_default=True),
    click.option(
        "-e",
        "expressions",
        metavar="EXPR",
        type=TEXT,
        multiple=True,
        help="trace=, status=, signal=, read=, write= or verbose=SET.",
    ),
    click.option("-P", "--trace-path", "paths", metavar="PATH", type=TEXT, multiple=True, help="Only calls on PATH."),
    click.option("-z", "--successful-only", "successful", is_flag=True, help="Only calls that succeeded."),
    click.option("-Z", "--failed-only", "failed", is_flag=True, help="Only calls that returned an error."),
    click.option(
        "-s", "--string-limit", "string_max", metavar="N", type=click.IntRange(0), help="Maximum bytes of a string."
    ),
    click.option("-v", "--no-abbrev", "verbose", is_flag=True, help="All fields of structs."),
    click.option("-x", "escape", count=True, help="Non-ASCII strings in hexadecimal; -xx: all strings."),
    click.option("-X", "--const-print-style", "constants", type=click.Choice(("raw", "abbrev", "verbose"))),
    click.option(
        "-y", "--decode-fds", "descriptors", count=True, help="Paths of descriptors; -yy: also sockets' addresses."
    ),
    click.option("--decode-dns", "dns", is_flag=True, help="Decode DNS messages, as -o short always does."),
    click.option("-a", "--columns", "align", metavar="N", type=click.IntRange(0, 10_000), help="Column of results."),
    click.option("-t", "times", count=True, help="Time of day; -tt: with microseconds; -ttt: since 1970."),
    click.option("-T", "--syscall-times", "durations", is_flag=True, help="Duration of each call, in seconds."),
    click.option("--relative-timestamps", "relative", is_flag=True, help="Seconds since the previous line."),
    click.option(
        "--absolute-timestamps", "absolute", metavar="FORMAT", type=TEXT, help="time or unix, and s, ms, us or ns."
    ),
    click.option("--relative-timestamps-in", "relative_as", type=click.Choice(tuple(_DIGITS)), hidden=True),
    click.option("--syscall-times-in", "durations_as", type=click.Choice(tuple(_DIGITS)), hidden=True),
    click.option("--syscall-number", "numbers", is_flag=True, help="The number of each call before its name."),
    click.option("-N", "--arg-names", is_flag=True, help="The name of each argument before it."),
    click.option("-Y", "--decode-pids", "comms", is_flag=True, help="The thread's name after its number."),
    click.option("--strings-in-hex", "hex_strings", type=click.Choice(tuple(_HEX)), help="Which strings, or bytes."),
    click.option("--compat", type=click.Choice(("6.1",)), help="Print as that version of strace does."),
    click.option(
        "--around", metavar="TIME", type=InstantType(), help="20 events before and after TIME; -n: another number."
    ),
    click.option("--since-end", metavar="SPAN", type=Span(), help="Only the last SPAN of the trace: 5s."),
    click.option("-g", "--grep", metavar="PATTERN", type=Pattern(), help="Only lines that match a regular expression."),
    click.option("-f", "--follow", "following_on", is_flag=True, help="Then print what it does, until it ends."),
    click.option("--runtime", is_flag=True, help="Also what the container runtime did before the program began."),
    click.option("-c", "--summary-only", is_flag=True, help="A table of counts, errors and times by call, instead."),
    click.option("--firsts", is_flag=True, help="Only what is kept because it was new, from the beginning on."),
    click.option("--last", "ring_alone", is_flag=True, help="Only the last calls: what the ring holds."),
    click.option("-C", "--summary", is_flag=True, help="The same table after the lines."),
)


class WithPrecisions(click.Command):
    """A command whose --relative-timestamps and --syscall-times may have a value behind ``=``, as strace's have."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses a command line. Raises click.UsageError."""
        end = args.index("--") if "--" in args else len(args)
        given = [_PRECISIONS.sub(r"\1-in=", word) for word in args[:end]]
        return super().parse_args(ctx, [*given, *args[end:]])


_PRECISIONS: Final = re.compile("^(--relative-timestamps|--syscall-times)=")


def rendering_options(command: _Command) -> _Command:
    """Adds all these options; the command gets their values under the names of `Rendering`'s fields."""
    command = excerpt_options("Events", "lines")(filter_options(command))
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
