# SPDX-License-Identifier: Apache-2.0
"""A cgroup with a limit of memory, of whichever version has the controller on this machine."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Self

from recorder import cgroup2_mount

from lab.cgroups import remove_cgroups

_V1 = Path("/sys/fs/cgroup/memory")
_ENTER = 'echo $$ >"$0/cgroup.procs" && exec "$@"'


class MemoryCgroup:
    """Without a limit at first."""

    def __init__(self) -> None:
        self._top = _V1 if _V1.is_dir() else cgroup2_mount()
        assert self._top is not None
        if self._top != _V1:
            (self._top / "cgroup.subtree_control").write_text("+memory")
        self.path = Path(tempfile.mkdtemp(prefix="tl-memory-", dir=self._top))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        remove_cgroups(self.path.name)

    @property
    def wrapper(self) -> list[str]:
        """Of a command that is to run in it."""
        return ["sh", "-c", _ENTER, str(self.path)]

    @property
    def used(self) -> int:
        """Bytes."""
        return int((self.path / ("memory.usage_in_bytes" if self._top == _V1 else "memory.current")).read_text())

    def limit(self, most: int) -> None:
        """Bytes; whoever needs more is killed."""
        (self.path / ("memory.limit_in_bytes" if self._top == _V1 else "memory.max")).write_text(str(most))

    def kills(self) -> int:
        """How often the kernel killed something in it."""
        file = self.path / ("memory.oom_control" if self._top == _V1 else "memory.events")
        return int(dict(line.split() for line in file.read_text().splitlines())["oom_kill"])
