# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl run``: commands on this machine, recorded in cgroups of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Daemon
from recorded_cgroups import cgroup2_mount

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with Daemon(births=True, config='node = "n"\n') as daemon:
        yield daemon


def left() -> list[Path]:
    mount = cgroup2_mount()
    assert mount is not None
    return list(mount.glob("traceloop-run-*"))


def test_a_command(daemon: Daemon) -> None:
    """The command has its own input, output and status; its trace has its calls and the status."""
    ended = daemon.ctl("run", "--name", "mine", "--", "sh", "-c", "echo out; cat /no/such; exit 7", check=False)
    assert (ended.returncode, ended.stdout) == (7, "out\n")
    assert ended.stderr.endswith("traceloopctl: recorded as n_mine\n")
    daemon.wait_for_log(lambda line: "frozen n_mine " in line)
    (trace,) = [one for one in json.loads(daemon.ctl("list", "-o", "json").stdout) if one["id"] == "n_mine"]
    assert trace["exit_code"] == 7
    events = [json.loads(line) for line in daemon.ctl("show", "n_mine", "-o", "jsonl").stdout.splitlines()]
    entering, first = (event for event in events[:2])
    assert entering["syscall"] == "write", "what brings it into the cgroup"
    assert first["syscall"] == "execve"
    assert first["args"][0]["data"].endswith("/sh")
    assert any("/no/such" in str(event) for event in events)
    assert left() == []


def test_nothing_of_its_own_threads_is_in_the_trace(daemon: Daemon) -> None:
    """The trace begins with the child, which has one thread: it enters the cgroup, and becomes the program."""
    daemon.ctl("run", "--name", "alone", "true")
    daemon.wait_for_log(lambda line: "frozen n_alone " in line)
    events = [json.loads(line) for line in daemon.ctl("show", "n_alone", "-o", "jsonl").stdout.splitlines()]
    assert len({event["tid"] for event in events}) == 1
    assert [event["syscall"] for event in events[:2]] == ["write", "execve"]


def test_without_a_daemon_nothing_runs(tmp_path: Path, daemon: Daemon) -> None:
    address = f"unix:{tmp_path}/none.sock"
    ended = daemon.ctl("--address", address, "run", "touch", str(tmp_path / "touched"), check=False)
    assert ended.returncode == 3
    assert not (tmp_path / "touched").exists()
    assert left() == []


def test_a_command_that_is_shown(daemon: Daemon) -> None:
    ended = daemon.ctl("run", "--show", "-e", "trace=openat", "sh", "-c", "cat /no/such", check=False)
    assert ended.returncode == 1
    assert 'openat(AT_FDCWD, "/no/such", O_RDONLY) = -1 ENOENT (No such file or directory)' in ended.stderr
    assert " execve(" not in ended.stderr


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["sh", "-c", "kill -9 $$"], 137, "recorded as n_sh"),
        (["/no/such/command"], 127, "there is no command /no/such/command"),
        (["-e", "openat", "true"], 2, "give both"),
        (["--show", "-e", "trace=openot", "true"], 2, "openot"),
    ],
)
def test_statuses(daemon: Daemon, words: list[str], status: int, says: str) -> None:
    ended = daemon.ctl("run", *words, check=False)
    assert (ended.returncode, ended.stdout) == (status, "")
    assert says in ended.stderr
    assert left() == []


def test_a_file_that_is_no_program(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"\x7fELF")
    (tmp_path / "text").chmod(0o755)
    ended = daemon.ctl("run", str(tmp_path / "text"), check=False)
    assert ended.returncode == 126
    assert "cannot run" in ended.stderr
    assert left() == []


def test_a_process_that_outlives_the_command(daemon: Daemon, tmp_path: Path) -> None:
    """The process is recorded on, and its cgroup stays."""
    fifo = tmp_path / "fifo"
    script = f"mkfifo {fifo}; (read line < {fifo}; cat /no/later) >/dev/null 2>&1 </dev/null &"
    ended = daemon.ctl("run", "--name", "leaver", "sh", "-c", script)
    assert "processes are left in" in ended.stderr
    fifo.write_text("go\n")
    daemon.wait_for_log(lambda line: "frozen n_leaver " in line)
    assert "/no/later" in daemon.ctl("show", "n_leaver").stdout
    for cgroup in left():
        cgroup.rmdir()
