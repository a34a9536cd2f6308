# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl doctor``: tells whether recording works on this machine, and if not, how to fix it."""

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
from traceloop_decode.json_text import dumps

if TYPE_CHECKING:
    from collections.abc import Sequence

_STATE_DIR: Final = Path("/var/lib/traceloop")
_FILE: Final = click.Path(path_type=Path, readable=False)


@click.command("doctor")
@click.option("-o", "--output", type=click.Choice(("text", "json")), default="text", show_default=True)
@click.option("--self-test/--no-self-test", default=True, help="Record a test process.  [default: on]")
@click.option("--hook", metavar="PATH", type=_FILE, help="The hook, if not where packages put it.")
@click.option("--state-dir", metavar="DIR", type=_FILE, default=_STATE_DIR, help="The daemon's --state-dir.")
@colour_option
@address_option()
@click.pass_obj
def command(address: str, *, output: str, self_test: bool, hook: Path | None, state_dir: Path, color: bool) -> None:
    """Tell whether recording works here, and what prevents it.

    Checks the kernel, the recorder, the daemon, its sockets and storage, the hook and the engines; then records a
    test process, and removes its trace. Changes nothing else. Exits with 0 only if recording works, and with 4 if this
    user lacks the permission to find out.
    """
    machine = Machine(find_host(Path("/"), hook, ""), address, state_dir)
    found = []
    for finding in findings(machine, self_test=self_test):
        found.append(finding)
        if output == "text":
            for line in finding_lines(finding, color=color):
                print(line, flush=True)
    wrong = problem(found)
    if output == "json":
        objects = [dataclasses.asdict(finding) | {"level": finding.level.value} for finding in found]
        print(dumps({"recording_works": wrong is None, "findings": objects}), flush=True)  # before what is raised
    if wrong is not None:
        raise wrong
    if output == "text":
        print(verdict(found))


def problem(found: Sequence[Finding]) -> Failed | Denied | None:
    """Returns the reason why doctor cannot report that recording works, None if it can."""
    warnings = _counted(found, Level.WARNING)
    if errors := _counted(found, Level.ERROR):
        return Failed(f"recording does not work properly: {', '.join(filter(None, (errors, warnings)))}")
    if any(finding.level is Level.UNKNOWN and finding.area in (selftest.AREA, "daemon") for finding in found):
        so_far = f"{warnings}, and" if warnings else "no error was found, but"
        return Denied(f"{so_far} recording could not be tested: run this as root")
    return None


def verdict(found: Sequence[Finding]) -> str:
    """Returns the last line where recording works."""
    warnings = _counted(found, Level.WARNING)
    return f"recording works; {warnings}" if warnings else "recording works"


def _counted(found: Sequence[Finding], level: Level) -> str:
    # ``2 warnings``; "" for none.
    count = sum(finding.level is level for finding in found)
    return f"{count} {level.value}{'s' if count > 1 else ''}" if count else ""
