# SPDX-License-Identifier: Apache-2.0
"""Measures the daemon's memory, of its process and in the kernel, idle and with 100 containers."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lab import Daemon
from node import containers, register
from report import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

_REGISTERED: Final = 100
_ASKED: Final = 20
_CALLS: Final = 10_000  # reads, and as many writes: more than a ring holds
_KIB: Final = 1 << 10
_MIB: Final = 1 << 20


def measure() -> Iterator[Figure | str]:
    """Yields sizes in mebibytes."""
    with Daemon() as daemon, containers(_REGISTERED, "registered") as registered:
        pid = daemon.process.pid
        yield from figures("idle", pid)
        for one in registered:
            register(daemon, [one])
            one.work(_CALLS)
        yield from figures(f"{_REGISTERED} containers, their rings full", pid)
        for one in registered[:_ASKED]:
            _ask(daemon, one.id)
        yield from figures(f"the same, after {_ASKED} lists and shows", pid)


def _ask(daemon: Daemon, container_id: str) -> None:
    traces = json.loads(daemon.ctl("list", "-o", "json").stdout)
    (trace,) = [trace for trace in traces if trace["container_id"] == container_id]
    if not trace["lost"]:
        raise SystemExit(f"not measured what was meant: the ring is not full: {trace}")
    daemon.ctl("show", trace["id"])


def figures(state: str, pid: int) -> Iterator[Figure]:
    """Yields what the process uses, and the memory it holds in the kernel."""
    sizes = _numbers(Path(f"/proc/{pid}/smaps_rollup").read_text())  # KiB: proc_pid_smaps(5)
    yield Figure(f"{state}: PSS", sizes["Pss"] / _KIB, "MiB", detail=f"RSS {sizes['Rss'] / _KIB:.1f}")
    held = list(_open_files(pid))
    rings = [one["memlock"] for one in held if one.get("value_size", 0) > _MIB]
    others = sum(one.get("memlock", 0) for one in held) - sum(rings)
    detail = f"{len(rings)} rings {sum(rings) / _MIB:.1f}, tables and programs {others / _MIB:.1f}"
    yield Figure("  in the kernel", (sum(rings) + others) / _MIB, "MiB", detail=detail)


def _open_files(pid: int) -> Iterator[dict[str, int]]:
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            yield _numbers(path.read_text())


def _numbers(text: str) -> dict[str, int]:
    return {key: int(number) for key, number in re.findall(r"^(\w+):\s+(\d+)(?: kB)?$", text, re.MULTILINE)}
