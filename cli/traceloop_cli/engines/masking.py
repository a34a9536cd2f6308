# SPDX-License-Identifier: Apache-2.0
"""Disables hooks.d files that must stay in place: a package's, or those that another engine is enabled with.

Theory of operation, by experiments with podman 4.3.1 (oci-hooks(5) documents the first rule only):

- of files with the same name, the one in the later directory of `hooks_dir` is effective. So a drop-in adds a directory
  of ours after all others, with files of the same names whose condition is never true;
- such a file must be valid, and name a hook that exists: a file whose hook is missing is skipped, and masks nothing. An
  empty file, or a link to /dev/null, makes every container fail;
- podman's default `hooks_dir` contains only /usr/share: a file in /etc/containers/oci/hooks.d has no effect by itself,
  and naming that directory would enable whatever else is in it. So we use a directory of our own;
- a directory that is named but does not exist is skipped.

For `wiring` a mask is a separate engine, such as "podman.off": its changes are recorded, and undone exactly.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from traceloop_cli.engines import hooksd, wired
from traceloop_cli.engines.hooksd import HooksDirEngine
from traceloop_cli.engines.host import Host
from traceloop_cli.engines.model import Change, Engine, Plan
from traceloop_cli.errors import Failed
from traceloop_cli.findings import Finding


class Mask:
    """A mask that keeps an engine from running our hooks; an `Engine` for `wiring`."""

    def __init__(self, engine: HooksDirEngine) -> None:
        self._engine = engine
        self.name = f"{engine.name}.off"
        self.restart = engine.drop_in_restart

    def is_there(self, host: Host) -> bool:
        """Returns whether the mask was made, and not undone."""
        return wired.load(host, self.name) is not None

    def is_needed(self, host: Host, undone: Plan) -> bool:
        """Returns whether the engine would still run our hooks after the changes of `disable`."""
        after = {change.path: change.after for change in undone.changes}
        paths = [directory / name for directory in self._engine.directories(host) for name in hooksd.FILES]
        return any(after.get(path, host.read(path)) is not None for path in paths)

    def version(self, host: Host) -> str | None:
        """Returns the engine's version."""
        return self._engine.version(host)

    def enable(self, host: Host, *, default: bool) -> Plan:  # noqa: ARG002 - all containers in any case
        """Plans the masking files, then the drop-in that names their directory."""
        own, drop_in = self._engine.mask_directory, self._engine.drop_in
        names = [str(path) for path in (*self._engine.directories(host), own)]
        wanted = {own / name: hooksd.text(host, stage, always=False) for name, stage in hooksd.FILES.items()}
        wanted[drop_in] = _drop_in(self._engine, names)
        changes = [Change(path, host.read(path), content) for path, content in wanted.items()]
        return Plan(changes, self.restart, verify=lambda: self._verify(host))

    def strip(self, host: Host, path: Path, content: bytes) -> bytes | None:  # noqa: ARG002
        """Returns None, since the files are entirely ours."""
        return None

    def restart_after(self, plan: Plan) -> str:  # noqa: ARG002
        """Returns the same command as after `enable`."""
        return self.restart

    def leftovers(self, host: Host) -> list[Path]:  # noqa: ARG002
        """Returns none, since no package contains a mask."""
        return []

    def findings(self, host: Host) -> Iterator[Finding]:  # noqa: ARG002
        """Yields nothing, since the engine's own findings report the mask."""
        return iter(())

    def _verify(self, host: Host) -> None:
        if not self._engine.is_masked(host):
            raise Failed(
                f"{self._engine.drop_in} has no effect, since a later file of {self._engine.name} sets hooks_dir: "
                f"add {self._engine.mask_directory} as the last directory there, then try again"
            )


def mask_of(engine: Engine) -> Mask | None:
    """Returns an engine's mask, None for an engine that does not use hooks.d files."""
    return Mask(engine) if isinstance(engine, HooksDirEngine) else None


def _drop_in(engine: HooksDirEngine, directories: list[str]) -> bytes:
    named = ", ".join(json.dumps(one, ensure_ascii=False) for one in directories)
    verb = "traceloopctl engine"
    return (
        f"# Written by `{verb} disable {engine.name}`; `{verb} enable {engine.name}` removes it.\n"
        f"[{engine.table}]\nhooks_dir = [{named}]\n"
    ).encode()
