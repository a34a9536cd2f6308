# SPDX-License-Identifier: Apache-2.0
"""CRI-O, which watches hooks.d (crio.conf(5), `hooks_dir` in [crio.runtime])."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final

from traceloop_cli.engines.hooksd import HooksDirEngine
from traceloop_cli.engines.host import Host
from traceloop_cli.engines.model import Plan

_FILES: Final[tuple[Path | str, ...]] = ("/usr/share/containers/crio/crio.conf", "/etc/crio/crio.conf")
_RESTART: Final = "systemctl restart crio"
_DROP_INS: Final = ("/usr/share/containers/crio/crio.conf.d/*", "/etc/crio/crio.conf.d/*")


class Crio(HooksDirEngine):
    """The engine of all pods' containers; the daemon does not record their pause containers."""

    name: ClassVar[str] = "crio"
    drop_in: ClassVar[Path] = Path("/etc/crio/crio.conf.d/zz-traceloop-off.conf")
    drop_in_restart: ClassVar[str] = _RESTART
    table: ClassVar[str] = "crio.runtime"

    def version(self, host: Host) -> str | None:
        """Returns the version that crio reports, None if it is not installed."""
        program = host.program(self.name)
        if program is None:
            return None
        words = host.run(program, "--version").split()
        return words[words.index("version") + 1] if "version" in words[:-1] else "unknown"

    def enable(self, host: Host, *, default: bool) -> Plan:
        """Plans both files, and a restart if their directory is new: CRI-O watches only those that existed at start."""
        plan = super().enable(host, default=default)
        watched = host.path(self.directory(host)).is_dir()
        return plan if watched else replace(plan, restart=_RESTART)

    def settings(self, host: Host) -> Iterator[Any]:
        """Yields the values of `hooks_dir` in CRI-O's files, in the order in which it reads them."""
        drop_ins = [path for pattern in _DROP_INS for path in host.matching(pattern)]
        for path in (*_FILES, *drop_ins):
            crio = host.toml(path).get("crio", {})
            runtime = crio.get("runtime", {}) if isinstance(crio, dict) else {}
            if isinstance(runtime, dict) and "hooks_dir" in runtime:
                yield runtime["hooks_dir"]
