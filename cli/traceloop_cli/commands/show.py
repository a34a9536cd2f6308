# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl show``: prints the events of a trace."""

from __future__ import annotations

from typing import Any

import click

from traceloop_cli.commands.show_follow import follow
from traceloop_cli.display.colour import colour_option
from traceloop_cli.display.highlight import highlighted
from traceloop_cli.display.pager import pager_option, print_lines
from traceloop_cli.options.common import address_option, check_source, trace_or_file
from traceloop_cli.options.rendering import Rendering, WithPrecisions, rendering_options
from traceloop_cli.sources.archive_files import opened, read, snapshot
from traceloop_cli.sources.client import DEADLINE_S, connected
from traceloop_cli.sources.named import named
from traceloop_proto.traceloop_pb2 import TraceRequest


@click.command("show", cls=WithPrecisions)
@trace_or_file
@rendering_options
@colour_option
@pager_option
@address_option()
@click.pass_obj
def command(address: str, *, trace: str | None, path: str | None, color: bool, no_pager: bool, **options: Any) -> None:
    """Print what a container did, without an ID the newest one.

    Prints its system calls, signals and exits, and where events are missing, how many. The container may have ended or
    still be running; it is not stopped. It begins with the firsts: the
    first call of each kind, by number, error and what it names, kept while the ring overwrites the rest. Then come the
    last calls, and between them a line says what was overwritten.

    Formats: short: decoded values. strace: the output of strace -f -o. classic: raw register values. jsonl: one JSON
    object an event; json: one array of them. records: the ring's raw records, for debugging.

    What the container runtime did before it executed the container's program is left out of text; a line says how much.

    -S, -U, -n, -r and -g work as in journalctl. A TIME is as in systemd.time(7) or RFC 3339; losses are always shown.

    --errno, -p, --tid, --comm, --fd-path and --min-duration are parts of a --where EXPR, which compares fields with
    == != < <= > >= =~ !~ and in (...), joined by and, or, not: 'errno == ENOENT && comm =~ "nginx"'. The fields are
    event, syscall, pid, tid, comm, cpu, ret, errno, failed, returned, seccomp, duration, since_start, path, fd,
    fd_path, data, signal, exit_code; traceloopctl(1) describes them.

    The other options work as in strace; its -r and -n are --relative-timestamps and --syscall-number here. A SET is
    [!]WORD[,WORD...]. The words of trace are a call's name, /REGEX, or a class such as %file, %network, %process,
    %desc, %memory, %signal, %ipc, %creds, %stat, %clock; the words of status are successful, failed, unfinished (not
    returned), detached (not returned, and still running).
    """
    rendering = Rendering(**options)
    rendering.check()
    check_source(trace, path)
    if rendering.following_on:
        if path is not None:
            raise click.UsageError("--follow follows a live trace of the daemon's, not a file.")
        follow(address, trace, rendering, color=color)
        return
    found = snapshot(opened(read(path), path)[1], path) if path is not None else snapshot(*_fetched(address, trace))
    lines = rendering.lines(found)
    print_lines(highlighted(lines) if color and rendering.is_for_people else lines, paged=not no_pager)


def _fetched(address: str, word: str | None) -> tuple[bytes, str]:
    # An encoded Snapshot, and the trace's name for messages.
    with connected(address) as daemon:
        trace_id = named(daemon, word).id
        chunks = daemon.Snapshot(TraceRequest(id=trace_id), timeout=DEADLINE_S)
        return b"".join(chunk.data for chunk in chunks), f"trace {trace_id}"
