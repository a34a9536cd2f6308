# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl info``: all that the daemon knows of a trace."""

from __future__ import annotations

import click

from traceloop_cli.client import DEADLINE_S, recorder
from traceloop_cli.options import TEXT, address_option
from traceloop_cli.traces import trace_object
from traceloop_decode.text.values import printable
from traceloop_proto.recorder_pb2 import TraceRequest


@click.command("info")
@click.argument("trace", metavar="ID", type=TEXT)
@address_option()
@click.pass_obj
def command(address: str, trace: str) -> None:
    """Print what is known of a trace.

    Lines of `key: value`; what is not known is `-`.
    """
    with recorder(address) as daemon:
        found = daemon.Get(TraceRequest(id=trace), timeout=DEADLINE_S)
    for key, value in trace_object(found).items():
        print(f"{key}: {'-' if value in (None, '') else printable(str(value))}")
