# SPDX-License-Identifier: Apache-2.0
"""The Debian package on a node with podman, docker and containerd: pods are listed by name, a purge leaves nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from lab.image import BUSYBOX
from lab.kernel_objects import held_by, wait_until_gone
from node import Node
from roots import DEB, NEXT_DEB, files

pytestmark = pytest.mark.kernel

SERVICE, SOCKET = "traceloopd.service", "traceloopd-hook.socket"
HOOK, RUNTIME = "/usr/libexec/oci/hooks.d/traceloop-hook", "/usr/libexec/oci/hooks.d/traceloop-runtime"
TRACE_FROZEN = "a9c94cfb8f2f4f35803fcf88a53ae5e9"
OF_OTHERS = ("/var/cache/apt/", "/var/lib/apt/", "/var/tmp/systemd-private-")
DOCKER_RUN = ("run", "--network", "host")


def kept_files(node) -> set[str]:
    return {path for path in files(node) if not path.startswith(OF_OTHERS)}


def install(node, deb) -> None:
    node.run("apt-get", "install", "--yes", deb)


def settings_of_docker(node) -> str:
    return node.run("sh", "-c", "cat /etc/docker/daemon.json 2>/dev/null || echo '{}'").stdout


def run_one_of_each(node, label: str) -> None:
    """Runs a container of each engine that names containers, to its end. Each has to succeed, recorded or not."""
    node.podman("run", "--rm", "--name", f"{label}-podman", BUSYBOX, "true")
    node.podman("pod", "create", "--name", f"{label}-shop")
    node.podman("run", "--rm", "--pod", f"{label}-shop", "--name", f"{label}-till", BUSYBOX, "true")
    node.podman("pod", "rm", "--force", "--time", "0", f"{label}-shop")
    flag = ["--runc-binary", RUNTIME] if node.lab.path(RUNTIME).exists() else []
    node.run("ctr", "run", "--rm", *flag, BUSYBOX, f"{label}-ctr", "true")
    # By the runtime's name if it is configured: docker 20.10 lists a removed one until its restart.
    ours = ["--runtime", "traceloop"] if "traceloop" in json.loads(settings_of_docker(node)).get("runtimes", {}) else []
    node.docker(*DOCKER_RUN, "--rm", *ours, "--name", f"{label}-docker", BUSYBOX, "true")
    cri = node.cri()
    pod = cri.run_pod(f"{label}-pod")
    assert pod.wait(pod.run("app", BUSYBOX, ["true"])) == 0
    pod.remove()
    cri.close()


def assert_listed(node, label: str) -> None:
    """Asserts that `traceloopctl list` prints the containers' names, once they have ended."""
    host = node.run("uname", "-n").stdout.strip()
    names = (
        f"{label}-podman",
        f"{label}-shop_{label}-till",
        f"{label}-docker",
        f"{label}-ctr",
        f"default_{label}-pod_app",
    )
    ids = [f"{host}_{name}" for name in names]
    for one in ids:
        node.lab.wait_for_journal(f"MESSAGE_ID={TRACE_FROZEN}", f"TRACELOOP_ID={one}")
    listed = node.ctl("list").stdout
    assert {*ids} <= {line.split()[1] for line in listed.splitlines()}, listed


def assert_nothing_is_left(node, objects) -> None:
    for unit in (SERVICE, SOCKET):
        assert node.lab.unit(unit)["LoadState"] == "not-found"
    assert node.run("pgrep", "-f", "traceloop", check=False).stdout == ""
    assert node.run("find", "/run", "-name", "*traceloop*").stdout == ""
    assert node.run("dpkg-query", "--show", "traceloop", check=False).returncode == 1
    wait_until_gone(objects)
    assert node.run("getent", "shadow", "traceloop").stdout.split(":")[1].startswith("!")


