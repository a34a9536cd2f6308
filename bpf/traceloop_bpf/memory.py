# SPDX-License-Identifier: Apache-2.0
"""Computes how much memory this process may still take, from the limits of its cgroups and of the node.

Rings are kernel memory, charged to the cgroup of the process that creates them. When a limit is reached the kernel
first refuses to create a map, and then kills a process when the next page is needed. So rings are created only as long
as RESERVE_BYTES are left.

The limits are those of the process's cgroup and of each cgroup above it: ``memory.max`` and ``memory.high``, or
``memory.limit_in_bytes`` in a hierarchy of version 1 (kernel: admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst). Cached
file pages count as free. Rings that a former process created are charged to the parent cgroup after that process's own
cgroup was removed. They are counted as this process's own, because otherwise each restart would raise the limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from traceloop_decode.mountinfo import mounts

RESERVE_BYTES: Final = 32 << 20
"""Memory left free for snapshots, archiving and requests at the same time; docs/overhead.md explains the figure."""
_V2_LIMITS: Final = ("memory.max", "memory.high")
_V1_LIMITS: Final = ("memory.limit_in_bytes",)
_NO_LIMIT: Final = 1 << 60  # version 1 writes a huge number for no limit


@dataclass(frozen=True, slots=True)
class Room:
    """The memory left below a limit after RESERVE_BYTES are set aside; never negative. where: the limit's owner."""

    left_bytes: int
    limit_bytes: int
    where: str

    def __str__(self) -> str:
        return (
            f"memory is short: {self.left_bytes >> 20} MiB are left for rings of {self.limit_bytes >> 20} MiB "
            f"({self.where}), as {RESERVE_BYTES >> 20} MiB stay free for the daemon"
        )


class Memory:
    """The memory limits that apply to this process. proc: mount point of proc(5)."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._levels = list(_levels(proc))

    def room(self, rings_bytes: int) -> Room:
        """Returns the smallest room below any limit. rings_bytes: memory that all existing rings take."""
        found = [self._of_node()]
        for depth, (level, limits) in enumerate(self._levels):
            try:
                found += _of_level(level, limits, 0 if depth else rings_bytes)
            except (OSError, ValueError):  # the root cgroup has no such files
                continue
        return min(found, key=lambda room: room.left_bytes)

    def _of_node(self) -> Room:
        lines = dict(line.split(":", 1) for line in (self._proc / "meminfo").read_text().splitlines())
        total, available = (int(lines[name].split()[0]) << 10 for name in ("MemTotal", "MemAvailable"))
        return Room(max(0, available - RESERVE_BYTES), total, "the node's memory")


def _of_level(level: Path, limits: tuple[str, ...], rings_bytes: int) -> Iterator[Room]:
    texts = {name: (level / name).read_text().strip() for name in limits}
    bounds = {name: int(text) for name, text in texts.items() if text != "max" and int(text) < _NO_LIMIT}
    if not bounds:
        return
    stat = dict(line.split() for line in (level / "memory.stat").read_text().splitlines())
    prefix, usage = ("", "memory.current") if limits is _V2_LIMITS else ("total_", "memory.usage_in_bytes")
    cached = int(stat[f"{prefix}active_file"]) + int(stat[f"{prefix}inactive_file"])
    own = int(stat[f"{prefix}active_anon"]) + int(stat[f"{prefix}inactive_anon"])
    used = max(int((level / usage).read_text()) - cached, own + rings_bytes)
    name, limit = min(bounds.items(), key=lambda bound: bound[1])
    yield Room(max(0, limit - used - RESERVE_BYTES), limit, f"{name} of {level}")


def _levels(proc: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    # Yields the cgroup that this process's memory is charged to, then those above it.
    cgroups = {}
    for line in (proc / "self/cgroup").read_text(errors="surrogateescape").splitlines():
        _, controllers, path = line.split(":", 2)
        cgroups[controllers] = path
    controlled = next((names for names in cgroups if "memory" in names.split(",")), "")
    for mount in mounts((proc / "self/mountinfo").read_text(errors="surrogateescape")):
        if mount.kind != ("cgroup" if controlled else "cgroup2") or (controlled and "memory" not in mount.options):
            continue
        root, path = mount.root.rstrip("/"), cgroups.get(controlled, "/")
        if not f"{path}/".startswith(f"{root}/"):
            continue
        top = Path(mount.point)
        level = top / path.removeprefix(root).lstrip("/")
        limits = _V1_LIMITS if controlled else _V2_LIMITS
        yield from ((one, limits) for one in (level, *level.parents) if one.is_relative_to(top))
        return
