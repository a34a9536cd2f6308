# SPDX-License-Identifier: Apache-2.0
"""What the engines of a host have in common: how each is wired, and what is found of it."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from traceloop_cli.engines.host import Host


class Level(enum.Enum):
    """How bad it is. ERROR: containers fail, or will. WARNING: some are not recorded. BY_FLAG: some need a flag.

    UNKNOWN: this user could not look.
    """

    OK = "ok"
    UNKNOWN = "unknown"
    BY_FLAG = "by flag"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """what is so, why it matters, and the command or edit that mends it; the latter two may be empty.

    is_due: the engine runs with what it read before its files were changed, and the remedy has it read them.
    """

    engine: str
    level: Level
    what: str
    why: str = ""
    remedy: str = ""
    is_due: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A file's content before and after; None: there is no such file."""

    path: Path
    before: bytes | None
    after: bytes | None

    @property
    def makes_a_difference(self) -> bool:
        """Whether there is anything to be done."""
        return self.before != self.after

    def diff(self) -> Iterator[str]:
        """As a unified diff, without line ends."""
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
    """Changes in the order in which they must be made.

    restart: what to run, and notes: what to know afterwards. verify: raises Failed where the engine, asked itself, does
    not see what was meant.
    """

    changes: list[Change]
    restart: str = ""
    notes: list[str] = field(default_factory=list)
    verify: Callable[[], None] | None = None


class Engine(Protocol):
    """One engine. All raise Failed where a file or program of the engine's is not as it must be.

    restart: what makes it read its configuration, empty where it reads it each time.
    """

    @property
    def name(self) -> str:
        """As users call it."""

    @property
    def restart(self) -> str:
        """See above."""

    def version(self, host: Host) -> str | None:
        """As it tells it; None where it is not installed."""

    def enable(self, host: Host, *, default: bool) -> Plan:
        """What must change so that its containers are recorded. default: all of them, where it would be some."""

    def strip(self, host: Host, path: Path, content: bytes) -> bytes | None:
        """A file without what `enable` put into it; None: it goes. For files that were changed since."""

    def restart_after(self, plan: Plan) -> str:
        """What makes it forget what `disable` takes out."""

    def leftovers(self, host: Host) -> list[Path]:
        """Files that hold something of ours, though no `enable` of this host is known: those a package brought."""

    def findings(self, host: Host) -> Iterator[Finding]:
        """What is right and what is not, of an engine that is installed."""