def test_from_install_to_purge():
    with Node() as node:
        settings, there, held = node.settings(), kept_files(node), held_by(node.lab.pid)
        run_one_of_each(node, "before")
        install(node, DEB)
        assert "now run: systemctl reload docker" in node.ctl("engine", "enable", "docker").stdout
        node.run("systemctl", "reload", "docker")
        assert "now run: systemctl restart containerd" in node.ctl("engine", "enable", "containerd").stdout
        node.run("systemctl", "restart", "containerd")
        run_one_of_each(node, "first")
        assert_listed(node, "first")
        assert not any("before" in name for name in node.listed())

        wired = node.settings()
        install(node, NEXT_DEB)
        assert node.settings() == wired
        run_one_of_each(node, "second")
        assert_listed(node, "second")
        assert any("first-podman" in name for name in node.listed())

        # The package stays while containerd has our file in memory, and a container runs by our runtime.
        node.docker(*DOCKER_RUN, "--detach", "--runtime", "traceloop", "--name", "lives", BUSYBOX)
        node.podman("run", "--detach", "--name", "lives-on", BUSYBOX)
        objects = node.bpf_objects() - held
        assert objects
        for _ in range(2):
            refused = node.run("apt-get", "purge", "--yes", "traceloop", check=False)
            assert refused.returncode == 100
            assert "traceloop: first run: systemctl restart containerd. Until then" in refused.stdout + refused.stderr
        assert node.run("dpkg-query", "--show", "--showformat=${db:Status-Status}", "traceloop").stdout == "installed"
        run_one_of_each(node, "between")
        node.run("systemctl", "restart", "containerd")
        refused = node.run("apt-get", "purge", "--yes", "traceloop", check=False)
        lives = node.docker("inspect", "--format", "{{.Id}}", "lives").stdout.strip()
        assert f"they cannot be stopped without it: {lives}" in refused.stdout + refused.stderr
        node.docker("rm", "--force", "lives")

        node.run("apt-get", "remove", "--yes", "traceloop")
        run_one_of_each(node, "removed")
        node.run("apt-get", "purge", "--yes", "traceloop")
        run_one_of_each(node, "purged")
        node.podman("rm", "--force", "--time", "0", "lives-on")
        assert node.settings() == settings
        assert sorted(kept_files(node) ^ there) == []
        assert_nothing_is_left(node, objects)


def test_docker_by_default_and_podman_masked():
    with Node() as node:
        settings, there, held = node.settings(), kept_files(node), held_by(node.lab.pid)
        install(node, DEB)
        by_hooks = "printf '[record]\\nfrom = \"hook\"\\n' >/etc/traceloop/traceloop.toml.d/hooks.toml"
        node.run("sh", "-c", f"mkdir -p /etc/traceloop/traceloop.toml.d; {by_hooks}; systemctl restart {SERVICE}")
        node.ctl("engine", "enable", "docker", "--default")
        node.run("systemctl", "reload", "docker")
        node.ctl("engine", "disable", "podman")
        wired = {line.split()[0]: line.split()[2:] for line in node.ctl("engine", "list").stdout.splitlines()[1:]}
        assert (wired["docker"], wired["podman"]) == (["yes"], ["no"])
        install(node, NEXT_DEB)  # restores the hooks.d files
        node.podman("run", "--rm", "--name", "masked", BUSYBOX, "true")
        node.docker(*DOCKER_RUN, "--rm", "--name", "by-default", BUSYBOX, "true")
        host = node.run("uname", "-n").stdout.strip()
        node.lab.wait_for_journal(f"MESSAGE_ID={TRACE_FROZEN}", f"TRACELOOP_ID={host}_by-default")
        assert not any("masked" in name for name in node.listed())

        # Undone by hand without a restart: no file shows it any more, so dockerd is asked.
        objects = node.bpf_objects() - held
        assert "now run: systemctl restart docker" in node.ctl("engine", "disable", "docker").stdout
        said = json.loads(node.ctl("doctor", "--no-self-test", "-o", "json", check=False).stdout)
        assert ("engine docker", "systemctl restart docker") in {
            (one["area"], one["remedy"]) for one in said["findings"]
        }
        for _ in range(2):
            refused = node.run("apt-get", "purge", "--yes", "traceloop", check=False)
            assert "traceloop: first run: systemctl restart docker. Until then" in refused.stdout + refused.stderr
        node.docker(*DOCKER_RUN, "--rm", BUSYBOX, "true")
        node.run("systemctl", "restart", "docker")
        node.run("apt-get", "purge", "--yes", "traceloop")
        assert node.settings() == settings
        assert sorted(kept_files(node) ^ there) == []
        assert_nothing_is_left(node, objects)
        node.docker(*DOCKER_RUN, "--rm", BUSYBOX, "true")
        node.podman("run", "--rm", BUSYBOX, "true")


