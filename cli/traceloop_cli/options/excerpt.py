# SPDX-License-Identifier: Apache-2.0
"""The options -S, -U, -n and -r of `list` and `show`, which pick a part of the output as in journalctl(1)."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Line = TypeVar("_Line")
_DIGITS_MAX: Final = 18  # of what is surely below sys.maxsize, which stands for all greater numbers


@dataclass(frozen=True, slots=True)
class First:
    """The first lines, as ``-n +5`` asks for them."""

    count: int


class Lines(click.ParamType):
    """A number of lines: ``5`` for the last ones, of which the verb gets an int, ``+5`` for the first, a `First`."""

    name = "lines"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | First:
        """Returns the number that `value` means; a usage error if it means none."""
        text = str(value)
        if not (text.isascii() and text.removeprefix("+").isdecimal()):
            self.fail(f"{text!r} is not a number of lines: write 5 for the last, +5 for the first.", param, ctx)
        digits = text.removeprefix("+").lstrip("0")
        count = int(digits or 0) if len(digits) <= _DIGITS_MAX else sys.maxsize
        return First(count) if text.startswith("+") else count


class Moment(click.ParamType):
    """A time in one of the forms of `moments`; the verb gets nanoseconds since 1970."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Returns the time that `value` means; a usage error if it means none."""
        from traceloop_cli.options.moments import parse  # noqa: PLC0415 - few ask for a time

        try:
            return parse(str(value), time.time_ns())
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


def excerpt_options(what: str, newest: str) -> Callable[[_Command], _Command]:
    """Adds the four options; the verb gets `since`, `until` (ns since 1970, or None), `newest` and `reverse`.

    what, newest: words for the help: what has the times, and what -n counts.
    """
    options = (
        click.option("-S", "--since", metavar="TIME", type=Moment(), help=f"{what} since TIME: 16:00, -1h, yesterday."),
        click.option("-U", "--until", metavar="TIME", type=Moment(), help=f"{what} until TIME."),
        click.option(
            "-n", "--lines", "newest", metavar="[+]N", type=Lines(), help=f"The last N {newest}; +N: the first N."
        ),
        click.option("-r", "--reverse", is_flag=True, help="Newest first."),
    )

    def decorated(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated


def check_window(since: int | None, until: int | None) -> None:
    """Raises click.UsageError if `since` is later than `until`."""
    if since is not None and until is not None and since > until:
        raise click.UsageError("--since is later than --until.")


def last(lines: Iterable[_Line], newest: int | First | None, *, reverse: bool) -> Iterable[_Line]:
    """Returns the last `newest` lines, the first of them, or all for None.

    Keeps the last ones in memory, and all that are reversed; none if all come in their own order.
    """
    if isinstance(newest, First):
        lines, newest = islice(lines, newest.count), None
    if newest is None and not reverse:
        return lines
    return _kept(lines, newest, reverse=reverse)


def _kept(lines: Iterable[_Line], newest: int | None, *, reverse: bool) -> Iterator[_Line]:
    # A generator, so that nothing is read before the first line is requested.
    kept = deque(lines, newest)
    while kept:
        yield kept.pop() if reverse else kept.popleft()
