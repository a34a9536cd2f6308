# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl summary``: prints sums of calls, errors, bytes and time."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from traceloop_cli.options.common import address_option
from traceloop_cli.options.viewing import Viewing, viewing_options
from traceloop_decode.views.summary import BY, summary


@click.command("summary")
@viewing_options()
@click.option("--by", type=click.Choice(BY), default=BY[0], show_default=True, help="What each row sums.")
@address_option()
@click.pass_obj
def command(address: str, *, by: str, **options: Any) -> None:
    """Print how often a container made calls, how many failed, what they moved, and how long they took.

    Each row sums the calls of one name, process, file or peer; the longest time comes first. A call counts for each
    file or peer that its descriptors stand for. READ and WRITTEN are bytes; TIME is in seconds.
    """
    Viewing(**options).show(address, partial(summary, by=by))
