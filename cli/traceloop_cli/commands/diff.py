# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl diff``: prints what one run of an image did differently from another."""

from __future__ import annotations

from collections.abc import Iterator

import click

from traceloop_cli.display.pager import pager_option, print_lines
from traceloop_cli.exports.events import program
from traceloop_cli.options.common import TRACE_ID, address_option
from traceloop_cli.sources.recorded import Recorded, recorded
from traceloop_decode.archive_file import TraceInfo
from traceloop_decode.comparing.compare import compare
from traceloop_decode.comparing.profile import profile
from traceloop_decode.comparing.report import fields, lines, span
from traceloop_decode.json_text import dumps
from traceloop_decode.safe_text import printable
from traceloop_decode.values.siginfo import signal_name


@click.command("diff")
@click.argument("good", metavar="A", type=TRACE_ID)
@click.argument("other", metavar="B", type=TRACE_ID)
@click.option("-o", "--output", type=click.Choice(("text", "json")), default="text", show_default=True)
@pager_option
@address_option()
@click.pass_obj
def command(address: str, *, good: str, other: str, output: str, no_pager: bool) -> None:
    """Print what run B did differently from run A, a good one of the same image.

    A and B are IDs, or file:PATH for an archive file. Processes are compared with those of the same command line.
    Numbers of processes, addresses in memory, times and random names are ignored, and the order in which threads ran.

    It shows the first thing that only B did, the first that failed only there, and differences in the ends of
    processes, files, network peers, the size of the environment, output, and time. -o json prints all of them.
    """
    a, b = recorded(address, good), recorded(address, other)
    of_a, of_b = (profile(program(run.snapshot)) for run in (a, b))
    found = compare(of_a, of_b)
    if output == "json":
        names = {name: run.info.trace_id for name, run in (("a", a), ("b", b))}
        print(dumps({"traces": names} | fields(found, of_a, of_b)))
        return
    print_lines([*_heading(a, b), *lines(found, of_a, of_b)], paged=not no_pager)


def _heading(a: Recorded, b: Recorded) -> Iterator[str]:
    for name, run in (("A", a), ("B", b)):
        info = run.info
        ran = f", ran {span(info.ended_ns - info.started_ns)}" if info.ended_ns and info.started_ns else ""
        yield f"{name}  {printable(info.trace_id)}: {_end(info)}{ran}"
    if a.info.image != b.info.image:
        yield f"The images differ: {printable(a.info.image) or '-'} and {printable(b.info.image) or '-'}."
    yield ""


def _end(info: TraceInfo) -> str:
    if info.signal is not None:
        return f"killed by {signal_name(info.signal)}"
    if info.exit_code is not None:
        return f"exited with {info.exit_code}"
    return "ended" if info.ended_ns else "running"
