# SPDX-License-Identifier: Apache-2.0
"""The hook program, and the engines that are meant to run it."""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from traceloop_cli import engines
from traceloop_cli.checks.model import Machine
from traceloop_cli.findings import Finding, Level

_AREA: Final = "hook"
_UNRECORDED: Final = "containers still start, but are not recorded"
_NO_LOOK: Final = "this user cannot see whether its containers are recorded from their cgroups' births"
_UNNEEDED: Final = "its containers are recorded from their cgroups' births, without a hook"
_REINSTALL: Final = "apt-get install --reinstall traceloop, dnf reinstall traceloop, or make install"
_HEAD_BYTES: Final = 4096
_KIND: Final = (4, 5, 18, 19)  # elf(5): offsets of word size, byte order and machine in an ELF header


def findings(machine: Machine) -> Iterator[Finding]:
    """Yields findings about the hook program and about each engine."""
    yield from program(machine)
    found = False
    for finding in engines.findings(machine.host):
        found = True
        level = Level.OK if finding.level is Level.BY_FLAG else finding.level
        made = dataclasses.replace(finding, area=f"engine {finding.area}", level=level)
        if level is Level.WARNING and (births := machine.records_births) is not False:  # no hook is needed
            what, level = (_UNNEEDED, Level.OK) if births else (_NO_LOOK, Level.UNKNOWN)
            made = Finding(made.area, level, f"{finding.what}; {what}")
        yield made
    if not found:
        yield Finding("engine", Level.OK, "no container engine is installed here")


def program(machine: Machine) -> Iterator[Finding]:
    """Reports whether the hook can be run, and whether only root can change it."""
    hook = machine.host.hook
    path = machine.host.path(hook)
    try:
        about = path.stat()
        first = _head(path) if stat.S_ISREG(about.st_mode) else b""
    except FileNotFoundError:
        yield Finding(_AREA, Level.ERROR, f"there is no {hook}", _UNRECORDED, _REINSTALL)
        return
    except OSError as error:
        level = Level.ERROR if machine.is_root else Level.UNKNOWN
        yield Finding(_AREA, level, f"{hook}: {error.strerror}", _UNRECORDED, _REINSTALL)
        return
    if not stat.S_ISREG(about.st_mode):
        yield Finding(_AREA, Level.ERROR, f"{hook} is not a regular file", _UNRECORDED, _REINSTALL)
    elif not about.st_mode & 0o111:
        yield Finding(_AREA, Level.ERROR, f"{hook} is not executable", _UNRECORDED, f"chmod 0755 {hook}")
    elif (trouble := _trouble(machine, first)) is not None:
        yield Finding(_AREA, Level.ERROR, f"{hook} {trouble}", _UNRECORDED, _REINSTALL)
    elif about.st_mode & 0o022:
        why = "engines run it as root, and users other than root can write to it"
        yield Finding(_AREA, Level.ERROR, f"{hook} has mode {about.st_mode & 0o7777:04o}", why, f"chmod 0755 {hook}")
    else:
        yield Finding(_AREA, Level.OK, f"{hook} can be run")


def _trouble(machine: Machine, first: bytes) -> str | None:
    # Returns why a file with these leading bytes cannot be run. A script counts too: it may wrap the hook.
    if first.startswith(b"\x7fELF"):
        own = _head(Path("/proc/self/exe"))
        same = all(first[at] == own[at] for at in _KIND if at < len(first)) and len(first) > max(_KIND)
        return None if same else "is truncated, or a program for another architecture"
    words = first.partition(b"\n")[0].decode(errors="replace").removeprefix("#!").split()
    if not first.startswith(b"#!/") or not words:
        return f"is neither an ELF program nor a script with an interpreter; it begins with {first[:40]!r}"
    if not os.access(machine.host.path(Path(words[0])), os.X_OK):
        return f"is a script whose interpreter {words[0]} does not exist"
    return None


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)
