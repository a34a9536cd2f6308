# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl doctor``: whether recording works on this machine, and what mends it if not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from traceloop_cli.checks import findings, selftest
from traceloop_cli.checks.model import Machine
from traceloop_cli.display.colour import colour_option
from traceloop_cli.display.finding_lines import finding_lines
from traceloop_cli.engines.host import find_host
from traceloop_cli.errors import Denied, Failed
from traceloop_cli.findings import Finding, Level
from traceloop_cli.options.common import address_option
from traceloop_decode.text.jsonl import dumps

if TYPE_CHECKING:
    from collections.abc import Iterable

_STATE_DIR: Final = Path("/var/lib/traceloop")
_FILE: Final = click.Path(path_type=Path, readable=False)


@click.command("doctor")
@click.option("-o", "--output", type=click.Choice(("text", "json")), default="text", show_default=True)
@click.option("--self-test/--no-self-test", default=True, help="Record a process of its own.  [default: do]")
@click.option("--hook", metavar="PATH", type=_FILE, help="Where the hook is, if not where packages put it.")
@click.option("--state-dir", metavar="DIR", type=_FILE, default=_STATE_DIR, help="The daemon's, if it was moved.")
@colour_option
@address_option()
@click.pass_obj
def command(address: str, *, output: str, self_test: bool, hook: Path | None, state_dir: Path, color: bool) -> None:
    """Say whether recording works here, and what is in the way.

    Looks at the kernel, the recorder, the daemon, its sockets and storage, the hook and the engines; then records a
    process of its own, and removes its trace. It changes nothing. Exit code 0 only if recording works; 4 where this
    user cannot tell.
    """
    machine = Machine(find_host(Path("/"), hook, ""), address, state_dir)
    found = []
    for finding in findings(machine, self_test=self_test):
        found.append(finding)
        if output == "text":
            for line in finding_lines(finding, color=color):
                print(line, flush=True)
    problem = _problem(found)
    if output == "json":
        objects = [dataclasses.asdict(finding) | {"level": finding.level.value} for finding in found]
        print(dumps({"recording_works": problem is None, "findings": objects}), flush=True)  # before what is raised
    if problem is not None:
        raise problem
    if output == "text":
        print("recording works")


def _problem(found: Iterable[Finding]) -> Failed | Denied | None:
    # Why it cannot be said that recording works.
    errors = sum(finding.level is Level.ERROR for finding in found)
    if errors:
        return Failed(f"recording does not work as it should: {errors} error{'s' if errors > 1 else ''}")
    if any(finding.level is Level.UNKNOWN and finding.area in (selftest.AREA, "daemon") for finding in found):
        return Denied("nothing wrong was found, but whether recording works could not be tried: run this as root")
    return None
