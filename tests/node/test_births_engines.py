# SPDX-License-Identifier: Apache-2.0
"""Engines as they are installed: nothing is wired, and their containers are recorded, named and complete."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from lab import Daemon
from lab.cgroups import remove_cgroups
from lab.containerd import CONFIGURATIONS, Containerd
from lab.docker import Docker
from lab.host import Host
from lab.image import BUSYBOX
from lab.podman import IMAGE, Podman

pytestmark = [pytest.mark.kernel, pytest.mark.runtime]

UNPACKED = Path(__file__).parents[2] / "build/engines"
VERSIONS = {"installed": (None, 2), "trixie": ("trixie", 2), "sid": ("sid", 3)}
KUBE = """
apiVersion: v1
kind: Pod
metadata:
  name: kiosk
spec:
  hostNetwork: true
  restartPolicy: Never
  containers:
  - {name: till, image: localhost/busybox:1, command: [sh, -c, "cat /no/till; exit 4"]}
"""


@contextmanager
def watched(host: Host) -> Iterator[Daemon]:
    """A daemon that sees the files of an engine on a host of its own."""
    with Daemon(births=True, config='node = "n"\n', wrapper=[str(word) for word in host.command(())]) as daemon:
        yield daemon


def traces(daemon: Daemon) -> dict[str, dict[str, Any]]:
    return {trace["id"]: trace for trace in json.loads(daemon.ctl("list", "-o", "json").stdout)}


def frozen(daemon: Daemon, trace_id: str) -> dict[str, Any]:
    daemon.wait_for_log(lambda line: f"frozen {trace_id} " in line)
    return traces(daemon)[trace_id]


def check(daemon: Daemon, trace_id: str, opened: str, status: int) -> dict[str, Any]:
    """Checks that a trace begins with the runtime's calls, has the program's, and the container's exit code."""
    trace = frozen(daemon, trace_id)
    assert (trace["exit_code"], trace["lost"]) == (status, 0)
    events = [json.loads(line) for line in daemon.ctl("show", trace_id, "-o", "jsonl").stdout.splitlines()]
    first = next(event for event in events if event["syscall"])
    assert first["comm"].startswith(("runc", "crun", "exe")), first  # "exe": runc executes itself
    executed = [event["args"][0].get("data") for event in events if event["syscall"] == "execve"]
    assert "/bin/sh" in executed, executed
    (call,) = [event for event in events if event["syscall"] == "openat" and event["args"][1].get("data") == opened]
    assert call["comm"] == "cat"
    shown = daemon.ctl("show", trace_id, "-o", "strace").stdout.splitlines()
    assert " of the container runtime, " in shown[0], shown[:3]
    (start,) = [n for n, line in enumerate(shown) if 'execve("/bin/sh"' in line]
    assert not [line for line in shown[1:start] if not line.startswith("---")]  # only what is said about losses
    programs, with_runtimes = (
        {line.split()[-1] for line in daemon.ctl("summary", trace_id, *words).stdout.splitlines()}
        for words in ((), ("--runtime",))
    )
    assert "openat" in programs
    assert programs < with_runtimes
    return trace


@pytest.fixture(scope="module", params=["runc", pytest.param("crun", marks=pytest.mark.engine("crun"))])
def podman(request: pytest.FixtureRequest) -> Iterator[tuple[Podman, Daemon]]:
    with Podman(request.param) as podman, watched(podman.host) as daemon:
        yield podman, daemon


@pytest.mark.engine("podman")
def test_podman(podman: tuple[Podman, Daemon]) -> None:
    engine, daemon = podman
    assert (
        engine.run(
            "--name", "web", "--label", "tier=front", IMAGE, "sh", "-c", "cat /no/web; exit 3", check=False
        ).returncode
        == 3
    )
    trace = check(daemon, "n_web", "/no/web", 3)
    assert (trace["image"], trace["labels"]) == (IMAGE, {"tier": "front"})


