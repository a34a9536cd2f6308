# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl wait``: waits until a container has ended, and ends as it did."""

from __future__ import annotations

from typing import Final

import click

from traceloop_cli.display.traces import ending
from traceloop_cli.errors import Failed
from traceloop_cli.options.common import TRACE_ID, address_option
from traceloop_cli.sources.client import connected
from traceloop_cli.sources.ending import ended

_BY_SIGNAL: Final = 128  # added to a signal's number, as shells do


@click.command("wait")
@click.argument("trace", metavar="ID", type=TRACE_ID)
@address_option()
@click.pass_obj
def command(address: str, trace: str) -> int:
    """Wait until a container has ended, print its exit code or signal, and exit with it.

    The exit code is that of the container's first process or, if a signal ended it, 128 + the signal's number. It is 1
    with a line on standard error if how the container ended is not known.
    """
    with connected(address) as daemon:
        found = ended(daemon, trace)
    print(ending(found) or "-")
    if found.HasField("signal"):
        return _BY_SIGNAL + found.signal
    if not found.HasField("exit_code"):
        raise Failed(f"trace {found.id}: how its container ended is not known")
    return int(found.exit_code)
