# SPDX-License-Identifier: Apache-2.0
"""The entry point of traceloopctl: the one place that prints errors and picks exit codes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

import click

from traceloop_cli.commands import VERBS, Commands
from traceloop_cli.errors import Denied, Failed, Unreachable
from traceloop_cli.options.common import DEFAULT_ADDRESS, Group, address_option
from traceloop_cli.options.examples import epilog
from traceloop_cli.options.hosts import OPTIONS, hosts_options, remember
from traceloop_cli.version import VERSION

_PROGRAM: Final = "traceloopctl"
_OWN_OPTIONS: Final = ("--help", "-h", "--version")
_EXIT_CODES: Final[dict[type[Exception], int]] = {
    Failed: 1,
    OSError: 1,
    click.UsageError: 2,
    Unreachable: 3,
    Denied: 4,
    click.Abort: 128 + signal.SIGINT,
}


class _Verbs(Group):
    """A group whose verb `list` may be omitted, even before options: ``traceloopctl -o json``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = 0
        while at < len(args) and args[at].startswith(OPTIONS):
            at += 2 if args[at] in OPTIONS else 1
        verbless = at == len(args) and not ctx.resilient_parsing  # True while a shell completes the verb
        if verbless or (args[at:] and args[at].startswith("-") and args[at] not in _OWN_OPTIONS):
            args = [*args[:at], "list", *args[at:]]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the verbs, but not those that only programs of ours call."""
        return [verb for verb in super().list_commands(ctx) if verb in VERBS]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the verbs without loading them."""
        verbs = [(verb, VERBS[verb]) for verb in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(verbs)


@click.group(
    cls=_Verbs,
    commands=Commands(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=epilog(""),
)
@address_option(default=DEFAULT_ADDRESS, envvar="TRACELOOP_ADDRESS")
@hosts_options
@click.version_option(VERSION, prog_name=_PROGRAM, message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, hosts: Sequence[str], hosts_file: str | None, archive: str | None) -> None:
    """Show what a container did and why it died, even after it is gone.

    An ID is the name of a container or pod (also NAMESPACE/POD or POD/CONTAINER), which means its newest trace; a
    trace's id; or the beginning of any of these. ID~1 is the trace before.

    Exit codes: 0 success; 1 error or no match; 2 usage; 3 daemon unreachable; 4 permission denied.
    """
    remember(ctx, hosts, hosts_file, archive)


def main() -> NoReturn:
    """Runs the command line of this process, and exits."""
    sys.exit(run())


def run() -> int:
    """Runs the command line of this process, and returns its exit status. Its output is written."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # set by `__main__`
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # `engine` asks containerd by grpcio, which also writes to stderr
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end quietly when the reader closes the pipe
    _open_standard_streams()
    try:
        status = _status()
        sys.stdout.flush()
    except tuple(_EXIT_CODES) as error:
        from traceloop_decode.safe_text import printable  # noqa: PLC0415 - for errors alone

        print(f"{_PROGRAM}: {printable(_message(error))}", file=sys.stderr)
        status = next(code for kind, code in _EXIT_CODES.items() if isinstance(error, kind))
        _discard_output()
    return status


def _open_standard_streams() -> None:
    # Those that the parent process closed are empty, or lead nowhere: Python would print to stdout what is for a stderr
    # that is None, and the next file that is opened would have their number.
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003 - it has the lowest free number: fd
        if getattr(sys, name) is None:
            setattr(sys, name, open(fd, mode, closefd=False))  # noqa: SIM115 - until the process ends


def _status() -> int:
    try:
        return cli.main(prog_name=_PROGRAM, standalone_mode=False) or 0
    except SystemExit as ended:
        if isinstance(ended.code, str):
            raise
        return ended.code or 0


def _message(error: Exception) -> str:
    if isinstance(error, click.Abort):
        return "interrupted"
    if isinstance(error, OSError):
        what = "cannot write the output" if error.filename is None else str(error.filename)
        return f"{what}: {error.strerror or error}"
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx is not None else _PROGRAM
        what = " ".join(error.format_message().split()).removesuffix(".")
        return f"{what}. See `{path} --help`."
    return str(error)


def _discard_output() -> None:
    # The interpreter would flush unwritten output again at exit, and print a traceback when that fails.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
