# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl add``: record a cgroup that no hook registers."""

from __future__ import annotations

import click

from traceloop_cli.options.common import TEXT, address_option
from traceloop_cli.sources.client import DEADLINE_S, control_address, recorder
from traceloop_decode.safe_text import printable
from traceloop_proto.recorder_pb2 import AddRequest


@click.command("add")
@click.option("--container", metavar="ID", type=TEXT, help="A container that runs; a beginning of its id will do.")
@click.option("--unit", metavar="NAME", type=TEXT, help="A systemd unit that runs, such as cron.service.")
@click.option("--cgroup", metavar="PATH", type=TEXT, help="As in /proc/PID/cgroup, or in the file system.")
@click.option("--name", metavar="NAME", type=TEXT, help="What the trace is to be called, if not as that is.")
@address_option()
@click.pass_obj
def command(address: str, container: str | None, unit: str | None, cgroup: str | None, name: str | None) -> None:
    """Record what no hook registers.

    A container that runs already, a systemd unit, or any cgroup, with all below it, from now on until it ends; a unit
    that is started again has to be added again. Prints the new trace's id.
    """
    if sum(bool(given) for given in (container, unit, cgroup)) != 1:
        raise click.UsageError("Exactly one of --container, --unit and --cgroup is needed.")
    request = AddRequest(container=container or "", unit=unit or "", cgroup=cgroup or "", name=name or "")
    with recorder(control_address(address)) as daemon:
        print(printable(daemon.Add(request, timeout=DEADLINE_S).id))
