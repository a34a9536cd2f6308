# SPDX-License-Identifier: Apache-2.0
"""The machine that the doctor checks, and the names of traceloop's units, group and sockets."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from traceloop_cli.engines.host import Host
from traceloop_cli.sources.addresses import socket_path

SERVICE: Final = "traceloopd.service"
HOOK_SOCKET_UNIT: Final = "traceloopd-hook.socket"
GROUP: Final = "traceloop"
QUERIES: Final = "traceloop.sock"
CONTROL: Final = "control.sock"
HOOKS: Final = "hook.sock"


@dataclass(frozen=True, slots=True)
class Machine:
    """The system under examination. address: the daemon's. release: the kernel's. is_root: whether root runs this.

    architecture: as uname(2) names it.
    """

    host: Host
    address: str
    state_dir: Path
    release: str = field(default_factory=platform.release)
    is_root: bool = field(default_factory=lambda: os.geteuid() == 0)
    architecture: str = field(default_factory=platform.machine)

    @property
    def runtime_dir(self) -> Path:
        """The directory of the daemon's sockets."""
        return Path(socket_path(self.address)).parent

    @property
    def hook_socket(self) -> Path:
        """The socket at which hooks reach the daemon."""
        return Path(self.host.socket) if self.host.socket else self.runtime_dir / HOOKS

    @property
    def records_births(self) -> bool | None:
        """True if the daemon records containers from their cgroups' births, without hooks; None: unknown here."""
        return self.host.records_births(self.hook_socket)

    @property
    def has_systemd(self) -> bool:
        """True if systemd is this system's process 1 (sd_booted(3))."""
        return self.host.path("/run/systemd/system").is_dir()

    def unit(self, name: str) -> dict[str, str]:
        """Returns a unit's properties from `systemctl show`; none without systemd. Raises Failed."""
        program = self.host.program("systemctl")
        if program is None or not self.has_systemd:
            return {}
        lines = self.host.run(program, "show", name).splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def text(self, path: str | Path) -> str:
        """Returns a file's text, empty if it cannot be read."""
        try:
            return self.host.path(path).read_text(errors="surrogateescape")
        except OSError:
            return ""
