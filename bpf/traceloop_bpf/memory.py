# SPDX-License-Identifier: Apache-2.0
"""How much memory this process may still take: of its cgroups' limits, and of the node's.

Rings are kernel memory, charged to the cgroup of who makes them. Where a limit is reached the kernel refuses a map at
first, and kills a process at the next page that it needs. So rings are made only as long as RESERVE_BYTES are left.

Limits stand in the process's cgroup and in all above it: ``memory.max`` and ``memory.high``, or in a hierarchy of
version 1 ``memory.limit_in_bytes`` (kernel: admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst). What is cached of files
counts as free. Rings that a former process made are charged to the cgroup above once its own was removed: they are
counted as this one's own, or each restart would raise the limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

RESERVE_BYTES: Final = 32 << 20
"""For snapshots, archiving and whoever asks, all at once: docs/overhead.md."""
_V2_LIMITS: Final = ("memory.max", "memory.high")
_V1_LIMITS: Final = ("memory.limit_in_bytes",)
_NO_LIMIT: Final = 1 << 60  # version 1's is a number


@dataclass(frozen=True, slots=True)
class Room:
    """What is left of a limit, beyond RESERVE_BYTES; never negative. where: whose limit it is."""

    left_bytes: int
    limit_bytes: int
    where: str

    def __str__(self) -> str:
        return (
            f"memory is short: {self.left_bytes >> 20} MiB are left for rings of {self.limit_bytes >> 20} MiB "
            f"({self.where}), as {RESERVE_BYTES >> 20} MiB stay free for the daemon"
        )


class Memory:
    """That of this process. proc: of proc(5)."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._levels = list(_levels(proc))

    def room(self, rings_bytes: int) -> Room:
        """The least that is left anywhere. rings_bytes: what all rings take that there are."""
        found = [self._of_node()]
        for depth, (level, limits) in enumerate(self._levels):
            try:
                found += _of_level(level, limits, 0 if depth else rings_bytes)
            except (OSError, ValueError):  # it has no such limits: the root's
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
    # The process's cgroup that memory is charged to, and those above it.
    cgroups = {}
    for line in (proc / "self/cgroup").read_text(errors="surrogateescape").splitlines():
        _, controllers, path = line.split(":", 2)
        cgroups[controllers] = path
    controlled = next((names for names in cgroups if "memory" in names.split(",")), "")
    for line in (proc / "self/mountinfo").read_text(errors="surrogateescape").splitlines():
        left, _, right = line.partition(" - ")
        kind, options = right.split(" ")[0], right.split(" ")[2].split(",")
        if kind != ("cgroup" if controlled else "cgroup2") or (controlled and "memory" not in options):
            continue
        root, mount = left.split(" ")[3:5]
        path = cgroups.get(controlled, "/")
        if not f"{path}/".startswith(f"{root.rstrip('/')}/"):
            continue
        top = Path(mount.encode(errors="surrogateescape").decode("unicode_escape"))
        level = top / path.removeprefix(root.rstrip("/")).lstrip("/")
        limits = _V1_LIMITS if controlled else _V2_LIMITS
        yield from ((one, limits) for one in (level, *level.parents) if one.is_relative_to(top))
        return
