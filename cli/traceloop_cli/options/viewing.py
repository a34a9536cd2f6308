# SPDX-License-Identifier: Apache-2.0
"""Options that the verbs which print a view of one trace or several have in common, and how they print it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click

from traceloop_cli.display import views
from traceloop_cli.display.pager import pager_option, print_lines
from traceloop_cli.options.common import TEXT, TRACE_ID
from traceloop_cli.options.filters import Filters, filter_options
from traceloop_cli.options.picking import Picking
from traceloop_cli.sources.several import Source, listed, of_words, one_of_file, readable
from traceloop_decode.events import events
from traceloop_decode.json_text import dumps
from traceloop_decode.model import Event
from traceloop_decode.program_start import program_start
from traceloop_decode.ring_headers import unrecorded
from traceloop_decode.selection.select import STATUSES, Selection
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.views.table import Losses, Table

_Command = TypeVar("_Command", bound=Callable[..., Any])
View = Callable[[Iterable[Event], Snapshot], Table]


@dataclass(frozen=True, slots=True)
class Viewing:
    """Values of the options. filters: None for a view that has none, which then sees calls as halves."""

    ids: tuple[str, ...]
    path: str | None
    everything: bool
    pod: str | None
    output: str
    runtime: bool
    no_pager: bool
    filters: Filters | None = None

    def show(self, address: str, view: View) -> None:
        """Prints a view of the traces that are asked for. Raises CliError or click.UsageError."""
        sources, several = self._sources(address)
        shown = (self._viewed(source, view) for source in sources)
        if self.output == "json":
            print(dumps(views.objects(shown)))
        else:
            print_lines(views.text(shown, several=several), paged=not self.no_pager)

    def _sources(self, address: str) -> tuple[Iterator[Source], bool]:
        # The traces, and whether rows are to name theirs.
        ways = (bool(self.ids), self.path is not None, self.everything, self.pod is not None)
        if sum(ways) > 1:
            raise click.UsageError("Give one of: ID..., --file, --all, --pod.")
        if self.path is not None:
            return iter([one_of_file(self.path)]), False
        if self.everything or self.pod is not None:
            return readable(address, listed(address, self.pod)), True
        return of_words(address, self.ids or (None,)), len(self.ids) > 1

    def _viewed(self, source: Source, view: View) -> views.Shown:
        snapshot = source.snapshot
        if snapshot is None:
            return views.Shown(source.trace, None, error=source.error)
        losses = Losses()
        table = view(losses.noted(self._picked(snapshot)), snapshot)
        return views.Shown(source.trace, table, tuple(losses), unrecorded(snapshot))

    def _picked(self, snapshot: Snapshot) -> Iterator[Event]:
        where = self.filters.predicate(snapshot.started_ns) if self.filters is not None else None
        picking = Picking(
            selection=Selection(statuses=STATUSES, where=where) if self.filters is not None else None,
            by_return=True,
            names=2,
            needs_files=True,
            dns=True,
            since_ns=None,
            until_ns=None,
            since_end_ns=None,
            around=None,
        )
        start = None if self.runtime else program_start(events(snapshot))
        return picking.of(events(snapshot), snapshot, start)


_OPTIONS: Final = (
    click.argument("ids", metavar="[ID]...", type=TRACE_ID, nargs=-1),
    click.option("--file", "path", metavar="FILE", help="An archive file written by `dump`; -: standard input."),
    click.option("--all", "everything", is_flag=True, help="All traces, with the trace's id before each row."),
    click.option("--pod", metavar="[NAMESPACE/]POD", type=TEXT, help="All traces of a pod's containers."),
    click.option("-o", "--output", type=click.Choice(("table", "json")), default="table", show_default=True),
    click.option("--runtime", is_flag=True, help="Also what the container runtime did before the program began."),
)


def viewing_options(*, filtered: bool = True) -> Callable[[_Command], _Command]:
    """Adds these options, and those of `filters` if `filtered`; the verb gets the fields of `Viewing`."""

    def decorated(command: _Command) -> _Command:
        command = pager_option(command)
        if filtered:
            command = filter_options(command)
        for option in reversed(_OPTIONS):
            command = option(command)
        return command

    return decorated
