# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl engine``: lists the container engines, and makes them run the hook."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from traceloop_cli.display.colour import colour_option
from traceloop_cli.display.finding_lines import finding_lines
from traceloop_cli.display.table import aligned
from traceloop_cli.engines import ENGINES, findings, installed, wiring
from traceloop_cli.engines.host import HOOK, HOOK_SOCKET, Host, find_host
from traceloop_cli.engines.masking import mask_of
from traceloop_cli.engines.model import Plan
from traceloop_cli.errors import Failed
from traceloop_cli.findings import Level
from traceloop_cli.options.common import Group
from traceloop_decode.safe_text import printable

_ENGINE: Final = click.argument("engine", type=click.Choice(tuple(ENGINES)))
_DRY_RUN: Final = click.option("-n", "--dry-run", is_flag=True, help="Show the changes as a diff, without making them.")
_YES: Final = click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation on a terminal.")
_DIRECTORY: Final = click.Path(path_type=Path, file_okay=False, exists=True)
_FILE: Final = click.Path(path_type=Path, dir_okay=False)


def _host_options(command: Callable[..., None]) -> Callable[..., None]:
    # Passes the values of these options to the command as one Host.
    @click.option("--root", metavar="DIR", type=_DIRECTORY, default=Path("/"), help="Work on the system below DIR.")
    @click.option("--hook", metavar="PATH", type=_FILE, help=f"The hook, if not {HOOK}.")
    @click.option("--socket", metavar="PATH", default="", help="The daemon's hook socket, if not the default.")
    @functools.wraps(command)
    def with_host(*, root: Path, hook: Path | None, socket: str, **others: Any) -> None:
        command(host=find_host(root, hook, socket), **others)

    return with_host


@click.group("engine", cls=Group)
def command() -> None:
    """Make container engines run the hook.

    No engine needs that where containers are recorded from their cgroups' births, as by default: see record.from in
    traceloop.toml(5).

    All containers of an enabled engine are recorded, or those that the engine's section in docs/engines.md names.
    """


@command.command("list")
@_host_options
def list_engines(*, host: Host) -> None:
    """List the installed engines, and whether each runs the hook.

    WIRED also says whether a reload or restart is due.
    """
    found = installed(host)
    worst: dict[str, Level] = {}
    due: dict[str, str] = {}
    for finding in findings(host):
        if finding.is_due:
            due[finding.area] = f", {finding.remedy.split()[1]} due"
        elif finding.level is not Level.UNKNOWN:
            worst[finding.area] = max(worst.get(finding.area, Level.OK), finding.level, key=[*Level].index)
    rows = [("ENGINE", "VERSION", "WIRED")]
    words = {Level.OK: "yes", Level.BY_FLAG: "by flag", Level.WARNING: "no", Level.ERROR: "broken"}
    for name, version in found.items():
        rows.append((name, version, words[worst.get(name, Level.WARNING)] + due.get(name, "")))
    for line in aligned(tuple(map(printable, row)) for row in rows):
        print(line)
    if host.records_births(Path(host.socket) if host.socket else HOOK_SOCKET):
        print("traceloopd records containers from their cgroups' births: no engine needs to run the hook.")


@command.command("enable")
@_ENGINE
@click.option("--default", is_flag=True, help="docker: record all containers, not only those that request it.")
@_DRY_RUN
@_YES
@_host_options
def enable(*, engine: str, default: bool, dry_run: bool, yes: bool, host: Host) -> None:
    """Make ENGINE run the hook.

    Shows the changes, keeps a copy of each file, and says what must be restarted; it restarts nothing.
    """
    plan = wiring.plan_enable(host, ENGINES[engine], default=default)
    mask = mask_of(ENGINES[engine])
    unmask = wiring.plan_disable(host, mask) if mask and mask.is_there(host) else Plan([])
    if _agreed((plan, unmask), dry_run=dry_run, yes=yes):
        wiring.enable(host, ENGINES[engine], plan, default=default)
        if mask:
            wiring.disable(host, mask, unmask)
        _say_what_is_left((plan, unmask))


@command.command("disable")
@_ENGINE
@click.option("--uninstall", is_flag=True, help="Only undo, for packages: the hook is about to be removed.")
@_DRY_RUN
@_YES
@_host_options
def disable(*, engine: str, uninstall: bool, dry_run: bool, yes: bool, host: Host) -> None:
    """Undo what `enable` changed.

    Restores each file to the byte; from files that were changed since, only traceloop's entries are removed. A
    package's files stay; for podman and CRI-O they are masked until `enable`.
    """
    plan = wiring.plan_disable(host, ENGINES[engine])
    mask = mask_of(ENGINES[engine])
    masks = Plan([])
    if mask and uninstall:
        masks = wiring.plan_disable(host, mask)
    elif mask and mask.is_needed(host, plan):
        masks = wiring.plan_enable(host, mask, default=False)
    if _agreed((plan, masks), dry_run=dry_run, yes=yes):
        wiring.disable(host, ENGINES[engine], plan)
        if mask and uninstall:
            wiring.disable(host, mask, masks)
        elif mask and masks.changes:
            wiring.enable(host, mask, masks, default=False)
        _say_what_is_left((plan, masks))


@command.command("status")
@click.argument("engines", metavar="[ENGINE]...", nargs=-1, type=click.Choice(tuple(ENGINES)))
@click.option("--restarts", is_flag=True, help="Print only the commands that make engines read changed files.")
@_host_options
@colour_option
def status(*, engines: tuple[str, ...], restarts: bool, host: Host, color: bool) -> None:
    """Report whether each engine runs the hook, and how to fix it.

    Exits with 1 if any engine has a warning or an error.
    """
    if missing := set(engines) - set(installed(host)):
        named = " and ".join(sorted(missing))
        are = "are" if len(missing) > 1 else "is"
        raise Failed(f"{named} {are} not installed here: `traceloopctl engine list` shows what is")
    found = [finding for finding in findings(host) if not engines or finding.area in engines]
    if restarts:
        for remedy in dict.fromkeys(finding.remedy for finding in found if finding.is_due):
            print(remedy)
        if unsure := [finding.what for finding in found if finding.is_unsure]:
            raise Failed(f"it is not known whether a restart is due: {'; '.join(unsure)}")
        return
    for finding in found:
        for line in finding_lines(finding, color=color):
            print(line)
    if not found:
        print("no container engine is installed here")
    if any(finding.level in (Level.WARNING, Level.ERROR) for finding in found):
        sys.exit(1)


def _agreed(plans: tuple[Plan, ...], *, dry_run: bool, yes: bool) -> bool:
    # Shows the plans, and returns whether to carry them out.
    for change in (change for plan in plans for change in plan.changes):
        for line in change.diff():
            print("\t".join(map(printable, line.split("\t"))))
    changes = any(map(_changes_anything, plans))
    if not changes:
        print("nothing to change")
    if dry_run:
        return False
    if changes and not yes and sys.stdin.isatty():
        click.confirm("Make these changes?", abort=True)
    return True


def _say_what_is_left(plans: tuple[Plan, ...]) -> None:
    for restart in dict.fromkeys(plan.restart for plan in plans if plan.restart and _changes_anything(plan)):
        print(f"now run: {restart}")
    for note in (note for plan in plans for note in plan.notes):
        print(f"note: {note}")


def _changes_anything(plan: Plan) -> bool:
    return any(change.makes_a_difference for change in plan.changes)
