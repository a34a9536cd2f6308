# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl close``: deletes traces."""

from __future__ import annotations

import click

from traceloop_cli.options.common import TRACE_ID, address_option
from traceloop_cli.sources.addresses import control_address
from traceloop_cli.sources.client import DEADLINE_S, connected
from traceloop_cli.sources.named import named
from traceloop_proto.traceloop_pb2 import TraceRequest


@click.command("close")
@click.argument("traces", metavar="ID...", type=TRACE_ID, nargs=-1, required=True)
@address_option()
@click.pass_obj
def command(address: str, traces: tuple[str, ...]) -> None:
    """Delete traces permanently.

    A container that is still running is no longer recorded. Prints `closed` for each trace, and stops at the first
    that cannot be closed.
    """
    with connected(control_address(address)) as daemon:
        for word in traces:
            daemon.Close(TraceRequest(id=named(daemon, word).id), timeout=DEADLINE_S)
            print("closed", flush=True)
