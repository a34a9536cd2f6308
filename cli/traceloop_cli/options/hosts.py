# SPDX-License-Identifier: Apache-2.0
"""The options that name daemons of other machines: ``-H``, ``--hosts`` and ``--archive``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import click

from traceloop_cli.options.common import TEXT

OPTIONS: Final = ("--address", "--host", "-H", "--hosts", "--archive")
"""The group's options that take a value."""
_HERE: Final = ("bridge", "doctor", "engine", "run")
_COMMENT: Final = "#"
_Command = TypeVar("_Command", bound=Callable[..., Any])


def hosts_options(command: _Command) -> _Command:
    """Adds the options; the command gets `hosts`, `hosts_file` and `archive`, for `remember`."""
    options = (
        click.option(
            *("-H", "--host", "hosts"),
            metavar="[USER@]HOST",
            type=TEXT,
            multiple=True,
            help="Ask the daemon of another machine, by ssh; several: all of them.",
        ),
        click.option("--hosts", "hosts_file", metavar="FILE", type=TEXT, help="A file of such hosts, one a line."),
        click.option(
            "--archive", metavar="REMOTE:PREFIX", type=TEXT, help="Read what was shipped to a store, by rclone."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def remember(ctx: click.Context, hosts: Sequence[str], hosts_file: str | None, archive: str | None) -> None:
    """Makes the options the verb's address. Raises click.UsageError, Failed."""
    from traceloop_cli.sources.addresses import of_hosts, of_store  # noqa: PLC0415 - not for --help

    named = [*hosts, *(_listed(hosts_file) if hosts_file is not None else ())]
    if hosts_file is not None and not named:
        raise click.UsageError(f"{hosts_file} names no host.")
    if named and archive is not None:
        raise click.UsageError("--archive cannot be combined with -H and --hosts.")
    try:
        if named:
            ctx.obj = of_hosts(named, ctx.obj)
        elif archive is not None:
            ctx.obj = of_store(archive)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from error
    verb = ctx.invoked_subcommand
    if verb in _HERE:
        only_here(verb, ctx.obj)


def only_here(verb: str, address: str) -> None:
    """Refuses an address on another machine for a verb that concerns this one. Raises click.UsageError."""
    from traceloop_cli.sources.addresses import Local, parsed  # noqa: PLC0415 - not for --help

    if not isinstance(parsed(address), Local):
        raise click.UsageError(
            f"{verb} concerns the machine that it runs on: run it there, `ssh HOST traceloopctl {verb}`."
        )


def _listed(path: str) -> list[str]:
    from pathlib import Path  # noqa: PLC0415 - as below: for a file of hosts alone

    from traceloop_cli.sources.file_errors import cannot_read  # noqa: PLC0415

    try:
        lines = Path(path).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError as error:
        raise cannot_read(path, error) from error
    hosts = (line.partition(_COMMENT)[0].strip() for line in lines)
    return [host for host in hosts if host]
