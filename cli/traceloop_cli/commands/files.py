# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl files``: prints the files that a container used."""

from __future__ import annotations

from typing import Any

import click

from traceloop_cli.options.common import address_option
from traceloop_cli.options.viewing import Viewing, viewing_options
from traceloop_decode.views.files import files


@click.command("files")
@viewing_options()
@address_option()
@click.pass_obj
def command(address: str, **options: Any) -> None:
    """Print the files that a container opened, created, removed or missed, in the order of their first use.

    OPENED counts opens and executions; CREATED also opens with O_CREAT, whose file may have existed; MISSING is how
    often there was no such file, ERRORS which other errors there were. READ and WRITTEN are bytes. Files that were only
    looked at successfully, as by stat, are left out.
    """
    Viewing(**options).show(address, files)
