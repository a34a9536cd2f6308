# SPDX-License-Identifier: Apache-2.0
"""docker with the runtime wrapper: `engine enable` and a reload suffice to record containers; no fault stops one."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from broken import BREAK
from lab import Daemon
from lab.bundle import HOOK
from lab.docker import CONFIG, Docker
from lab.image import BUSYBOX

pytestmark = [pytest.mark.kernel, pytest.mark.runtime, pytest.mark.engine("dockerd")]

CTL = HOOK.with_name("traceloopctl")
THEIRS = '{\n    "debug": false,\n    "runtimes": {"other": {"path": "runc"}}\n}\n'


@dataclass
class Node:
    daemon: Daemon
    docker: Docker

    def engine(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return self.docker.host.run(CTL, "engine", *words)

    def wired(self) -> str:
        """Returns what `engine list` reports for docker."""
        (line,) = [one for one in self.engine("list").stdout.splitlines() if one.startswith("docker ")]
        return line.split(maxsplit=2)[2]

    def due(self) -> str:
        return self.engine("status", "docker", "--restarts").stdout

    def frozen(self, trace_id: str) -> dict:
        self.daemon.wait_for_log(lambda line: f"frozen {trace_id} " in line)
        traces = json.loads(self.daemon.ctl("list", "-o", "json").stdout)
        return next(trace for trace in traces if trace["id"] == trace_id)


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Daemon(config='node = "n"\n[record]\nfrom = "hook"\n') as daemon, Docker() as docker:
        docker.host.path(CONFIG).write_text(THEIRS)
        docker.start()
        yield Node(daemon, docker)


@pytest.fixture
def wired(node) -> Iterator[Node]:
    """A docker whose default runtime is ours."""
    output = node.engine("enable", "docker", "--default", "--hook", HOOK, "--socket", node.daemon.hook_socket).stdout
    assert "now run: systemctl reload docker" in output
    node.docker.reload()
    yield node
    assert "now run: systemctl restart docker" in node.engine("disable", "docker").stdout
    assert node.docker.host.path(CONFIG).read_text() == THEIRS
    node.docker.restart()


def test_all_containers_are_recorded_under_their_names(wired) -> None:
    ended = wired.docker.run("--name", "web-1", BUSYBOX, "sh", "-c", "echo out; echo err >&2; exit 3", check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "out\n", "err\n")
    trace = wired.frozen("n_web-1")
    assert (trace["container"], trace["image"], trace["exit_code"], trace["restart_count"]) == ("web-1", BUSYBOX, 3, 0)
    shown = wired.daemon.ctl("show", "n_web-1", "-o", "jsonl").stdout.splitlines()
    writes = [event for event in map(json.loads, shown) if event["syscall"] == "write" and event["comm"] == "sh"]
    assert [write["args"][1]["data"] for write in writes] == ["out\n", "err\n"]
    assert wired.engine("status", "docker").stdout.startswith("ok ")


def test_restarts_are_told_apart(wired) -> None:
    script = "test -e /again && exit 0; touch /again; exit 1"
    words = [
        "--detach",
        "--restart",
        "on-failure:3",
        "--name",
        "again-1",
        "--network",
        "host",
        BUSYBOX,
        "sh",
        "-c",
        script,
    ]
    wired.docker("run", *words)
    first, second = wired.frozen("n_again-1"), wired.frozen("n_again-1_2")
    assert first["container_id"] == second["container_id"]
    assert [(t["exit_code"], t["restart_count"]) for t in (first, second)] == [(1, 0), (0, 1)]
    wired.docker("rm", "--force", "again-1")


def test_a_named_runtime_for_those_who_ask(node) -> None:
    node.engine("enable", "docker", "--hook", HOOK, "--socket", node.daemon.hook_socket)
    node.docker.reload()
    assert node.docker.run("--name", "unasked", BUSYBOX, "true").returncode == 0
    assert node.docker.run("--name", "asked", "--runtime", "traceloop", BUSYBOX, "true").returncode == 0
    node.frozen("n_asked")
    assert "n_unasked" not in node.daemon.log
    assert node.engine("list").stdout.splitlines()[1:]
    assert next(line for line in node.engine("list").stdout.splitlines() if "docker" in line).endswith("by flag")
    assert "now run: systemctl reload docker" in node.engine("disable", "docker").stdout
    node.docker.reload()
    assert node.docker.run("--runtime", "traceloop", BUSYBOX, "true", check=False).returncode == 125


def test_what_dockerd_is_still_to_be_told_is_due_until_it_was(node) -> None:
    options = ["--hook", HOOK, "--socket", node.daemon.hook_socket]
    assert (node.wired(), node.due()) == ("no", "")
    node.engine("enable", "docker", *options)
    assert (node.wired(), node.due()) == ("by flag, reload due", "systemctl reload docker\n")
    node.docker.reload()
    assert (node.wired(), node.due()) == ("by flag", "")
    node.engine("enable", "docker", "--default", *options)
    assert node.wired() == "yes, reload due"
    node.docker.reload()
    assert (node.wired(), node.due()) == ("yes", "")
    node.engine("disable", "docker")
    assert (node.wired(), node.due()) == ("no, restart due", "systemctl restart docker\n")
    status = node.docker.host.run(CTL, "engine", "status", "docker", check=False)
    assert status.returncode == 1
    assert f"dockerd still runs all containers with {HOOK.with_name('traceloop-runtime')}\n" in status.stdout
    doctor = node.docker.host.run(CTL, "doctor", "--no-self-test", "-o", "json", check=False).stdout
    of_docker = [one for one in json.loads(doctor)["findings"] if one["area"] == "engine docker"]
    assert "systemctl restart docker" in [one["remedy"] for one in of_docker]
    node.docker.restart()
    assert (node.wired(), node.due()) == ("no", "")


def test_labels_choose_as_annotations_do(wired) -> None:
    """Labels stand in for annotations, which docker 20.10 lacks."""
    wired.docker.run("--name", "private", "--label", "io.traceloop.record=false", BUSYBOX, "true")
    wired.daemon.wait_for_log(lambda line: "(n_private) is not recorded" in line)
    script = "echo secret-9 > /tmp/seen"
    labels = ["--label", "io.traceloop.capture=paths", "--label", "app=shop"]
    wired.docker.run("--name", "names-1", *labels, BUSYBOX, "sh", "-c", script)
    trace = wired.frozen("n_names-1")
    assert trace["labels"] == {"app": "shop", "io.traceloop.capture": "paths"}
    shown = wired.daemon.ctl("show", "n_names-1").stdout
    assert "/tmp/seen" in shown
    assert "secret-9" not in shown
    assert "n_private" not in wired.daemon.ctl("list").stdout


def test_exec_stop_and_a_signal_go_through(wired) -> None:
    """The wrapper passes on the other verbs: exec, kill, state, delete."""
    wired.docker(
        "run",
        "--detach",
        "--name",
        "through-1",
        "--network",
        "host",
        BUSYBOX,
        "sh",
        "-c",
        "trap 'exit 9' USR1; while :; do sleep 0.05; done",
    )
    assert wired.docker("exec", "through-1", "sh", "-c", "echo in; exit 4", check=False).returncode == 4
    wired.docker("kill", "--signal", "USR1", "through-1")
    assert wired.docker("wait", "through-1").stdout == "9\n"
    assert wired.frozen("n_through-1")["exit_code"] == 9
    wired.docker("rm", "through-1")


@pytest.mark.parametrize("fault", ["no daemon", "another's socket", *BREAK])
def test_a_container_starts_whatever_the_hook_meets(node, fault, tmp_path) -> None:
    for name in ("traceloop-hook", "traceloop-runtime", "traceloop-add-hooks"):
        shutil.copy(HOOK.with_name(name), tmp_path / name)
    socket = "/dev/null" if fault == "another's socket" else "/nonexistent"
    node.engine("enable", "docker", "--default", "--hook", tmp_path / "traceloop-hook", "--socket", socket)
    node.docker.reload()
    if fault in BREAK:
        BREAK[fault](tmp_path / "traceloop-hook")
    ended = node.docker.run(BUSYBOX, "echo", "started")
    assert (ended.stdout, ended.stderr) == ("started\n", "")
    node.engine("disable", "docker")
    node.docker.restart()
