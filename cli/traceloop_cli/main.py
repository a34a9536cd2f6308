# SPDX-License-Identifier: Apache-2.0
"""The entry point of traceloopctl: the one place that prints errors and picks exit codes."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Final

import click

from traceloop_cli.commands.add import command as add
from traceloop_cli.commands.close import command as close
from traceloop_cli.commands.doctor import command as doctor
from traceloop_cli.commands.dump import command as dump
from traceloop_cli.commands.engine import command as engine
from traceloop_cli.commands.info import command as info
from traceloop_cli.commands.list import command as list_traces
from traceloop_cli.commands.show import command as show
from traceloop_cli.commands.stats import command as stats
from traceloop_cli.errors import Denied, Failed, Unreachable
from traceloop_cli.options.common import DEFAULT_ADDRESS, address_option
from traceloop_cli.options.examples import add_examples
from traceloop_decode.safe_text import printable

_PROGRAM: Final = "traceloopctl"
_EXIT_CODES: Final[dict[type[Exception], int]] = {
    Failed: 1,
    OSError: 1,
    click.UsageError: 2,
    Unreachable: 3,
    Denied: 4,
    click.Abort: 128 + signal.SIGINT,
}


class _Verbs(click.Group):
    """A group of which one verb may be left out, before its options too: ``traceloopctl -o json``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = 0
        while at < len(args) and args[at].startswith("--address"):
            at += 1 if "=" in args[at] else 2
        verbless = not args[at:] and not ctx.resilient_parsing  # which is when a shell completes the verb
        if verbless or (args[at:] and args[at].startswith("-") and args[at] not in ("--help", "-h")):
            args = [*args[:at], "list", *args[at:]]
        return super().parse_args(ctx, args)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@address_option(default=DEFAULT_ADDRESS, envvar="TRACELOOP_ADDRESS")
def cli() -> None:
    """What did a container do, and why did it die? Ask its flight recorder.

    An ID is a trace's id, or an unambiguous beginning of it or of its container's id.

    Exit codes: 0; 1 error or no match; 2 usage; 3 daemon unreachable; 4 permission.
    """


for _verb in (list_traces, info, show, dump, close, add, stats, engine, doctor):
    cli.add_command(_verb)
add_examples(cli)


def main() -> None:
    """Run the command line of this process, and end it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # of `__main__`
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that has seen enough ends this quietly
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # else gRPC writes to stderr too
    if sys.stdout is None:  # closed by who started this
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - it is stdout until the end
    try:
        status = cli.main(prog_name=_PROGRAM, standalone_mode=False) or 0
        sys.stdout.flush()
    except tuple(_EXIT_CODES) as error:
        print(f"{_PROGRAM}: {printable(_message(error))}", file=sys.stderr)
        status = next(code for kind, code in _EXIT_CODES.items() if isinstance(error, kind))
        _discard_output()
    sys.exit(status)


def _message(error: Exception) -> str:
    if isinstance(error, click.Abort):
        return "interrupted"
    if isinstance(error, OSError):
        return f"cannot write the output: {error.strerror}"
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx is not None else _PROGRAM
        what = " ".join(error.format_message().split()).removesuffix(".")
        return f"{what}. See `{path} --help`."
    return str(error)


def _discard_output() -> None:
    # What could not be written would be tried again at exit, and fail with a traceback.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
