# SPDX-License-Identifier: Apache-2.0
"""Colour, where a person looks: on a terminal, unless NO_COLOR says no (no-color.org), or as --color says.

Little of it: what failed is red, what is to be looked at yellow, what goes on green. What is coloured was made
printable before, so that no escape of a terminal is anybody's but ours.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def colour_option(command: _Command) -> _Command:
    """``--color``; the verb gets it as `color`: whether there is to be any."""
    choice = click.Choice(("auto", "always", "never"))
    help_text = "auto: on a terminal, without NO_COLOR."
    return click.option("--color", type=choice, default="auto", show_default=True, callback=_wanted, help=help_text)(
        command
    )


def painted(text: str, colour: str | None, *, bold: bool = False) -> str:
    """The text in a colour; None: in none."""
    return click.style(text, fg=colour, bold=bold or None) if colour and text else text


def _wanted(_ctx: click.Context, _param: click.Parameter, when: str) -> bool:
    if when != "auto":
        return when == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
