# SPDX-License-Identifier: Apache-2.0
"""Which part of what has a time is printed: -S, -U, -n and -r, which `list` and `show` have from journalctl(1)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import click

from traceloop_cli.options.moments import parse

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Line = TypeVar("_Line")


class Moment(click.ParamType):
    """A time as people write it; the verb gets nanoseconds since 1970."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The time that `value` means; a usage error if it means none."""
        try:
            return parse(str(value), time.time_ns())
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


def excerpt_options(what: str, newest: str) -> Callable[[_Command], _Command]:
    """The four; the verb gets them as `since`, `until` (ns since 1970, or None), `newest` and `reverse`.

    what: of which the times are. newest: what -n has N of. Both for the help.
    """
    options = (
        click.option(
            "-S", "--since", metavar="TIME", type=Moment(), help=f"{what} from then on: 16:00, -1h, yesterday."
        ),
        click.option("-U", "--until", metavar="TIME", type=Moment(), help=f"{what} up to then."),
        click.option("-n", "--lines", "newest", metavar="N", type=click.IntRange(0), help=f"The last N {newest}."),
        click.option("-r", "--reverse", is_flag=True, help="Newest first."),
    )

    def decorated(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated


def check_window(since: int | None, until: int | None) -> None:
    """Raises click.UsageError if there is no time between the two."""
    if since is not None and until is not None and since > until:
        raise click.UsageError("--since is later than --until.")


def last(lines: Iterable[_Line], newest: int | None, *, reverse: bool) -> Iterable[_Line]:
    """The last `newest` of the lines, or all; memory holds as many as these, and none where all come in their order."""
    if newest is None and not reverse:
        return lines
    return _kept(lines, newest, reverse=reverse)


def _kept(lines: Iterable[_Line], newest: int | None, *, reverse: bool) -> Iterator[_Line]:
    # A generator: nothing is read before the first is asked for.
    kept = deque(lines, newest)
    while kept:
        yield kept.pop() if reverse else kept.popleft()
