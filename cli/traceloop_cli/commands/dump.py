# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl dump``: writes a trace into a file that can be read on any machine."""

from __future__ import annotations

import sys

import click

from traceloop_cli.options.common import TRACE_ID, Word, address_option
from traceloop_cli.sources.archive_files import STANDARD, opened
from traceloop_cli.sources.client import DEADLINE_S, connected
from traceloop_cli.sources.named import named
from traceloop_cli.sources.output_files import check_target, write
from traceloop_decode.archive_file import NONE, pack, read_head
from traceloop_proto.traceloop_pb2 import TraceRequest


@click.command("dump")
@click.argument("trace", cls=Word, metavar="[ID]", type=TRACE_ID, required=False)
@click.option("--file", "path", metavar="FILE", required=True, help="The file to write; -: standard output.")
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
@address_option()
@click.pass_obj
def command(address: str, trace: str | None, path: str, force: bool) -> None:  # noqa: FBT001 - click calls it by keyword
    """Write a trace into a file, without an ID the newest.

    `show --file` and `info --file` read the file on any machine, without a daemon. A container that is still running
    is not stopped: the file holds the present content of its ring. The file contains data that the container read and
    wrote, so only you may read it (mode 0600).
    """
    if path == STANDARD and sys.stdout.isatty():
        raise click.UsageError("An archive file is binary and not for a terminal: redirect the output, or name a file.")
    check_target(path, force=force)
    with connected(address) as daemon:
        trace_id = named(daemon, trace).id
        file = b"".join(chunk.data for chunk in daemon.Dump(TraceRequest(id=trace_id), timeout=DEADLINE_S))
    info, encoded = opened(file, f"trace {trace_id}")
    if read_head(file).method == NONE:  # the daemon does not spend time on compressing a live ring
        file = pack(info, encoded)
    write(path, [file], force=force)
