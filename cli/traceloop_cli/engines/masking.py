# SPDX-License-Identifier: Apache-2.0
"""Turns off hooks.d files that stay where they are: a package's, or those that another engine is enabled with.

Theory of operation, by trial with podman 4.3.1 (oci-hooks(5) says the first alone):

- of files of one name, the one in the later directory of `hooks_dir` counts. So a directory of ours behind all others
  has files of the same names whose condition is never true, and a drop-in names it;
- such a file must be valid, and name a hook that is there: one without is passed over, and masks nothing. An empty one,
  or a link to /dev/null, stops every container;
- podman's own `hooks_dir` has /usr/share alone: a file in /etc/containers/oci/hooks.d does nothing by itself, and to
  name that directory would turn on whatever else lies there. So the directory is one of our own;
- a directory that is named and not there is passed over.

To `wiring` a mask is an engine of its own, podman's is "podman.off": what it made is remembered, and undone exactly.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from traceloop_cli.engines import hooksd, record
from traceloop_cli.engines.hooksd import HooksDirEngine
from traceloop_cli.engines.host import Host
from traceloop_cli.engines.model import Change, Engine, Plan
from traceloop_cli.errors import Failed
from traceloop_cli.findings import Finding


class Mask:
    """What keeps an engine from our hooks."""

    def __init__(self, engine: HooksDirEngine) -> None:
        self._engine = engine
        self.name = f"{engine.name}.off"
        self.restart = engine.drop_in_restart

    def is_there(self, host: Host) -> bool:
        """Whether it was made, and not undone."""
        return record.load(host, self.name) is not None

    def is_needed(self, host: Host, undone: Plan) -> bool:
        """Whether the engine would still run our hooks after the changes of `disable`."""
        after = {change.path: change.after for change in undone.changes}
        paths = [directory / name for directory in self._engine.directories(host) for name in hooksd.FILES]
        return any(after.get(path, host.read(path)) is not None for path in paths)

    def version(self, host: Host) -> str | None:
        """The engine's."""
        return self._engine.version(host)

    def enable(self, host: Host, *, default: bool) -> Plan:  # noqa: ARG002 - it is all of them anyway
        """Files that mask, then the drop-in that names them."""
        own, drop_in = self._engine.mask_directory, self._engine.drop_in
        names = [str(path) for path in (*self._engine.directories(host), own)]
        wanted = {own / name: hooksd.text(host, stage, always=False) for name, stage in hooksd.FILES.items()}
        wanted[drop_in] = _drop_in(self._engine, names)
        changes = [Change(path, host.read(path), content) for path, content in wanted.items()]
        return Plan(changes, self.restart, verify=lambda: self._verify(host))

    def strip(self, host: Host, path: Path, content: bytes) -> bytes | None:  # noqa: ARG002
        """Nothing: these files are ours."""
        return None

    def restart_after(self, plan: Plan) -> str:  # noqa: ARG002
        """As ever."""
        return self.restart

    def leftovers(self, host: Host) -> list[Path]:  # noqa: ARG002
        """None: no package brings one."""
        return []

    def findings(self, host: Host) -> Iterator[Finding]:  # noqa: ARG002
        """The engine's own tell of it."""
        return iter(())

    def _verify(self, host: Host) -> None:
        if not self._engine.is_masked(host):
            raise Failed(
                f"{self._engine.drop_in} is not what counts: another file of {self._engine.name}'s sets hooks_dir "
                f"after it. Name {self._engine.mask_directory} last there, then try again"
            )


def mask_of(engine: Engine) -> Mask | None:
    """An engine's mask; None where it has no files that could stay."""
    return Mask(engine) if isinstance(engine, HooksDirEngine) else None


def _drop_in(engine: HooksDirEngine, directories: list[str]) -> bytes:
    named = ", ".join(json.dumps(one, ensure_ascii=False) for one in directories)
    verb = "traceloopctl engine"
    return (
        f"# Written by `{verb} disable {engine.name}`; `{verb} enable {engine.name}` removes it.\n"
        f"[{engine.table}]\nhooks_dir = [{named}]\n"
    ).encode()
