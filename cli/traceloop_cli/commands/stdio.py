# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl stdio``: prints what a container printed."""

from __future__ import annotations

from typing import Any

import click

from traceloop_cli.options.common import address_option
from traceloop_cli.options.viewing import Viewing, viewing_options
from traceloop_decode.views.stdio import stdio


@click.command("stdio")
@viewing_options()
@address_option()
@click.pass_obj
def command(address: str, **options: Any) -> None:
    """Print what a container printed on standard output and standard error, in order.

    TIME is when a line began. Brackets say how many bytes of a long write were not recorded; with the capture policies
    no-payload and paths, none were.
    """
    Viewing(**options).show(address, stdio)
