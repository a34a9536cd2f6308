# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl close``: forget traces."""

from __future__ import annotations

import click

from traceloop_cli.options.common import TRACE_ID, address_option
from traceloop_cli.sources.client import DEADLINE_S, control_address, recorder
from traceloop_proto.recorder_pb2 import TraceRequest


@click.command("close")
@click.argument("traces", metavar="ID...", type=TRACE_ID, nargs=-1, required=True)
@address_option()
@click.pass_obj
def command(address: str, traces: tuple[str, ...]) -> None:
    """Forget traces, for good.

    A container that still runs is no longer recorded. Prints `closed` for each trace, and stops at the first that
    cannot be closed.
    """
    with recorder(control_address(address)) as daemon:
        for trace in traces:
            daemon.Close(TraceRequest(id=trace), timeout=DEADLINE_S)
            print("closed", flush=True)
