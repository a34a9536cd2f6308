# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl list``: which traces there are."""

from __future__ import annotations

import time

import click

from traceloop_cli.client import DEADLINE_S, recorder
from traceloop_cli.follow import follow
from traceloop_cli.options import address_option
from traceloop_cli.traces import table, trace_object
from traceloop_decode.text.jsonl import dumps
from traceloop_proto.recorder_pb2 import ListRequest


@click.command("list")
@click.option("-o", "--output", type=click.Choice(("table", "json")), default="table", show_default=True)
@click.option("--no-legend", is_flag=True, help="Leave out the table's headings.")
@click.option("-f", "--follow", "following", is_flag=True, help="Then print what becomes of traces, as it happens.")
@address_option()
@click.pass_obj
def command(address: str, output: str, no_legend: bool, following: bool) -> None:  # noqa: FBT001 - click calls it by keyword
    """List the traces, oldest first. This is what no COMMAND does.

    EXIT is how the container's first process ended, LOST how many of its EVENTS the ring no longer holds. With
    --follow, a trace's line comes again when it is frozen, archived, dropped or closed; JSON is an object a line then.
    """
    if following:
        follow(address, output, legend=not no_legend)
        return
    with recorder(address) as daemon:
        reply = daemon.List(ListRequest(), timeout=DEADLINE_S)
    if output == "json":
        print(dumps([trace_object(trace) for trace in reply.traces]))
        return
    for line in table(reply.node, reply.traces, time.time_ns(), legend=not no_legend):
        print(line)
