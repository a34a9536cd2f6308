# SPDX-License-Identifier: Apache-2.0
"""traceloopctl's command lines: each verb that there is, and lines of a shell read as it would read them."""

import re
import shlex

import click

from traceloop_cli.main import cli


def commands(group=cli, name=()):
    yield name, group
    for word, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*name, word))


def parse(line):
    """Reads the traceloopctl of a line of shell as it would be read, and does nothing of it."""
    (line,) = re.findall(r"^traceloopctl[^|]*", line)
    words = shlex.split(line)[1:]
    if words[:1] == ["--address"]:
        cli.make_context("traceloopctl", words[:2])
        del words[:2]
    words = words or ["list"]
    command = cli
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    command.make_context(command.name, words)
