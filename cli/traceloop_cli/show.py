# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl show``: the events of a trace."""

from __future__ import annotations

import sys
from typing import Any

import click

from traceloop_cli.client import DEADLINE_S, recorder
from traceloop_cli.errors import Failed
from traceloop_cli.options import TEXT, address_option
from traceloop_cli.rendering import Rendering, rendering_options
from traceloop_decode.model import DecodeError
from traceloop_decode.snapshot import Snapshot
from traceloop_proto.recorder_pb2 import TraceRequest


@click.command("show")
@click.argument("trace", metavar="ID", type=TEXT)
@rendering_options
@address_option()
@click.pass_obj
def command(address: str, trace: str, **options: Any) -> None:
    """Print what a container did.

    Its system calls, signals and exits, and in their place how many are no longer there. It may have ended, or still
    run; it is not stopped for this.

    short: decoded values. strace: what strace -f -o writes. classic: the registers as they were. jsonl: one JSON
    object an event.

    The options are strace's. A SET is [!]WORD[,WORD...]; words of trace: a call, /REGEX, or a class as %file, %network,
    %process, %desc, %memory, %signal, %ipc, %creds, %stat, %clock; of status: successful, failed, unfinished,
    detached.
    """
    rendering = Rendering(**options)
    rendering.check()
    with recorder(address) as daemon:
        encoded = b"".join(chunk.data for chunk in daemon.Snapshot(TraceRequest(id=trace), timeout=DEADLINE_S))
    try:
        snapshot = Snapshot.decode(encoded)
    except DecodeError as error:
        raise Failed(f"trace {trace}: {error}") from error
    sys.stdout.writelines(f"{line}\n" for line in rendering.lines(snapshot))
