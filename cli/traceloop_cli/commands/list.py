# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl list``: lists the traces."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from traceloop_cli.display.colour import colour_option
from traceloop_cli.display.pager import pager_option, print_lines
from traceloop_cli.display.table import HEADINGS, Table, cells
from traceloop_cli.display.terminal import columns
from traceloop_cli.display.traces import in_window, trace_object
from traceloop_cli.errors import Failed
from traceloop_cli.options.common import address_option
from traceloop_cli.options.excerpt import check_window, excerpt_options, last
from traceloop_cli.options.which import Which, which_options
from traceloop_cli.sources.client import listings
from traceloop_cli.sources.listing import Listing, unanswered
from traceloop_decode.safe_text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from traceloop_proto import traceloop_pb2 as pb


@click.command("list")
@click.option("-o", "--output", type=click.Choice(("table", "json")), default="table", show_default=True)
@click.option("--no-legend", is_flag=True, help="Omit the table's headings.")
@click.option("--no-trunc", is_flag=True, help="Never truncate names, even on a narrow terminal.")
@which_options
@excerpt_options("Recordings", "traces")
@click.option("-f", "--follow", "following", is_flag=True, help="Then print each change of a trace as it happens.")
@click.option("-q", "--quiet", is_flag=True, help="Print no line if there are no traces or changes were missed.")
@colour_option
@pager_option
@address_option()
@click.pass_obj
def command(
    address: str,
    *,
    output: str,
    no_legend: bool,
    no_trunc: bool,
    since: int | None,
    until: int | None,
    newest: int | None,
    reverse: bool,
    following: bool,
    quiet: bool,
    color: bool,
    no_pager: bool,
    **chosen: Any,
) -> None:
    """List the traces, oldest first. This is the default COMMAND.

    EXIT and REASON are how the container's first process ended, ENDED is how long ago; LOST is how many of its EVENTS
    the ring no longer holds. A narrow terminal shows fewer columns. A TIME is as in systemd.time(7) or RFC 3339; a
    trace is listed if any part of its recording lies between the two.

    With --follow, a trace's line is printed again when the trace is frozen, archived, dropped or closed; JSON is then
    one object a line.

    Of several hosts, each has a line at least: its traces, its name alone, or in parentheses why it did not answer.
    """
    check_window(since, until)
    if following and (reverse or until is not None):
        raise click.UsageError("-r and -U cannot be combined with --follow, which has no end.")

    which = Which(**chosen)

    def picked(traces: Iterable[pb.Trace]) -> list[pb.Trace]:
        fit = (trace for trace in traces if in_window(trace, since, until) and which.takes(trace))
        return list(last(fit, newest, reverse=reverse))

    table, legend = Table(None if no_trunc else columns(), color=color), [] if no_legend else [HEADINGS]
    if following:
        from traceloop_cli.commands.list_follow import follow  # noqa: PLC0415 - for this option alone

        follow(address, None if output == "json" else table, picked, which.takes, legend=legend, quiet=quiet)
        return
    answers = listings(address)
    if output == "json":
        from traceloop_decode.json_text import dumps  # noqa: PLC0415 - for this format alone

        print(dumps([trace_object(trace) for one in answers if one.reply for trace in picked(one.reply.traces)]))
    else:
        rows = [row for one in answers for row in _rows(one, picked, quiet=quiet)]
        print_lines(table.lines([*legend, *rows]), paged=not no_pager)
        shown = any(one.reply and picked(one.reply.traces) for one in answers)
        if not shown and not quiet and len(answers) == 1 and answers[0].reply:
            print(_what_to_do(len(answers[0].reply.traces)), file=sys.stderr)
    if failed := [one for one in answers if one.error is not None]:
        sys.stdout.flush()  # before what is raised
        reasons = [one.host if output == "table" else one.error for one in failed]  # the table has the errors
        raise Failed(unanswered(reasons, len(answers)))


def _rows(
    listing: Listing, picked: Callable[[Iterable[pb.Trace]], list[pb.Trace]], *, quiet: bool
) -> list[tuple[str, ...]]:
    if listing.reply is None:
        return [(printable(listing.host), f"({printable(listing.reason)})")]
    rows = [cells(trace, time.time_ns()) for trace in picked(listing.reply.traces)]
    return rows or ([] if quiet else [(printable(listing.reply.node or listing.host),)])


def _what_to_do(others: int) -> str:
    # The line after an empty list. others: the traces that were not chosen.
    if others:
        return f"none of the {others} traces fits: `traceloopctl list` without options shows all"
    return (
        "nothing is recorded yet: start a container; if it is not listed then, `traceloopctl engine list` shows whether"
        " its engine runs the hook, and `traceloopctl doctor` what prevents recording"
    )
