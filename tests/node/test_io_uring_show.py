# SPDX-License-Identifier: Apache-2.0
"""Requests of io_uring reach the reader of a trace: live, kept, picked, and with the names of descriptors."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Daemon
from recorded_cgroups import TIMEOUT_S, Cgroup, Workloads

pytestmark = pytest.mark.kernel

NO_IO_URING = 77


class Shown:
    """A kept trace of a workload that uses io_uring."""

    def __init__(self, daemon: Daemon, trace: str) -> None:
        self.daemon, self.trace = daemon, trace

    def lines(self, *words: str) -> list[str]:
        return self.daemon.ctl("show", self.trace, *words).stdout.splitlines()


@pytest.fixture(scope="module")
def shown(workload: Workloads, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    directory = tmp_path_factory.mktemp("uring")
    with Daemon() as daemon, Cgroup() as cgroup:
        script = f"read go; exec {workload('uring_requests', '-Wno-psabi')} {directory}"
        with cgroup.start("sh", "-c", script) as program:
            daemon.ctl("add", "--cgroup", str(cgroup.path), "--name", "mine")
            (trace,) = json.loads(daemon.ctl("list", "-o", "json").stdout)
            program.communicate(b"\n", timeout=TIMEOUT_S)
        if program.returncode == NO_IO_URING:
            pytest.skip("this kernel has no io_uring, or not for this process")
        assert program.returncode == 0
        daemon.wait_for_log(lambda line: f"frozen {trace['id']} " in line)
        yield Shown(daemon, trace["id"])


def test_as_short_lines(shown: Shown) -> None:
    missing = [line for line in shown.lines("-e", "openat") if 'filename="missing"' in line]
    assert [line.partition("] ")[2] for line in missing] == [
        'io_uring openat(dfd=AT_FDCWD, filename="missing", flags=O_RDONLY) = -1 ENOENT (No such file or directory)'
    ]


def test_no_line_says_that_requests_are_missing(shown: Shown) -> None:
    assert not [line for line in shown.lines() if "this container used io_uring" in line]
    (trace,) = json.loads(shown.daemon.ctl("list", "-o", "json").stdout)
    assert trace["io_uring_setups"] == 0


def test_picked_by_path_class_and_outcome(shown: Shown) -> None:
    found = [line for line in shown.lines("-P", "directory/renamed") if "io_uring" in line]
    assert [line.partition("io_uring ")[2].partition("(")[0] for line in found] == ["renameat2", "linkat"]
    assert [line for line in shown.lines("-e", "%network", "-Z") if "io_uring connect(" in line]
    assert not [line for line in shown.lines("-e", "%network", "-Z") if "io_uring openat(" in line]


def test_counted(shown: Shown) -> None:
    assert [line.split()[-2:] for line in shown.lines("-c") if line.endswith("io_uring openat")] == [
        ["io_uring", "openat"]
    ]


def test_in_straces_format_with_names(shown: Shown) -> None:
    lines = shown.lines("-o", "strace", "-y")
    (wrote,) = (line for line in lines if '"written by a request"' in line and "io_uring" in line)
    assert " --- io_uring write(" in wrote
    assert wrote.endswith('/directory/file>, "written by a request", 20, 0, 0) = 20 ---') or "<unfinished" in wrote


def test_as_json(shown: Shown) -> None:
    found = [json.loads(line) for line in shown.lines("-o", "jsonl")]
    requests = [event for event in found if event["event"] == "io_uring"]
    assert {event["syscall"] for event in requests} == {None}
    assert {"openat", "connect", "nop", "opcode_200"} <= {event["io_uring"]["request"] for event in requests}
    assert all(event["duration_ns"] >= 0 for event in requests)


def test_the_trial_of_the_recorder_tells_whether_they_are_recorded() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "traceloop_bpf.check"],
        env={"PYTHONPATH": ":".join(str(Path(__file__).parents[2] / name) for name in ("bpf", "decode"))},
        capture_output=True,
        check=True,
        timeout=120,
    )
    assert json.loads(ran.stdout)["io_uring"] is True
