# SPDX-License-Identifier: Apache-2.0
"""Colour, where a person looks: on a terminal, unless NO_COLOR says no (no-color.org), or as --color says."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def colour_option(command: _Command) -> _Command:
    """``--color``; the verb gets it as `color`, for `painted`."""
    choice = click.Choice(("auto", "always", "never"))
    help_text = "auto: on a terminal, without NO_COLOR."
    return click.option("--color", type=choice, default="auto", show_default=True, help=help_text)(command)


def painted(text: str, colour: str, when: str) -> str:
    """The text, coloured or not. when: the option's value."""
    wanted = when == "always" or (
        when == "auto" and sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )
    return click.style(text, fg=colour) if wanted else text
