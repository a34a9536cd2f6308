# SPDX-License-Identifier: Apache-2.0
"""Colour on a terminal unless NO_COLOR is set (no-color.org), or as --color says.

Failures are red, warnings yellow, live recordings green. Text is made printable before it is coloured, so that all
escape sequences of the output come from this module.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def colour_option(command: _Command) -> _Command:
    """Adds ``--color``; the verb gets the bool `color`."""
    choice = click.Choice(("auto", "always", "never"))
    help_text = "auto: on a terminal, unless NO_COLOR is set."
    return click.option("--color", type=choice, default="auto", show_default=True, callback=_wanted, help=help_text)(
        command
    )


def painted(text: str, colour: str | None, *, bold: bool = False) -> str:
    """Returns the text in a colour, unchanged for None."""
    return click.style(text, fg=colour, bold=bold or None) if colour and text else text


def _wanted(_ctx: click.Context, _param: click.Parameter, when: str) -> bool:
    if when != "auto":
        return when == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
