# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl bridge``: the far end of ``traceloopctl -H``."""

from __future__ import annotations

import click

from traceloop_cli.bridge import bridge
from traceloop_cli.options.common import address_option
from traceloop_cli.sources.addresses import socket_path
from traceloop_cli.sources.unavailable import unavailable


@click.command("bridge", hidden=True)
@address_option()
@click.pass_obj
def command(address: str) -> None:
    """Join standard input and output with the daemon's socket, for traceloopctl -H on another machine."""
    try:
        path = socket_path(address)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from error
    try:
        bridge(path)
    except OSError as error:
        raise unavailable(path, str(error)) from error
