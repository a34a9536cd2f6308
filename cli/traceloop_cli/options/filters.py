# SPDX-License-Identifier: Apache-2.0
"""The options that select events beyond strace's: each of the short ones stands for a part of a ``--where`` expression.

::

    --errno ENOENT,EACCES     errno in (ENOENT, EACCES)
    --errno '!EAGAIN'         failed && errno != EAGAIN
    -p 7 -p 8                 pid in (7, 8)
    --tid 7                   tid == 7
    --comm nginx              comm == "nginx"
    --fd-path '/var/log/*'    fd_path =~ the same pattern
    --min-duration 10ms       duration >= 10ms

All that are given must hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from traceloop_cli.options.common import TEXT
from traceloop_decode.spans import span_ns

if TYPE_CHECKING:
    from traceloop_decode.selection.call_names import Predicate
    from traceloop_decode.selection.conditions import Condition

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Filters:
    """Values of the options; None or () for one that was not given."""

    errnos: str | None = None
    pids: tuple[str, ...] = ()
    tids: tuple[str, ...] = ()
    comm_names: tuple[str, ...] = ()
    fd_paths: tuple[str, ...] = ()
    min_duration: int | None = None
    where: str | None = None

    def condition(self) -> Condition | None:
        """Returns what all the options together ask for; None if none is given. Raises click.UsageError."""
        if self == _NONE:
            return None
        from traceloop_cli.options.conditions import condition_of  # noqa: PLC0415 - most ask for none

        return condition_of(**{one.name: getattr(self, one.name) for one in fields(self)})

    def predicate(self, started_ns: int) -> Predicate | None:
        """Returns the same as a function of events. started_ns: of the trace."""
        condition = self.condition()
        if condition is None:
            return None
        from traceloop_decode.selection.conditions import predicate  # noqa: PLC0415 - likewise

        return predicate(condition, started_ns)

    @property
    def needs_files(self) -> bool:
        """True if the files of descriptors must be known."""
        condition = self.condition()
        if condition is None:
            return False
        from traceloop_decode.selection.conditions import fields_of  # noqa: PLC0415 - likewise
        from traceloop_decode.selection.fields import needs_files  # noqa: PLC0415 - likewise

        return needs_files(fields_of(condition))


_NONE: Final = Filters()


class Span(click.ParamType):
    """A span of time, such as ``10ms``; the verb gets nanoseconds."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Returns the span that `value` means; a usage error if it means none."""
        try:
            return span_ns(str(value))
        except ValueError as error:
            self.fail(f"{str(value)!r}: {error}; write it as 250us, 10ms, 1.5s or 2min.", param, ctx)


class Pattern(click.ParamType):
    """A regular expression; as for journalctl, one without upper-case letters ignores case."""

    name = "pattern"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> re.Pattern[str]:
        """Returns the compiled expression; a usage error if it is none."""
        text = str(value)
        try:
            return re.compile(text, re.IGNORECASE if text == text.lower() else 0)
        except (re.error, OverflowError, RecursionError) as error:
            self.fail(f"{text!r}: not a regular expression: {error}.", param, ctx)


_OPTIONS: Final = (
    click.option("--errno", "errnos", metavar="SET", type=TEXT, help="Only calls that failed so: ENOENT,EACCES."),
    click.option("-p", "--pid", "pids", metavar="PID", type=TEXT, multiple=True, help="Only this process."),
    click.option("--tid", "tids", metavar="TID", type=TEXT, multiple=True, help="Only this thread."),
    click.option("--comm", "comm_names", metavar="NAME", type=TEXT, multiple=True, help="Only threads of this name."),
    click.option(
        "--fd-path",
        "fd_paths",
        metavar="PATTERN",
        type=TEXT,
        multiple=True,
        help="Only calls on a descriptor of such a file: '/var/log/*'.",
    ),
    click.option("--min-duration", metavar="SPAN", type=Span(), help="Only calls that took at least SPAN: 10ms."),
    click.option(
        "--where", metavar="EXPR", type=TEXT, help="Only events for which EXPR holds: 'errno == EPERM && pid != 7'."
    ),
)


def filter_options(command: _Command) -> _Command:
    """Adds these options; the command gets `filters`, a `Filters`."""

    @wraps(command)
    def with_filters(*args: Any, **options: Any) -> Any:
        filters = Filters(**{field.name: options.pop(field.name) for field in fields(Filters)})
        filters.condition()  # an error in an option comes before any other work
        return command(*args, filters=filters, **options)

    decorated: Any = with_filters
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def matching(lines: Iterable[str], pattern: re.Pattern[str], is_loss: Callable[[str], bool]) -> Iterator[str]:
    """Yields the lines that contain a pattern, and those that report losses."""
    return (line for line in lines if pattern.search(line) or is_loss(line))
