# SPDX-License-Identifier: Apache-2.0
"""A container's memory cgroup is read from either version's files, as far as they are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from traceloop_daemon.system.memory_cgroups import MemoryCgroups

MIB = 1 << 20
EVENTS = "low 0\nhigh 0\nmax 77\noom 5\noom_kill 2\noom_group_kill 0\n"


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A node's directories, whose cgroup2 mount is `two`, and whose memory hierarchy of version 1 `one`."""
    for name in ("proc/self", "one/pod/web", "two/pod/web"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def memory_of(node: Path, *, version_1: bool) -> MemoryCgroups:
    lines = [f"30 29 0:26 / {node}/two rw - cgroup2 cgroup2 rw", f"31 29 0:27 / {node}/cpu rw - cgroup cgroup rw,cpu"]
    if version_1:
        lines.append(f"32 29 0:28 / {node}/one rw - cgroup cgroup rw,memory")
    (node / "proc/self/mountinfo").write_text("\n".join(lines) + "\n")
    return MemoryCgroups(node / "two", node / "proc")


def write(directory: Path, **files: str) -> None:
    for name, text in files.items():
        (directory / name.replace("__", ".")).write_text(text)


def test_version_2(node: Path) -> None:
    memory = memory_of(node, version_1=False)
    write(node / "two/pod/web", memory__max=f"{30 * MIB}\n", memory__peak=f"{29 * MIB}\n", memory__events=EVENTS)
    assert memory.limit("/pod/web") == 30 * MIB
    assert memory.at_end("/pod/web") == {
        "memory_limit_bytes": 30 * MIB,
        "memory_peak_bytes": 29 * MIB,
        "oom_kills": 2,
    }


def test_version_1_beside_it(node: Path) -> None:
    memory = memory_of(node, version_1=True)
    write(
        node / "one/pod/web",
        memory__limit_in_bytes=f"{30 * MIB}\n",
        memory__max_usage_in_bytes=f"{29 * MIB}\n",
        memory__oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    )
    assert memory.limit("/pod/web") == 30 * MIB
    assert memory.at_end("/pod/web") == {
        "memory_limit_bytes": 30 * MIB,
        "memory_peak_bytes": 29 * MIB,
        "oom_kills": 1,
    }


@pytest.mark.parametrize("version_1", [False, True])
def test_no_limit(node: Path, *, version_1: bool) -> None:
    memory = memory_of(node, version_1=version_1)
    write(
        node / "two/pod/web", memory__max="max\n", memory__events="oom 0\noom_kill 0\n"
    )  # a kernel without memory.peak
    write(node / "one/pod/web", memory__limit_in_bytes=f"{(1 << 63) - 4096}\n")
    assert memory.limit("/pod/web") is None
    assert memory.at_end("/pod/web") == ({} if version_1 else {"oom_kills": 0})


def test_a_cgroup_that_is_gone_and_the_root(node: Path) -> None:
    memory = memory_of(node, version_1=False)
    write(node / "two", memory__max="1\n")
    for cgroup in ("/pod/gone", "/"):
        assert memory.limit(cgroup) is None
        assert memory.at_end(cgroup) == {}
