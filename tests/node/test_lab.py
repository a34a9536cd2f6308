# SPDX-License-Identifier: Apache-2.0
"""The lab itself: real hooks of a real runtime arrive, and nothing remains, least of all after an interruption."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from lab import Runc, cgroup_name, hooks, make_bundle, make_root, pod_annotations

pytestmark = [pytest.mark.kernel, pytest.mark.runtime]

TESTS = Path(__file__).parents[1]
PYTHONPATH = f"{TESTS}:{TESTS}/support"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path / "root")


def cgroups_of(directory: Path) -> list[str]:
    """Returns the cgroups of all bundles in a directory, in any hierarchy."""
    begin = cgroup_name(directory)
    return [path for path, _, _ in os.walk("/sys/fs/cgroup") if Path(path).name.startswith(begin)]


def receive(listener: socket.socket) -> tuple[str, dict]:
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as message:
        stage = message.readline().decode().strip()
        state = json.load(message)
        connection.sendall(b"ok\n")
    return stage, state


def test_both_stages_reach_the_daemon(tmp_path: Path, root: Path) -> None:
    bundle = make_bundle(
        tmp_path / "b",
        root,
        ["sh", "-c", "read line; echo $line"],
        hooks=hooks(tmp_path / "hook.sock"),
        annotations=pod_annotations("mypod", container="c"),
    )
    with Runc(tmp_path / "runc") as runc, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "hook.sock"))
        listener.listen()
        listener.settimeout(30)
        with runc.start(bundle, "c1") as process:
            stage, state = receive(listener)
            assert (stage, state["id"], state["bundle"]) == ("start", "c1", str(bundle))
            assert state["annotations"]["io.kubernetes.cri.container-name"] == "c"
            cgroup = Path(f"/proc/{state['pid']}/cgroup").read_text().splitlines()[-1]
            assert cgroup == f"0::/{cgroup_name(bundle)}"
            process.stdin.write("42\n")
            process.stdin.flush()
            assert process.stdout.readline() == "42\n"
            stage, state = receive(listener)
            assert (stage, state["id"]) == ("stop", "c1")
            assert process.stderr.read() == ""
        assert process.returncode == 0
    assert cgroups_of(tmp_path) == []


def test_a_container_that_runs_when_the_block_ends_is_deleted(tmp_path: Path, root: Path) -> None:
    bundle = make_bundle(tmp_path / "b", root, ["sh", "-c", "echo up; sleep 60"])
    with Runc(tmp_path / "runc") as runc:
        process = runc.start(bundle, "c1")
        assert process.stdout.readline() == "up\n"
        assert cgroups_of(tmp_path)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGKILL
    assert cgroups_of(tmp_path) == []


def test_a_container_of_a_process_that_is_killed_is_deleted(tmp_path: Path, root: Path) -> None:
    bundle = make_bundle(tmp_path / "b", root, ["sh", "-c", "echo up; sleep 60"])
    script = f"""
from pathlib import Path
from lab import Runc
with Runc(Path("{tmp_path}/runc")) as runc:
    process = runc.start(Path("{bundle}"), "c1")
    print(process.stdout.readline(), flush=True)
    process.wait()
"""
    environment = {**os.environ, "PYTHONPATH": PYTHONPATH}
    # All its children hold its stderr, which reaches its end when they have ended.
    with subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as killed:
        assert killed.stdout.readline() == "up\n"
        assert cgroups_of(tmp_path)
        killed.kill()
        killed.stderr.read()
    assert cgroups_of(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["runc run", "traceloopctl list"])
def test_an_interrupted_demo_leaves_nothing(tmp_path: Path, number: signal.Signals, moment: str) -> None:
    environment = {**os.environ, "PYTHONPATH": PYTHONPATH, "TMPDIR": str(tmp_path)}
    words = [sys.executable, "-m", "lab.demo"]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True, process_group=0) as demo:
        assert any(moment in line for line in demo.stdout)
        (directory,) = tmp_path.glob("traceloop-demo-*")
        os.killpg(demo.pid, number)  # as a terminal or a supervisor does
    assert demo.returncode == 128 + number
    assert [*tmp_path.iterdir()] == []
    assert cgroups_of(directory) == []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert str(tmp_path) not in process.read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # another process, which has ended meanwhile
