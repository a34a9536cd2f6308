# SPDX-License-Identifier: Apache-2.0
"""What several verbs take on their command lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from traceloop_cli.options.completion import trace_ids
from traceloop_cli.sources.client import socket_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

DEFAULT_ADDRESS: Final = "unix:/run/traceloop/traceloop.sock"
_Command = TypeVar("_Command", bound="Callable[..., Any]")


class Text(click.ParamType):
    """Text that can be sent: UTF-8."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """`value` as it is; a usage error if its bytes are not UTF-8."""
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail(f"{text!r} is not UTF-8.", param, ctx)
        return text


class TraceId(Text):
    """A trace's id or the beginning of one, which a shell can complete."""

    name = "id"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The ids that there are now, but for those on the line already."""
        given = ctx.params.get(param.name or "") or ()
        found = trace_ids(ctx.find_object(str) or DEFAULT_ADDRESS, incomplete)
        return [item for item in found if item.value not in given]


TEXT: Final = Text()
TRACE_ID: Final = TraceId()


def _remember(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    # A verb's own --address comes later than the one before it, and wins.
    if value is not None:
        try:
            socket_path(value)
        except ValueError as error:
            raise click.BadParameter(f"{error}.", ctx, param) from error
        ctx.obj = value


def address_option(default: str | None = None, envvar: str | None = None) -> Callable[[_Command], _Command]:
    """``--address``, whose value the verb gets by ``click.pass_obj``."""
    return click.option(
        "--address",
        metavar="unix:PATH",
        type=TEXT,
        default=default,
        envvar=envvar,
        show_envvar=True,
        show_default=True,
        expose_value=False,
        callback=_remember,
        help="The daemon's socket.",
    )


def trace_or_file(command: _Command) -> _Command:
    """An ID, or ``--file``. The verb calls `check_source` with both."""
    argument = click.argument("trace", metavar="ID", type=TRACE_ID, required=False)
    option = click.option(
        "--file",
        "path",
        metavar="FILE",
        help="An archive file, as `dump` writes it, in the place of ID; -: from stdin.",
    )
    return argument(option(command))


def check_source(trace: str | None, path: str | None) -> None:
    """Raises click.UsageError unless there is one of the two."""
    if trace is None and path is None:
        raise click.UsageError("Missing argument 'ID'.")
    if trace is not None and path is not None:
        raise click.UsageError("ID and --file exclude each other.")
