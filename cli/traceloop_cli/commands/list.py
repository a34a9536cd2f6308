# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl list``: which traces there are."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from traceloop_cli.commands.list_follow import follow
from traceloop_cli.display.colour import colour_option
from traceloop_cli.display.pager import pager_option, print_lines
from traceloop_cli.display.table import HEADINGS, Table, cells
from traceloop_cli.display.terminal import columns
from traceloop_cli.display.traces import in_window, trace_object
from traceloop_cli.options.common import address_option
from traceloop_cli.options.excerpt import check_window, excerpt_options, last
from traceloop_cli.sources.client import DEADLINE_S, recorder
from traceloop_decode.safe_text import printable
from traceloop_decode.text.jsonl import dumps
from traceloop_proto.recorder_pb2 import ListRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from traceloop_proto import recorder_pb2 as pb


@click.command("list")
@click.option("-o", "--output", type=click.Choice(("table", "json")), default="table", show_default=True)
@click.option("--no-legend", is_flag=True, help="Leave out the table's headings.")
@click.option("--no-trunc", is_flag=True, help="Cut no names, on a narrow terminal too.")
@excerpt_options("Recordings", "traces")
@click.option("-f", "--follow", "following", is_flag=True, help="Then print what becomes of traces, as it happens.")
@click.option("-q", "--quiet", is_flag=True, help="No line where there are no traces, none of missed changes.")
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
) -> None:
    """List the traces, oldest first. This is what no COMMAND does.

    EXIT is how the container's first process ended, LOST how many of its EVENTS the ring no longer holds. A TIME is one
    of systemd.time(7), or RFC 3339; a trace counts if any of its recording lies between the two.

    With --follow, a trace's line comes again when it is frozen, archived, dropped or closed; JSON is an object a line
    then.
    """
    check_window(since, until)
    if following and (reverse or until is not None):
        raise click.UsageError("-r and -U do not go with --follow, which goes on.")

    def picked(traces: Iterable[pb.Trace]) -> list[pb.Trace]:
        return list(last((trace for trace in traces if in_window(trace, since, until)), newest, reverse=reverse))

    table, legend = Table(None if no_trunc else columns(), color=color), [] if no_legend else [HEADINGS]
    if following:
        follow(address, None if output == "json" else table, picked, legend=legend, quiet=quiet)
        return
    with recorder(address) as daemon:
        reply = daemon.List(ListRequest(), timeout=DEADLINE_S)
    traces = picked(reply.traces)
    if output == "json":
        print(dumps([trace_object(trace) for trace in traces]))
        return
    rows = [cells(trace, time.time_ns()) for trace in traces] or ([] if quiet else [(printable(reply.node),)])
    print_lines(table.lines([*legend, *rows]), paged=not no_pager)
