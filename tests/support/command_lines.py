# SPDX-License-Identifier: Apache-2.0
"""traceloopctl's command lines: all verbs, and shell lines parsed as traceloopctl parses them."""

import re
import shlex
from collections.abc import Iterator

import click

from traceloop_cli.main import cli
from traceloop_cli.options.hosts import OPTIONS


def commands(group: click.Command = cli, name: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield name, group
    for word, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*name, word))


def parse(line: str) -> None:
    """Parses the traceloopctl command of a shell line without running it."""
    (line,) = re.findall(r"^traceloopctl[^|]*", line)
    words = shlex.split(line)[1:]
    while words and words[0] in OPTIONS:
        cli.make_context("traceloopctl", words[:2])
        del words[:2]
    words = words or ["list"]
    command: click.Command = cli
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    command.make_context(command.name, words)
