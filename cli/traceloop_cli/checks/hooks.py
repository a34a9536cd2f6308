# SPDX-License-Identifier: Apache-2.0
"""The hook, as engines run it, and the engines that are to run it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from traceloop_cli import engines
from traceloop_cli.checks.model import Finding, Level, Machine
from traceloop_cli.engines.model import Level as EngineLevel

_AREA: Final = "hook"
_UNRECORDED: Final = "containers start all the same, and are not recorded"
_REINSTALL: Final = "apt-get install --reinstall traceloop, dnf reinstall traceloop, or make install"
_FLAGS: Final = "-IS"
_LEVELS: Final = {
    EngineLevel.OK: Level.OK,
    EngineLevel.UNKNOWN: Level.UNKNOWN,
    EngineLevel.BY_FLAG: Level.OK,
    EngineLevel.WARNING: Level.WARNING,
    EngineLevel.ERROR: Level.ERROR,
}


def findings(machine: Machine) -> Iterator[Finding]:
    """Of the script, and of each engine."""
    yield from script(machine)
    found = False
    for finding in engines.findings(machine.host):
        found = True
        area = f"engine {finding.engine}"
        yield Finding(area, _LEVELS[finding.level], finding.what, finding.why, finding.remedy)
    if not found:
        yield Finding("engine", Level.OK, "no container engine is installed here")


def script(machine: Machine) -> Iterator[Finding]:
    """Whether the hook can be run, and is run as it is meant to be."""
    hook = machine.host.hook
    path = machine.host.path(hook)
    try:
        about = path.stat()
        with path.open("rb") as file:
            first = file.readline(4096)
    except FileNotFoundError:
        yield Finding(_AREA, Level.ERROR, f"there is no {hook}", _UNRECORDED, _REINSTALL)
        return
    except OSError as error:
        level = Level.ERROR if machine.is_root else Level.UNKNOWN
        yield Finding(_AREA, level, f"{hook}: {error.strerror}", _UNRECORDED, _REINSTALL)
        return
    words = first.decode(errors="replace").removeprefix("#!").split()
    if not about.st_mode & 0o111:
        yield Finding(_AREA, Level.ERROR, f"{hook} is not executable", _UNRECORDED, f"chmod 0755 {hook}")
    elif not first.startswith(b"#!/") or not words:
        what = f"{hook} does not begin with #! and an interpreter, but {first[:40]!r}"
        yield Finding(_AREA, Level.ERROR, what, _UNRECORDED, _REINSTALL)
    elif not os.access(machine.host.path(Path(words[0])), os.X_OK):
        what = f"{hook} is a script for {words[0]}, which is not there"
        remedy = "apt-get install python3, or dnf install python3"
        yield Finding(_AREA, Level.ERROR, what, _UNRECORDED, remedy)
    elif about.st_mode & 0o022:
        why = "engines run it as root, and others than root may write it"
        yield Finding(
            _AREA, Level.ERROR, f"{hook} has the mode {about.st_mode & 0o7777:04o}", why, f"chmod 0755 {hook}"
        )
    elif _FLAGS not in words[1:]:
        why = "a container's start waits longer: Python imports what the hook does not need"
        yield Finding(_AREA, Level.WARNING, f"{hook} is run without {_FLAGS}", why, _REINSTALL)
    else:
        yield Finding(_AREA, Level.OK, f"{hook} is there")
