# SPDX-License-Identifier: Apache-2.0
"""The way to a daemon's socket by the user's own ssh: its configuration, keys, agent and shared connections.

The far end is ``traceloopctl bridge`` there. The options are those that scp gives ssh: nothing of the configuration
may turn the session into another one, and no forwarding of the user's is set up twice.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from traceloop_cli.errors import CliError, Denied, Failed, Unreachable
from traceloop_cli.remote.way import way

_OPTIONS: Final = ("-xT", *(f"-o{one}" for one in (
    "PermitLocalCommand=no",
    "ClearAllForwardings=yes",
    "RemoteCommand=none",
    "ForwardAgent=no",
)))  # fmt: skip
_UNATTENDED: Final = "-oBatchMode=yes"
_OF_SSH: Final = 255
_NOT_FOUND: Final = 127
_USAGE: Final = 2
_OWN: Final[dict[int, type[CliError]]] = {3: Unreachable, 4: Denied}
_PREFIX: Final = "traceloopctl: "


@contextmanager
def ssh_way(host: str, path: str, wait_s: float | None) -> Iterator[str]:
    """Yields the path of a local socket that leads to the daemon's socket at `path` on a host.

    wait_s: the maximum wait for it, during which ssh may not ask questions; None: it may. Raises CliError.
    """
    with way(command(host, path, attended=wait_s is None), partial(explained, host, wait_s), wait_s) as local:
        yield local


def command(host: str, path: str, *, attended: bool) -> list[str]:
    """Returns the command line. TRACELOOP_SSH names a program to run in place of ssh."""
    program = os.environ.get("TRACELOOP_SSH") or "ssh"
    asked = () if attended else (_UNATTENDED,)
    there = shlex.join(("traceloopctl", "--address", f"unix:{path}", "bridge"))
    return [program, *_OPTIONS, *asked, "--", host, there]


def explained(host: str, wait_s: float | None, status: int | None, line: str) -> CliError:
    """Returns the error of an ssh that ended before the far end greeted. status: None if it did not end in time."""
    said = line.removeprefix(_PREFIX)
    if status is None:
        waited = "no answer" if wait_s is None else f"no answer in {wait_s:g} s"
        return Unreachable(f"{host}: {waited}; try `ssh {host}`")
    if status == _OF_SSH or (status == _NOT_FOUND and not line):
        return Unreachable(f"{host}: {said or 'ssh failed'}; try `ssh {host}`")
    if status == _NOT_FOUND:
        return Unreachable(f"{host}: {said}; install ssh here, and traceloop there")
    if status == _USAGE:
        return Failed(f"{host}: {said}; is the traceloop there older than this one?")
    return _OWN.get(status, Failed)(f"{host}: {said or f'its traceloopctl ended with status {status}'}")
