# SPDX-License-Identifier: Apache-2.0
"""Options and arguments that several verbs share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

DEFAULT_ADDRESS: Final = "unix:/run/traceloop/traceloop.sock"
_ELSEWHERE: Final = ("hosts", "hosts_file", "archive")
"""The values of the options in `hosts`, which name other machines."""
_Command = TypeVar("_Command", bound="Callable[..., Any]")


class Text(click.ParamType):
    """Text in UTF-8, which messages require."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Returns `value` unchanged; a usage error if its bytes are not UTF-8."""
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail(f"{text!r} is not UTF-8.", param, ctx)
        return text


class TraceId(Text):
    """A word that means a trace, such as its id or name, which a shell can complete."""

    name = "id"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Returns the present traces' ids and names on this machine, except those already on the command line."""
        if any(ctx.find_root().params.get(option) for option in _ELSEWHERE):
            return []
        from traceloop_cli.options.completion import trace_words  # noqa: PLC0415 - needs the daemon's messages

        given = ctx.params.get(param.name or "") or ()
        found = trace_words(ctx.find_object(str) or DEFAULT_ADDRESS, incomplete)
        return [item for item in found if item.value not in given]


class Word(click.Argument):
    """A word for a trace that may be omitted; messages about one that was given call it ID."""

    def get_error_hint(self, ctx: click.Context | None) -> str:  # noqa: ARG002 - click's
        """Returns what messages call it."""
        return "'ID'"


class Group(click.Group):
    """A group of verbs that names the verbs which a mistyped one resembles."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Returns the verb of a command line. Raises click.UsageError if there is none of that name."""
        word = args[0]
        if self.get_command(ctx, word) is None and not word.startswith("-") and not ctx.resilient_parsing:
            from difflib import get_close_matches  # noqa: PLC0415 - for a mistyped verb alone

            close = sorted(get_close_matches(word, self.list_commands(ctx)))
            hint = f" (did you mean {' or '.join(close)}?)" if close else ""
            ctx.fail(f"No such command {word!r}{hint}.")
        return super().resolve_command(ctx, args)


TEXT: Final = Text()
TRACE_ID: Final = TraceId()


def _remember(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    # Click calls this for the group first, so an --address after the verb overrides one before it.
    if value is not None:
        from traceloop_cli.sources.addresses import moved  # noqa: PLC0415 - --help needs none

        try:
            ctx.obj = moved(value, ctx.obj)
        except ValueError as error:
            raise click.BadParameter(f"{error}.", ctx, param) from error


def address_option(default: str | None = None, envvar: str | None = None) -> Callable[[_Command], _Command]:
    """Adds ``--address``, whose value the verb gets by ``click.pass_obj``."""
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
    """Adds the argument ID and the option ``--file``. The verb calls `check_source` with both."""
    argument = click.argument("trace", cls=Word, metavar="[ID]", type=TRACE_ID, required=False)
    option = click.option(
        "--file",
        "path",
        metavar="FILE",
        help="An archive file written by `dump`, instead of ID; -: standard input.",
    )
    return argument(option(command))


def check_source(trace: str | None, path: str | None) -> None:
    """Raises click.UsageError if both are given."""
    if trace is not None and path is not None:
        raise click.UsageError("ID and --file are mutually exclusive.")
