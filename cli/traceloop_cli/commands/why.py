# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl why``: explains how a container ended."""

from __future__ import annotations

import click

from traceloop_cli.display.colour import colour_option
from traceloop_cli.display.pager import pager_option, print_lines
from traceloop_cli.display.terminal import columns
from traceloop_cli.display.traces import rfc3339
from traceloop_cli.display.why_lines import lines
from traceloop_cli.options.common import address_option, trace_or_file
from traceloop_cli.sources.explained import Explained, of_file, of_trace
from traceloop_decode.causes.objects import report_object
from traceloop_decode.json_text import dumps


@click.command("why")
@trace_or_file
@click.option("-o", "--output", type=click.Choice(("text", "json")), default="text", show_default=True)
@click.option("-v", "--verbose", is_flag=True, help="Leave nothing out, and cut no line.")
@colour_option
@pager_option
@address_option()
@click.pass_obj
def command(
    address: str, *, trace: str | None, path: str | None, output: str, verbose: bool, color: bool, no_pager: bool
) -> None:
    """Explain why a container ended.

    Prints what ran, how it ended, the most likely causes with the calls that they rest on, what it was blocked in, its
    last words, and the configuration that it read last: as much of it as fits one screen. Without ID: the newest
    container that failed.

    A cause is certain, likely or possible; if none stands out, that is said. `show --around TIME` prints the calls
    around one.
    """
    if trace is not None and path is not None:
        raise click.UsageError("ID and --file are mutually exclusive.")
    found = of_file(path) if path is not None else of_trace(address, trace)
    if output == "json":
        print(dumps(_object(found)))
        return
    shown = lines(found.report, found.facts, found.clock, found.place, color=color, width=columns(), whole=verbose)
    print_lines(shown, paged=not no_pager)


def _object(found: Explained) -> dict[str, object]:
    facts = found.facts
    about = {
        "id": facts.trace_id,
        "image": facts.image,
        "started": rfc3339(facts.started_ns),
        "ended": rfc3339(facts.ended_ns),
    }
    shown = report_object(found.report, found.clock)
    return {"schema": shown.pop("schema"), "container": about, **shown}
