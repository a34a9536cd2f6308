# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl export``: writes traces in the formats of other programs."""

from __future__ import annotations

import sys

import click

from traceloop_cli.exports.formats import FORMATS
from traceloop_cli.options.common import TEXT, TRACE_ID, address_option
from traceloop_cli.sources.archive_files import STANDARD
from traceloop_cli.sources.output_files import check_target, write
from traceloop_cli.sources.recorded import recorded


@click.command("export")
@click.argument("traces", metavar="[ID]...", type=TRACE_ID, nargs=-1)
@click.option("--format", "name", type=click.Choice(tuple(FORMATS)), required=True, help="The format of the file.")
@click.option(
    "-f", "--file", "path", metavar="FILE", type=TEXT, default=STANDARD, help="The file to write; -: standard output."
)
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
@address_option()
@click.pass_obj
def command(address: str, *, traces: tuple[str, ...], name: str, path: str, force: bool) -> None:
    """Write a trace in the format of another program.

    Without an ID: the newest trace. An ID may be file:PATH, an archive file written by `dump`.

    Formats: html: one page with a picture of the trace, for a ticket; needs no network. perfetto: for ui.perfetto.dev.
    strace: the output of strace -f -ttt -T -yy. jsonl: one JSON object an event, as show -o jsonl -yy. seccomp: a
    profile that allows what one or several containers called in their whole lives. capabilities: those that they
    need, as --cap-drop and --cap-add of engines, and as Kubernetes' securityContext.

    The file contains data that the container read and wrote, so only you may read it (mode 0600).
    """
    chosen = FORMATS[name]
    if len(traces) > 1 and not chosen.several:
        raise click.UsageError(f"--format {name} takes one ID, not {len(traces)}: export each to a file of its own.")
    if chosen.binary and path == STANDARD and sys.stdout.isatty():
        raise click.UsageError(
            f"--format {name} is binary and not for a terminal: redirect the output, or name a file with -f."
        )
    check_target(path, force=force)
    write(path, chosen.export([recorded(address, trace) for trace in traces or (None,)]), force=force)
