# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl add``: record a cgroup that no hook registers."""

from __future__ import annotations

import click

from traceloop_cli.client import DEADLINE_S, control_address, recorder
from traceloop_cli.options import TEXT, address_option
from traceloop_decode.text.values import printable
from traceloop_proto.recorder_pb2 import AddRequest


@click.command("add")
@click.option(
    "--cgroup", metavar="PATH", type=TEXT, required=True, help="As in /proc/PID/cgroup, or in the file system."
)
@click.option("--name", metavar="NAME", type=TEXT, required=True, help="What the trace is to be called.")
@address_option()
@click.pass_obj
def command(address: str, cgroup: str, name: str) -> None:
    """Record a cgroup that no hook registers.

    Such as a systemd unit's; with all below it, from now on. Prints the new trace's id.
    """
    with recorder(control_address(address)) as daemon:
        print(printable(daemon.Add(AddRequest(cgroup=cgroup, name=name), timeout=DEADLINE_S).id))
