# SPDX-License-Identifier: Apache-2.0
"""Engines without configuration: nerdctl and ctr take the runtime from each command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from traceloop_cli.engines.host import Host
from traceloop_cli.engines.model import Plan
from traceloop_cli.errors import Failed
from traceloop_cli.findings import Finding, Level


class Flagged:
    """An engine that records a container whose command line names our runtime."""

    restart = ""

    def __init__(self, name: str, flag: str) -> None:
        self.name, self._flag = name, flag

    def version(self, host: Host) -> str | None:
        """Returns the version that the engine reports, None if it is not installed."""
        return host.version(self.name, -1)

    def enable(self, host: Host, *, default: bool) -> Plan:  # noqa: ARG002
        """Raises Failed, since there is nothing to change."""
        raise Failed(f"{self.name} has no setting for its runtime: `{self._command(host)} ...` records one container")

    def strip(self, host: Host, path: Path, content: bytes) -> bytes | None:  # noqa: ARG002
        """Returns the content unchanged, since `enable` changes nothing."""
        return content

    def restart_after(self, plan: Plan) -> str:  # noqa: ARG002
        """Returns an empty text, since nothing needs a restart."""
        return self.restart

    def leftovers(self, host: Host) -> list[Path]:  # noqa: ARG002
        """Returns an empty list."""
        return []

    def findings(self, host: Host) -> Iterator[Finding]:
        """Reports whether the flag would work."""
        command = self._command(host)
        if host.path(host.runtime_wrapper).is_file():
            yield Finding(self.name, Level.BY_FLAG, f"`{command} ...` records a container")
        else:
            what = f"there is no {host.runtime_wrapper}"
            yield Finding(
                self.name, Level.WARNING, what, f"`{command} ...` cannot record", "install it beside the hook"
            )

    def _command(self, host: Host) -> str:
        return f"{self.name} run {self._flag} {host.runtime_wrapper}"
