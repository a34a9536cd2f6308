# SPDX-License-Identifier: Apache-2.0
"""Processes that come into a recorded cgroup from outside: what they have open is read from /proc."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Daemon, Runc, hooks, make_bundle, make_root
from recorded_cgroups import Cgroup

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with Daemon(config='node = "n"\n', options=["--log-level", "debug"]) as daemon:
        yield daemon


def lines(daemon: Daemon, trace: str, *options: str) -> list[str]:
    shown = daemon.ctl("show", trace, "-o", "strace", "-yy", *options).stdout.splitlines()
    return [" ".join(line.split()[1:]) for line in shown]


def test_a_process_that_is_moved(daemon: Daemon, tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = "read x; echo $x >&2; read y; : <nothing"
    with Cgroup() as cgroup, Cgroup() as outside, log.open("w") as kept:
        daemon.ctl("add", "--cgroup", str(cgroup.path), "--name", "mine")
        (trace,) = json.loads(daemon.ctl("list", "-o", "json").stdout)
        with outside.start("sh", "-c", f"exec 4</dev/zero; echo; {script}", stderr=kept, cwd=tmp_path) as program:
            assert program.stdin is not None
            assert program.stdout is not None
            assert program.stdout.readline() == b"\n"
            (cgroup.path / "cgroup.procs").write_text(str(program.pid))
            daemon.wait_for_log(lambda line: f"came from outside, process {program.pid}" in line)
            program.communicate(b"hello\nthere\n")
        daemon.wait_for_log(lambda line: f"frozen {trace['id']} " in line)
    shown = lines(daemon, trace["id"])
    assert f'write(1<{log}>, "hello\\n", 6) = 6' in shown
    assert any(line.startswith("read(0<pipe:[") and '"t", 1) = 1' in line for line in shown)
    assert f'openat(AT_FDCWD<{tmp_path}>, "nothing", O_RDONLY) = -1 ENOENT (No such file or directory)' in shown


@pytest.mark.runtime
def test_an_exec_by_the_runtime(daemon: Daemon, tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    bundle = make_bundle(tmp_path / "c", root, ["/bin/sleep", "600"], hooks=hooks(daemon.hook_socket))
    with Runc(tmp_path / "runc") as runc, runc.start(bundle, "execd"):
        try:
            first = daemon.wait_for_log(
                lambda line: "n_execd: came from outside" in line
            )  # the container's own program
            script = "read x; echo $x; : <f"
            words = ["exec", "--cwd", "/tmp", "execd", "/bin/sh", "-c", script]
            command = runc._command(words)
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            ) as ran:
                daemon.wait_for_log(lambda line: "n_execd: came from outside" in line and line != first)
                out, _ = ran.communicate(b"hello\n")
                assert out == b"hello\n"
            shown = lines(daemon, "n_execd")
        finally:
            runc("kill", "execd", "KILL")
    (written,) = [line for line in shown if '"hello\\n", 6) = 6' in line]
    assert written.startswith("write(1<pipe:["), written
    assert 'openat(AT_FDCWD</tmp>, "f", O_RDONLY) = -1 ENOENT (No such file or directory)' in shown


@pytest.mark.runtime
def test_the_program_that_a_container_begins_with(daemon: Daemon, tmp_path: Path) -> None:
    """The runtime's working directory, which is read first, is not the program's."""
    root = make_root(tmp_path / "root")
    script = "read x; cat nothing; echo $x; exec sleep 600"
    bundle = make_bundle(tmp_path / "c", root, ["/bin/sh", "-c", script], hooks=hooks(daemon.hook_socket))
    with Runc(tmp_path / "runc") as runc, runc.start(bundle, "first") as ran:
        try:
            daemon.wait_for_log(lambda line: "n_first: came from outside" in line)
            assert ran.stdin is not None
            assert ran.stdout is not None
            ran.stdin.write("up\n")
            ran.stdin.flush()
            assert ran.stdout.readline() == "up\n"
            shown = lines(daemon, "n_first")
        finally:
            runc("kill", "first", "KILL")
    (written,) = [line for line in shown if '"up\\n", 3) = 3' in line]
    assert written.startswith("write(1<pipe:["), written
    assert 'openat(AT_FDCWD</>, "nothing", O_RDONLY) = -1 ENOENT (No such file or directory)' in shown
