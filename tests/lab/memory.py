# SPDX-License-Identifier: Apache-2.0
"""A cgroup with a memory limit, in whichever version of cgroups has the controller on this machine."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Self

from recorded_cgroups import cgroup2_mount

from lab.cgroups import remove_cgroups

_V1 = Path("/sys/fs/cgroup/memory")
_ENTER = 'echo $$ >"$0/cgroup.procs" && exec "$@"'


class MemoryCgroup:
    """A cgroup of the memory controller, initially without a limit."""

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
        """The wrapper of a command that is to run in the cgroup."""
        return ["sh", "-c", _ENTER, str(self.path)]

    @property
    def used(self) -> int:
        """The memory in use, in bytes."""
        return int((self.path / ("memory.usage_in_bytes" if self._top == _V1 else "memory.current")).read_text())

    def limit(self, most: int) -> None:
        """Sets the limit, in bytes; the kernel kills a process that exceeds it."""
        (self.path / ("memory.limit_in_bytes" if self._top == _V1 else "memory.max")).write_text(str(most))

    def kills(self) -> int:
        """Returns how often the kernel killed a process in the cgroup."""
        file = self.path / ("memory.oom_control" if self._top == _V1 else "memory.events")
        return int(dict(line.split() for line in file.read_text().splitlines())["oom_kill"])
