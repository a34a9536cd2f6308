# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl processes``: prints the processes of a container as a tree."""

from __future__ import annotations

from typing import Any

import click

from traceloop_cli.options.common import address_option
from traceloop_cli.options.viewing import Viewing, viewing_options
from traceloop_decode.views.processes import processes


@click.command("processes")
@viewing_options(filtered=False)
@address_option()
@click.pass_obj
def command(address: str, **options: Any) -> None:
    """Print the processes of a container as a tree, with command lines, times and ends.

    LASTED is in seconds, and - for a process that has not ended. A process that executed no program has its thread's
    name in brackets. PARENT is - where it is not known which process forked this one.
    """
    Viewing(**options).show(address, processes)
