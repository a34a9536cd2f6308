# SPDX-License-Identifier: Apache-2.0
"""Reads the limit of a container's memory cgroup, and what that led to.

The memory controller is in the hierarchy of version 2, or in one of version 1 beside it, where runtimes give a
container the same path. The files (kernel: admin-guide/cgroup-v2.rst, admin-guide/cgroup-v1/memory.rst)::

    fact                 version 2               version 1
    memory_limit_bytes   memory.max              memory.limit_in_bytes
    memory_peak_bytes    memory.peak             memory.max_usage_in_bytes
    oom_kills            memory.events oom_kill  memory.oom_control oom_kill

An engine removes the cgroup soon after the container's end, often before this daemon hears of it; what cannot be read
then is left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from traceloop_daemon.system.cgroupfs import directory
from traceloop_decode.mountinfo import mounts

_NO_LIMIT: Final = 1 << 60  # version 1 writes a huge number for no limit
_LIMIT: Final = "memory_limit_bytes"


class MemoryCgroups:
    """The memory cgroups of containers, by their paths in the cgroup2 hierarchy at `mount`."""

    def __init__(self, mount: Path, proc: Path = Path("/proc")) -> None:
        """Looks for a hierarchy of version 1 that has the memory controller. Raises OSError, ValueError."""
        self._mount, self._facts = mount, _OF_VERSION_2
        for one in mounts(os.fsdecode((proc / "self/mountinfo").read_bytes())):
            if one.kind == "cgroup" and one.root == "/" and "memory" in one.options:
                self._mount, self._facts = Path(one.point), _OF_VERSION_1

    def limit(self, cgroup: str) -> int | None:
        """Returns the limit, if there is one. Of a cgroup that is gone at the end, that is all that is ever known."""
        return self._read(cgroup, (_LIMIT,)).get(_LIMIT)

    def at_end(self, cgroup: str) -> dict[str, int]:
        """Returns the facts that can be read, by their names in TraceFacts."""
        return self._read(cgroup, tuple(self._facts))

    def _read(self, cgroup: str, names: tuple[str, ...]) -> dict[str, int]:
        path, found = directory(self._mount, cgroup), {}
        if path == self._mount:
            return {}
        for name in names:
            file, parsed = self._facts[name]
            try:
                value = parsed((path / file).read_text())
            except (OSError, ValueError):  # gone, not of this kernel, or without the controller
                continue
            if value is not None:
                found[name] = value
        return found


def _number(text: str) -> int | None:
    return int(text)


def _limit(text: str) -> int | None:
    number = None if text.strip() == "max" else int(text)
    return number if number is not None and number < _NO_LIMIT else None


def _keyed(key: str) -> Callable[[str], int | None]:
    def parsed(text: str) -> int | None:
        value = dict(line.split() for line in text.splitlines()).get(key)
        return int(value) if value is not None else None

    return parsed


_OF_VERSION_2: Final[dict[str, tuple[str, Callable[[str], int | None]]]] = {
    _LIMIT: ("memory.max", _limit),
    "memory_peak_bytes": ("memory.peak", _number),
    "oom_kills": ("memory.events", _keyed("oom_kill")),
}
_OF_VERSION_1: Final[dict[str, tuple[str, Callable[[str], int | None]]]] = {
    _LIMIT: ("memory.limit_in_bytes", _limit),
    "memory_peak_bytes": ("memory.max_usage_in_bytes", _number),
    "oom_kills": ("memory.oom_control", _keyed("oom_kill")),
}
