# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl add``: starts to record a cgroup that no hook registers."""

from __future__ import annotations

import click

from traceloop_cli.options.common import TEXT, address_option
from traceloop_cli.sources.addresses import control_address
from traceloop_cli.sources.client import DEADLINE_S, connected
from traceloop_decode.safe_text import printable
from traceloop_proto.traceloop_pb2 import AddRequest


@click.command("add")
@click.option("--container", metavar="ID", type=TEXT, help="A running container; a prefix of its id is enough.")
@click.option("--unit", metavar="NAME", type=TEXT, help="A running systemd unit, such as cron.service.")
@click.option("--cgroup", metavar="PATH", type=TEXT, help="A cgroup, as in /proc/PID/cgroup or as a directory.")
@click.option("--name", metavar="NAME", type=TEXT, help="The trace's name, if not the name of what is added.")
@address_option()
@click.pass_obj
def command(address: str, container: str | None, unit: str | None, cgroup: str | None, name: str | None) -> None:
    """Record a container, unit or cgroup that no hook registers.

    Records a container that is already running, a systemd unit, or any cgroup, with all cgroups below it, from now
    until it ends. A unit that is restarted must be added again. Prints the new trace's id.
    """
    if sum(bool(given) for given in (container, unit, cgroup)) != 1:
        raise click.UsageError("Exactly one of --container, --unit and --cgroup is required.")
    request = AddRequest(container=container or "", unit=unit or "", cgroup=cgroup or "", name=name or "")
    with connected(control_address(address)) as daemon:
        print(printable(daemon.Add(request, timeout=DEADLINE_S).id))
