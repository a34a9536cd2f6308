# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl slow``: prints the calls that took longest."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from traceloop_cli.options.common import address_option
from traceloop_cli.options.viewing import Viewing, viewing_options
from traceloop_decode.views.slow import MOST, slow


@click.command("slow")
@viewing_options()
@click.option(
    "-n",
    "--lines",
    "most",
    metavar="N",
    type=click.IntRange(0),
    default=MOST,
    show_default=True,
    help="How many calls.",
)
@address_option()
@click.pass_obj
def command(address: str, *, most: int, **options: Any) -> None:
    """Print the calls that took longest, and what ended each: its result, a signal, or its thread's end.

    A call that never returned lasted until its thread's end or, if that did not come, until the trace's last event.
    """
    Viewing(**options).show(address, partial(slow, most=most))