# --- faults ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def faulty() -> Iterator[Node]:
    """A node with traceloop installed and all engines wired."""
    with Node() as node:
        install(node, DEB)
        node.ctl("engine", "enable", "docker")
        node.run("systemctl", "reload", "docker")
        node.ctl("engine", "enable", "containerd")
        node.run("systemctl", "restart", "containerd")
        yield node


STATE = "/var/lib/traceloop"
STOP, START = f"systemctl stop {SERVICE} {SOCKET}", f"systemctl start {SOCKET} {SERVICE}"
# Listens to hooks, and never answers
STRANGER = f"""
{STOP}
systemd-run --quiet --unit=stranger --uid=nobody --property=RuntimeDirectory=traceloop /usr/bin/python3 -c '
import signal, socket
listener = socket.socket(socket.AF_UNIX)
listener.bind("/run/traceloop/hook.sock")
listener.listen()
signal.pause()'
until [ -S /run/traceloop/hook.sock ]; do sleep 0.05; done
"""
READ_ONLY_STATE = f"""
{STOP}
mount -t tmpfs -o mode=0750 none {STATE}
chown traceloop:traceloop {STATE}
{START}
mount -o remount,ro {STATE}
"""
READ_ONLY = """
for path in /run/traceloop /usr/libexec /etc; do
    mount --bind $path $path
    mount -o remount,bind,ro $path
done
"""
# Name -> script that makes the fault, script that undoes it, and the doctor's finding: area and beginning of the text,
# or None if all is well
FAULTS = {
    "the hook is missing": (f"mv {HOOK} /root/hook", f"mv /root/hook {HOOK}", ("hook", f"there is no {HOOK}")),
    "the daemon is down": (STOP, START, ("unit", f"{SERVICE} is inactive")),
    "the socket is another's": (
        STRANGER,
        f"systemctl stop stranger; {START}",
        ("sockets", "/run/traceloop/hook.sock has mode "),
    ),
    "the state is read-only": (
        READ_ONLY_STATE,
        f"{STOP}; umount {STATE}; {START}",
        ("storage", f"{STATE} is on a read-only file system"),
    ),
    "all else is read-only": (READ_ONLY, "umount /run/traceloop /usr/libexec /etc", None),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_containers_start_and_the_doctor_finds_the_cause(faulty, fault):
    make, undo, cause = FAULTS[fault]
    try:
        faulty.run("sh", "-euc", make)
        run_one_of_each(faulty, "faulty")
        said = json.loads(faulty.ctl("doctor", "-o", "json", check=False).stdout)
    finally:
        faulty.run("sh", "-euc", undo)
    errors = [(one["area"], one["what"]) for one in said["findings"] if one["level"] == "error"]
    if cause is None:
        assert (errors, said["recording_works"]) == ([], True)
        return
    assert said["recording_works"] is False
    assert any(area == cause[0] and what.startswith(cause[1]) for area, what in errors), errors
    assert all(one["remedy"] for one in said["findings"] if one["level"] == "error")
    run_one_of_each(faulty, f"after-{[*FAULTS].index(fault)}")
    assert_listed(faulty, f"after-{[*FAULTS].index(fault)}")
