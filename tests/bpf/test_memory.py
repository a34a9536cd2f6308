# SPDX-License-Identifier: Apache-2.0
"""The memory left for further rings, computed from made-up /proc and cgroup trees of both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from traceloop_bpf.memory import RESERVE_BYTES, Memory, Room

MIB = 1 << 20
NODE = Room(1000 * MIB - RESERVE_BYTES, 4000 * MIB, "the node's memory")


class Tree:
    """A process in a cgroup, on a node of 4,000 MiB of which 1,000 are free."""

    def __init__(self, directory: Path, version: int) -> None:
        self.proc, self.top, self.version = directory / "proc", directory / "cgroup", version
        (self.proc / "self").mkdir(parents=True)
        (self.proc / "meminfo").write_text(f"MemTotal: {4000 << 10} kB\nMemFree: 1 kB\nMemAvailable: {1000 << 10} kB\n")
        kind = "cgroup2 none rw" if version == 2 else "cgroup none rw,memory"
        other = "31 1 0:1 / /elsewhere rw - cgroup none rw,cpu\n"
        (self.proc / "self/mountinfo").write_text(f"{other}30 1 0:2 / {self.top} rw - {kind}\n")
        line = "0::" if version == 2 else "4:memory:"
        (self.proc / "self/cgroup").write_text(f"1:cpu:/\n{line}/system.slice/it.service\n")
        self.own = self.top / "system.slice/it.service"
        self.own.mkdir(parents=True)

    def limit(self, level: Path, used: int, *, most: int | None = None, high: int | None = None, **stat: int) -> Path:
        """Writes a cgroup's files, sizes in MiB. most: its limit. Returns the file that holds the limit."""
        parts = {"active_file": 0, "inactive_file": 0, "active_anon": 0, "inactive_anon": 0} | stat
        prefix = "" if self.version == 2 else "total_"
        (level / "memory.stat").write_text("".join(f"{prefix}{name} {size * MIB}\n" for name, size in parts.items()))
        if self.version == 1:
            (level / "memory.usage_in_bytes").write_text(f"{used * MIB}\n")
            (level / "memory.limit_in_bytes").write_text(f"{most * MIB if most else (1 << 63) - 4096}\n")
            return level / "memory.limit_in_bytes"
        (level / "memory.current").write_text(f"{used * MIB}\n")
        for name, limit in (("max", most), ("high", high)):
            (level / f"memory.{name}").write_text(f"{limit * MIB if limit else 'max'}\n")
        return level / ("memory.high" if high else "memory.max")

    def room(self, rings: int = 0) -> Room:
        """Returns the room. rings: size of all existing rings, in MiB."""
        return Memory(self.proc).room(rings * MIB)


@pytest.fixture(params=[1, 2])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Tree:
    return Tree(tmp_path, request.param)


def left(mib: int) -> int:
    return mib * MIB - RESERVE_BYTES


def test_without_limits_it_is_the_nodes(tree):
    assert tree.room() == NODE
    tree.limit(tree.own, 50)
    assert tree.room() == NODE


def test_a_limit_of_its_own(tree):
    file = tree.limit(tree.own, 150, most=200)
    assert tree.room() == Room(left(50), 200 * MIB, f"{file.name} of {tree.own}")


def test_the_least_of_all_above_counts(tree):
    tree.limit(tree.own, 150, most=400)
    tree.limit(tree.own.parent, 240, most=300)
    assert (tree.room().left_bytes, tree.room().where.split(" of ")[1]) == (left(60), str(tree.own.parent))


def test_what_is_cached_of_files_is_free(tree):
    tree.limit(tree.own, 190, most=200, active_file=30, inactive_file=50)
    assert tree.room().left_bytes == left(90)


def test_rings_that_a_former_daemon_made_are_its_own(tree):
    tree.limit(tree.own, 40, most=200, active_anon=20, inactive_anon=10)
    assert tree.room(rings=8).left_bytes == left(160)
    assert tree.room(rings=100).left_bytes == left(70)


def test_nothing_is_left_but_never_less(tree):
    tree.limit(tree.own, 190, most=200)
    assert tree.room().left_bytes == 0
    assert "0 MiB are left for rings of 200 MiB" in str(tree.room())


def test_high_is_a_limit_too(tmp_path):
    tree = Tree(tmp_path, 2)
    tree.limit(tree.own, 50, most=300, high=200)
    assert tree.room() == Room(left(150), 200 * MIB, f"memory.high of {tree.own}")


def test_a_mount_that_does_not_show_its_own_cgroup_says_nothing(tmp_path):
    tree = Tree(tmp_path, 2)
    tree.limit(tree.own, 50, most=60)
    (tree.proc / "self/mountinfo").write_text(f"30 1 0:2 /other {tree.top} rw - cgroup2 none rw\n")
    assert tree.room() == NODE


def test_the_real_ones_can_be_read():
    room = Memory().room(0)
    assert 0 <= room.left_bytes < room.limit_bytes
