# SPDX-License-Identifier: Apache-2.0
"""Removes the cgroups of a lab, with whatever processes are still in them: cgroups(7)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")
_END_S = 30


def remove_cgroups(name: str) -> None:
    """Removes the cgroups of this name at the top of each hierarchy, and all cgroups below them."""
    for top in _tops(name):
        if (top / "cgroup.kill").exists():  # version 2; the cgroups of version 1 hold the same processes
            (top / "cgroup.kill").write_text("1")
    deadline_s = time.monotonic() + _END_S
    while alive := [path for top in _tops(name) for path in _below(top) if (path / "cgroup.procs").read_text()]:
        assert time.monotonic() < deadline_s, f"processes in {alive} do not end"
        time.sleep(0.01)  # version 1 has no notification that a cgroup is empty
    for top in _tops(name):
        for path in _below(top):
            path.rmdir()


def _tops(name: str) -> Iterator[Path]:
    return (path for path in (_MOUNT / name, *(one / name for one in _MOUNT.iterdir())) if path.is_dir())


def _below(top: Path) -> list[Path]:
    # children before their parents
    return sorted(top.glob("**/"), reverse=True)
