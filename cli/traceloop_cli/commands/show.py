# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl show``: the events of a trace."""

from __future__ import annotations

from typing import Any

import click

from traceloop_cli.display.colour import colour_option
from traceloop_cli.display.highlight import highlighted
from traceloop_cli.display.pager import pager_option, print_lines
from traceloop_cli.options.common import address_option, check_source, trace_or_file
from traceloop_cli.options.rendering import Rendering, rendering_options
from traceloop_cli.sources.archive_files import opened, read, snapshot
from traceloop_cli.sources.client import DEADLINE_S, recorder
from traceloop_proto.recorder_pb2 import TraceRequest


@click.command("show")
@trace_or_file
@rendering_options
@colour_option
@pager_option
@address_option()
@click.pass_obj
def command(address: str, *, trace: str | None, path: str | None, color: bool, no_pager: bool, **options: Any) -> None:
    """Print what a container did.

    Its system calls, signals and exits, and in their place how many are no longer there. It may have ended, or still
    run; it is not stopped for this.

    short: decoded values. strace: what strace -f -o writes. classic: the registers as they were. jsonl: one JSON
    object an event; json: one array of them. records: the ring's records as they lie in it, for debugging.

    -S, -U, -n and -r are journalctl's. A TIME is one of systemd.time(7) or RFC 3339; what is lost is always shown.

    The other options are strace's. A SET is [!]WORD[,WORD...]; words of trace: a call, /REGEX, or a class as %file,
    %network, %process, %desc, %memory, %signal, %ipc, %creds, %stat, %clock; of status: successful, failed,
    unfinished, detached.
    """
    rendering = Rendering(**options)
    rendering.check()
    check_source(trace, path)
    if path is not None:
        found = snapshot(opened(read(path), path)[1], path)
    else:
        found = snapshot(_fetched(address, trace), f"trace {trace}")
    lines = rendering.lines(found)
    print_lines(highlighted(lines) if color and rendering.is_for_people else lines, paged=not no_pager)


def _fetched(address: str, trace: str | None) -> bytes:
    with recorder(address) as daemon:
        return b"".join(chunk.data for chunk in daemon.Snapshot(TraceRequest(id=trace), timeout=DEADLINE_S))
