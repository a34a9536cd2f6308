# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl net``: prints the peers of a container, and the addresses that it listened on."""

from __future__ import annotations

from typing import Any

import click

from traceloop_cli.options.common import address_option
from traceloop_cli.options.viewing import Viewing, viewing_options
from traceloop_decode.views.net import net


@click.command("net")
@viewing_options()
@address_option()
@click.pass_obj
def command(address: str, **options: Any) -> None:
    """Print the peers that a container connected to, the addresses that it listened on, failures and bytes.

    ROLE is connect, listen, accept (of all connections from one host), bind (that failed), or datagrams. NAME is the
    name that was resolved to the peer's address in the trace. COUNT counts connects, listens, connections and
    datagrams.
    """
    Viewing(**options).show(address, net)
