# SPDX-License-Identifier: Apache-2.0
"""What the doctor's checks look at: this machine, and the names of what is ours on it."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from traceloop_cli.engines.host import Host
from traceloop_cli.sources.client import socket_path

SERVICE: Final = "traceloopd.service"
HOOK_SOCKET_UNIT: Final = "traceloopd-hook.socket"
GROUP: Final = "traceloop"
QUERIES: Final = "traceloop.sock"
CONTROL: Final = "control.sock"
HOOKS: Final = "hook.sock"


@dataclass(frozen=True, slots=True)
class Machine:
    """The system that is looked at. address: of the daemon. release, is_root: of the kernel, and of who asks."""

    host: Host
    address: str
    state_dir: Path
    release: str = field(default_factory=platform.release)
    is_root: bool = field(default_factory=lambda: os.geteuid() == 0)

    @property
    def runtime_dir(self) -> Path:
        """Where the daemon's sockets lie."""
        return Path(socket_path(self.address)).parent

    @property
    def hook_socket(self) -> Path:
        """Where hooks are to reach the daemon."""
        return Path(self.host.socket) if self.host.socket else self.runtime_dir / HOOKS

    @property
    def has_systemd(self) -> bool:
        """Whether systemd is this system's process 1 (sd_booted(3))."""
        return self.host.path("/run/systemd/system").is_dir()

    def unit(self, name: str) -> dict[str, str]:
        """What `systemctl show` tells of a unit. Raises Failed. Empty without systemd."""
        program = self.host.program("systemctl")
        if program is None or not self.has_systemd:
            return {}
        lines = self.host.run(program, "show", name).splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def text(self, path: str | Path) -> str:
        """A file's text, empty where it cannot be read."""
        try:
            return self.host.path(path).read_text(errors="surrogateescape")
        except OSError:
            return ""