@pytest.mark.engine("podman")
def test_podman_pod(podman: tuple[Podman, Daemon], tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The members of a pod are recorded under its name; its infra container is not listed."""
    engine, daemon = podman
    if request.node.callspec.params["podman"] == "crun":
        pytest.skip("crun cannot allow devices in the cgroup that podman makes for a pod without CAP_SYS_RESOURCE")
    (tmp_path / "pod.yaml").write_text(KUBE)
    engine("play", "kube", "--log-driver", "none", str(tmp_path / "pod.yaml"))
    trace = check(daemon, "n_kiosk_kiosk-till", "/no/till", 4)
    assert trace["pod"] == "kiosk"
    engine("pod", "rm", "--force", "--time", "0", "kiosk")
    assert [one["container"] for one in traces(daemon).values() if one["pod"] == "kiosk"] == ["kiosk-till"]


@pytest.mark.engine("podman")
@pytest.mark.parametrize("options", [("--pid=host",), ("--cgroup-parent=/tl-parent",)])
def test_podman_options(podman: tuple[Podman, Daemon], options: tuple[str, ...]) -> None:
    engine, daemon = podman
    name = options[0].strip("-").partition("=")[0]
    words = ("--name", name, *options, IMAGE, "sh", "-c", f"cat /no/{name}; exit 3")
    try:
        assert engine.run(*words, check=False).returncode == 3
        check(daemon, f"n_{name}", f"/no/{name}", 3)
    finally:
        remove_cgroups("tl-parent")


@pytest.mark.engine("podman")
def test_podman_exec(podman: tuple[Podman, Daemon]) -> None:
    engine, daemon = podman
    engine("run", "--detach", "--name", "long", IMAGE)
    assert engine("exec", "long", "sh", "-c", "cat /no/exec; exit 9", check=False).returncode == 9
    engine("rm", "--force", "--time", "0", "long")
    trace = frozen(daemon, "n_long")
    assert trace["signal"] == 9
    assert len([one for one in traces(daemon).values() if one["container"] == "long"]) == 1
    assert "/no/exec" in daemon.ctl("show", "n_long").stdout


@pytest.mark.engine("dockerd")
def test_docker() -> None:
    with Docker() as docker, watched(docker.host) as daemon:
        docker.start()
        words = ("--name", "web-1", "--label", "tier=front", BUSYBOX, "sh", "-c", "cat /no/web; exit 3")
        assert docker.run(*words, check=False).returncode == 3
        trace = check(daemon, "n_web-1", "/no/web", 3)
        assert (trace["image"], trace["labels"]) == (BUSYBOX, {"tier": "front"})
        assert (
            docker.run(
                "--name", "host", "--pid=host", BUSYBOX, "sh", "-c", "cat /no/host; exit 3", check=False
            ).returncode
            == 3
        )
        check(daemon, "n_host", "/no/host", 3)
        docker("run", "--detach", "--name", "again", "--network", "host", BUSYBOX, "sh", "-c", "cat /no/again; exit 3")
        check(daemon, "n_again", "/no/again", 3)
        docker("start", "again")
        check(daemon, "n_again_2", "/no/again", 3)
        assert (
            len({one["id"] for one in traces(daemon).values() if one["container"] in ("web-1", "host", "again")}) == 4
        )


@pytest.fixture(params=VERSIONS)
def containerd(request: pytest.FixtureRequest) -> Iterator[tuple[Containerd, Daemon]]:
    suite, version = VERSIONS[request.param]
    if suite and not (UNPACKED / suite / "usr/bin/containerd").exists():
        pytest.skip("`make test-engines` fetches it")
    with (
        Containerd(CONFIGURATIONS[version], programs=UNPACKED / suite if suite else None) as containerd,
        watched(containerd.host) as daemon,
    ):
        containerd.start()
        yield containerd, daemon


@pytest.mark.engine("containerd")
def test_containerd(containerd: tuple[Containerd, Daemon]) -> None:
    engine, daemon = containerd
    pod = engine.cri.run_pod("kiosk", namespace="shop", uid="d9a3-1")
    container = pod.run("till", BUSYBOX, ["sh", "-c", "cat /no/till; exit 5"])
    assert pod.wait(container) == 5
    trace = check(daemon, "n_shop_kiosk_till", "/no/till", 5)
    assert (trace["image"], trace["pod_uid"], trace["container_id"]) == (BUSYBOX, "d9a3-1", container)
    pod.remove()
    ended = engine.ctr_run(BUSYBOX, "plain", "sh", "-c", "cat /no/plain; exit 6", check=False)
    assert ended.returncode == 6
    check(daemon, "n_plain", "/no/plain", 6)
    ended = engine.ctr("run", "--rm", BUSYBOX, "fancy", "sh", "-c", "cat /no/fancy; exit 6", check=False)
    assert ended.returncode == 6
    check(daemon, "n_fancy", "/no/fancy", 6)
    assert pod.id not in {trace["container_id"] for trace in traces(daemon).values()}  # the pause container
