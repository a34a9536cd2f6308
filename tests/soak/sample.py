# SPDX-License-Identifier: Apache-2.0
"""Samples the daemon as numbers by name: its process, what it holds in the kernel, and its files.

A name's first word selects its rule in limits.py; the rest distinguishes kinds: ``fds socket``, ``entries cgroups``.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections import Counter
from contextlib import suppress
from pathlib import Path
from struct import Struct

from traceloop_bpf import bpfcalls
from traceloop_proto.traceloop_pb2 import StatsReply

_GET_FD_BY_ID, _GET_INFO = 14, 15  # BPF_MAP_GET_FD_BY_ID, BPF_OBJ_GET_INFO_BY_FD: linux/bpf.h
_ID = Struct("<I124x")
_INFO = Struct("<IIQ")
_MAP_INFO = Struct("<IIIIII16s")  # struct bpf_map_info up to its name
_HASHES = {1, 5, 9, 10}  # BPF_MAP_TYPE_HASH, PERCPU_HASH, LRU_HASH, LRU_PERCPU_HASH
_RING_BYTES = 1 << 20
_KIB = 1 << 10
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_STATS = (
    *("rings_in_use", "rings_in_stock", "archive_traces", "archive_bytes", "archive_waiting"),
    *("events", "dropped", "traces_lost", "traces_dropped", "hooks_served", "hooks_refused", "snapshots"),
)


def of_process(pid: int) -> dict[str, float]:
    """Returns memory in KiB, threads, CPU seconds, descriptors by kind, and rings, counted by their descriptors."""
    process = Path(f"/proc/{pid}")
    memory = dict(re.findall(r"^(\w+):\s+(\d+) kB$", (process / "smaps_rollup").read_text(), re.MULTILINE))
    fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
    found = {
        "rss": float(memory["Rss"]),
        "pss": float(memory["Pss"]),
        "threads": float(fields[17]),
        "cpu": (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS,
    }
    kinds: Counter[str] = Counter()
    rings = 0
    for path in (process / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            kinds[_kind(str(path.readlink()))] += 1
            size = re.search(r"^value_size:\t(\d+)$", (process / "fdinfo" / path.name).read_text(), re.MULTILINE)
            rings += bool(size and int(size[1]) > _RING_BYTES)
    return (
        found | {"fds": float(kinds.total()), "rings": float(rings)} | {f"fds {k}": float(n) for k, n in kinds.items()}
    )


def of_tables(pid: int) -> dict[str, float]:
    """Returns the number of entries, by table name, of each kernel hash table that the process has a descriptor of."""
    found = {}
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        with suppress(FileNotFoundError):
            text = path.read_text()
            kind, number = (re.search(rf"^{key}:\t(\d+)$", text, re.MULTILINE) for key in ("map_type", "map_id"))
            if kind and number and int(kind[1]) in _HASHES:
                name, entries = _entries(int(number[1]))
                found[f"entries {name}"] = float(entries)
    return found


def files_below(path: Path) -> float:
    """Counts files and directories."""
    return float(sum(len(directories) + len(files) for _, directories, files in os.walk(path)))


def directories_below(path: Path) -> float:
    """Counts directories."""
    return float(sum(1 for _ in os.walk(path)) - 1)


def of_stats(stats: StatsReply) -> dict[str, float]:
    """Returns the daemon's own statistics."""
    return {f"stats {name}": float(getattr(stats, name)) for name in _STATS}


def _kind(target: str) -> str:
    # Targets of /proc/PID/fd: `socket:[5]`, `anon_inode:bpf-map`, `anon_inode:[pidfd]`, `/a/path`
    if target.startswith("anon_inode:"):
        return target.removeprefix("anon_inode:").strip("[]")
    return "file" if target.startswith("/") else target.split(":", maxsplit=1)[0]


def _entries(map_id: int) -> tuple[str, int]:
    fd = bpfcalls._bpf(_GET_FD_BY_ID, _ID.pack(map_id), "open a map")
    try:
        answer = ctypes.create_string_buffer(_MAP_INFO.size)
        bpfcalls._bpf(_GET_INFO, _INFO.pack(fd, _MAP_INFO.size, ctypes.addressof(answer)), "describe")
        _, _, key_size, value_size, most, _, name = _MAP_INFO.unpack(answer.raw)
        return name.rstrip(b"\0").decode(), len(bpfcalls.items(fd, key_size, value_size, most))
    finally:
        os.close(fd)
