# SPDX-License-Identifier: Apache-2.0
"""Types that all engines share: a change of a file, a plan, and the protocol of an engine."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from traceloop_cli.engines.host import Host
from traceloop_cli.findings import Finding


@dataclass(frozen=True, slots=True)
class Change:
    """A file's content before and after a change; None stands for no file."""

    path: Path
    before: bytes | None
    after: bytes | None

    @property
    def makes_a_difference(self) -> bool:
        """True if the contents before and after differ."""
        return self.before != self.after

    def diff(self) -> Iterator[str]:
        """Yields the lines of a unified diff, without line ends."""
        before, after = self.before or b"", self.after or b""
        lines = difflib.unified_diff(
            before.decode(errors="replace").splitlines(),
            after.decode(errors="replace").splitlines(),
            "/dev/null" if self.before is None else f"a{self.path}",
            "/dev/null" if self.after is None else f"b{self.path}",
            lineterm="",
        )
        yield from lines


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes, in the order in which they must be made.

    restart: the command to run afterwards. notes: lines to print afterwards. verify: asks the engine itself, and raises
    Failed if it does not see the intended configuration.
    """

    changes: list[Change]
    restart: str = ""
    notes: list[str] = field(default_factory=list)
    verify: Callable[[], None] | None = None


class Engine(Protocol):
    """A container engine. All methods raise Failed if one of its files or programs is not as it must be."""

    @property
    def name(self) -> str:
        """Name that users know the engine by."""

    @property
    def restart(self) -> str:
        """Command that makes the engine read its configuration, empty if it reads it for each container."""

    def version(self, host: Host) -> str | None:
        """Returns the version that the engine reports, None if it is not installed."""

    def enable(self, host: Host, *, default: bool) -> Plan:
        """Plans what makes the engine run the hook. default: for all containers, where the alternative is some."""

    def strip(self, host: Host, path: Path, content: bytes) -> bytes | None:
        """Returns a file, changed since `enable`, without the entries of `enable`; None to remove the file."""

    def restart_after(self, plan: Plan) -> str:
        """Returns the command that makes the engine notice what `disable` removes."""

    def leftovers(self, host: Host) -> list[Path]:
        """Returns files with entries of ours that no recorded `enable` made, such as a package's."""

    def findings(self, host: Host) -> Iterator[Finding]:
        """Yields findings about an installed engine."""
