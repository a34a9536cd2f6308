# SPDX-License-Identifier: Apache-2.0
"""podman, which reads hooks.d for each container (containers.conf(5), `hooks_dir`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

from traceloop_cli.engines.hooksd import HooksDirEngine
from traceloop_cli.engines.host import Host

_FILES: Final[tuple[Path | str, ...]] = ("/usr/share/containers/containers.conf", "/etc/containers/containers.conf")
_DROP_INS: Final = "/etc/containers/containers.conf.d/*.conf"


class Podman(HooksDirEngine):
    """The engine of root's podman containers; other users' podman has no access to the daemon."""

    name: ClassVar[str] = "podman"
    drop_in: ClassVar[Path] = Path("/etc/containers/containers.conf.d/zz-traceloop-off.conf")
    table: ClassVar[str] = "engine"

    def version(self, host: Host) -> str | None:
        """Returns the version that podman reports, None if it is not installed."""
        return host.version(self.name, -1)

    def settings(self, host: Host) -> Iterator[Any]:
        """Yields the values of `hooks_dir` in podman's files, in the order in which it reads them."""
        for path in (*_FILES, *host.matching(_DROP_INS)):
            engine = host.toml(path).get("engine", {})
            if isinstance(engine, dict) and "hooks_dir" in engine:
                yield engine["hooks_dir"]
