# SPDX-License-Identifier: Apache-2.0
"""Targets of `add` in a cgroup tree: units and containers, as systemd and engines name them."""

import json
import os

import pytest

from traceloop_daemon.errors import RegistrationError
from traceloop_daemon.registering.targets import Targets

ID = "0f1e2d3c4b5a69788796a5b4c3d2e1f00123456789abcdef0123456789abcdef"
POD = "7a2b9c04-1f0e-4b6c-9d3d-52f1c6f9a111"
KUBEPODS = f"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{POD.replace('-', '_')}.slice"
CONTAINERS = {
    "docker, cgroupfs": f"docker/{ID}",
    "docker, systemd": f"system.slice/docker-{ID}.scope",
    "containerd in Kubernetes, cgroupfs": f"kubepods/burstable/pod{POD}/{ID}",
    "containerd in Kubernetes, systemd": f"{KUBEPODS}/cri-containerd-{ID}.scope",
    "containerd, systemd's names by a runtime that does not know them": f"{KUBEPODS}:cri-containerd:{ID}",
    "CRI-O": f"{KUBEPODS}/crio-{ID}.scope",
    "podman, cgroupfs": f"libpod_parent/libpod-{ID}",
    "podman, systemd": f"machine.slice/libpod-{ID}.scope",
    "podman of a user": f"user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope",
    "containerd by hand": f"default/{ID}",
    "nerdctl": f"system.slice/nerdctl-{ID}.scope",
}
OTHERS = (  # other cgroups with the id in their names
    f"{KUBEPODS}/crio-conmon-{ID}.scope",
    f"machine.slice/libpod-conmon-{ID}.scope",
    f"system.slice/var-lib-docker-overlay2-{ID}-merged.mount",
    f"system.slice/run-docker-runtime\\x2drunc-moby-{ID}-runc.mount",
    "system.slice/docker.service",
)


class Node:
    """A tree of cgroups, /proc, and engines' files, all below one directory."""

    def __init__(self, root):
        self.root, self.mount = root, root / "sys/fs/cgroup"
        self.mount.mkdir(parents=True)
        self.targets = Targets(self.mount, root)

    def cgroup(self, path, *began):
        """Makes a cgroup with processes: (number, start time)."""
        directory = self.mount / path
        directory.mkdir(parents=True)
        (directory / "cgroup.procs").write_text("".join(f"{pid}\n" for pid, _ in began))
        for pid, ticks in began:
            (self.root / f"proc/{pid}").mkdir(parents=True)
            (self.root / f"proc/{pid}/stat").write_text(f"{pid} (a) b) S {' '.join('0' * 18)} {ticks} 0 0\n")

    def file(self, path, value):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(json.dumps(value))


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


@pytest.mark.parametrize("engine", CONTAINERS)
def test_a_container_is_found_by_its_id_and_its_beginning(node, engine):
    node.cgroup(CONTAINERS[engine], (31, 900), (30, 1000), (32, 950))
    for path in OTHERS:
        node.cgroup(path)
    node.cgroup(f"system.slice/docker-{'1' * 64}.scope")
    for word in (ID, ID[:12], ID[:4]):
        target = node.targets.container(word, "")
        assert (target.cgroup, target.container_id, target.pid) == (f"/{CONTAINERS[engine]}", ID, 31)
        assert target.names.container == ID[:12]
    assert node.targets.container(ID, "mine").names.container == "mine"


@pytest.mark.parametrize("path", OTHERS)
def test_monitors_and_mounts_of_a_container_are_not_it(node, path):
    node.cgroup(path, (30, 1))
    for word in (ID, ID[:12], f"conmon-{ID}"):
        with pytest.raises(RegistrationError, match="no cgroup below"):
            node.targets.container(word, "")


def test_a_first_process_may_be_below(node):
    # crun puts it there
    node.cgroup(f"crio-{ID}.scope")
    node.cgroup(f"crio-{ID}.scope/container", (40, 7))
    target = node.targets.container(ID, "")
    assert (target.cgroup, target.pid) == (f"/crio-{ID}.scope", 40)


def test_a_cgroup_below_that_repeats_the_id_is_the_same_container(node):
    node.cgroup(f"docker/{ID}", (40, 7))
    node.cgroup(f"docker/{ID}/{ID}")
    assert node.targets.container(ID, "").cgroup == f"/docker/{ID}"


@pytest.mark.parametrize(
    ("cgroups", "word", "reason"),
    [
        ([], ID, f"no cgroup below .* is that of container {ID}"),
        ([f"docker/{ID}"], ID, "has no process: it has ended"),
        ([f"docker/{ID}", f"docker/{ID[:-1]}0"], ID[:12], f"fits 2 containers: {ID[:-1]}0, {ID}"),
        ([f"docker/{ID}", f"evil/docker-{ID}.scope"], ID, "2 cgroups have the name of container"),
        ([f"docker/{ID}"], ID[:3], "no cgroup below"),
        ([f"docker/{ID}"], "", "no cgroup below"),
        (["system.slice/cron.service"], "cro", "no cgroup below"),
    ],
)
def test_what_is_no_running_container_gets_a_line(node, cgroups, word, reason):
    for path in cgroups:
        node.cgroup(path)
    with pytest.raises(RegistrationError, match=reason) as error:
        node.targets.container(word, "")
    assert "\n" not in str(error.value)


def test_a_user_cannot_make_a_container_of_roots_ambiguous(node):
    """A user may call cgroups of its own by anybody's id, or by one that begins alike."""
    if os.geteuid():
        pytest.skip("needs root, to give a cgroup to a user")
    node.cgroup(f"docker/{ID}", (70, 1))
    for pid, name in enumerate((ID, ID[:8] + "0" * 56), 71):
        node.cgroup(f"user.slice/{name}", (pid, 1))
    os.chown(node.mount / "user.slice", 1000, 1000)
    for word in (ID, ID[:8]):
        assert node.targets.container(word, "").cgroup == f"/docker/{ID}"


def test_a_runtimes_own_id_is_found_whole_alone(node):
    node.cgroup("my-container", (5, 1))
    assert node.targets.container("my-container", "").container_id == "my-container"
    with pytest.raises(RegistrationError, match="no cgroup below"):
        node.targets.container("my-con", "")


def test_names_come_from_the_bundle_that_containerd_wrote(node):
    node.cgroup(CONTAINERS["containerd in Kubernetes, systemd"], (30, 1))
    annotations = {
        "io.kubernetes.cri.sandbox-name": "mypod",
        "io.kubernetes.cri.sandbox-namespace": "shop",
        "io.kubernetes.cri.container-name": "web",
    }
    node.file(f"run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json", {"annotations": annotations})
    target = node.targets.container(ID[:8], "")
    assert target.names.trace_id("node1") == "node1_shop_mypod_web"
    assert target.annotations == annotations


def test_names_come_from_podmans_and_dockers_files(node):
    storage = "var/lib/containers/storage/overlay-containers"
    node.cgroup(CONTAINERS["podman, systemd"], (30, 1))
    node.file(f"{storage}/{ID}/userdata/config.json", {"annotations": {"io.container.manager": "libpod"}})
    node.file(f"{storage}/containers.json", [{"id": ID, "names": ["quiet_hopper"]}])
    assert node.targets.container(ID, "").names.container == "quiet_hopper"
    other = ID[::-1]
    node.cgroup(f"docker/{other}", (31, 1))
    node.file(f"var/lib/docker/containers/{other}/config.v2.json", {"Name": "/loud_turing"})
    assert node.targets.container(other, "").names.container == "loud_turing"


@pytest.mark.parametrize("content", ["[]", '{"annotations": 5}', "", '{"annotations": {"a": {}}}', '"\\ud800"'])
def test_a_bundle_that_is_not_as_expected_tells_nothing(node, content):
    node.cgroup(f"docker/{ID}", (30, 1))
    path = node.root / f"run/containerd/io.containerd.runtime.v2.task/moby/{ID}/config.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert node.targets.container(ID, "").names.container == ID[:12]


@pytest.mark.parametrize(
    ("unit", "path"),
    [
        ("cron.service", "system.slice/cron.service"),
        ("cron", "system.slice/cron.service"),
        ("getty@tty1.service", "system.slice/system-getty.slice/getty@tty1.service"),
        ("cpu.service", "system.slice/_cpu.service"),
        ("system.slice", "system.slice"),
        ("init.scope", "init.scope"),
        ("session-3.scope", "user.slice/user-1000.slice/session-3.scope"),
        ("app.service", "user.slice/user-1000.slice/user@1000.service/app.slice/app.service"),
    ],
)
def test_a_unit_is_found(node, unit, path):
    node.cgroup(path)
    node.cgroup("system.slice/other.service")
    target = node.targets.unit(unit, "")
    assert (target.cgroup, target.pid, target.container_id) == (f"/{path}", 0, "")
    assert target.names.container == (unit if "." in unit else "cron").removesuffix(".service")
    assert node.targets.unit(unit, "mine").names.container == "mine"


def test_the_systems_own_unit_comes_before_those_in_containers_and_of_users(node):
    inside = f"system.slice/docker-{ID}.scope/system.slice/cron.service"
    node.cgroup(inside)
    assert node.targets.unit("cron", "").cgroup == f"/{inside}"
    node.cgroup("user.slice/user-1.slice/user@1.service/app.slice/cron.service")
    with pytest.raises(RegistrationError, match=f"2 cgroups .* --cgroup: .*/{inside}"):
        node.targets.unit("cron", "")
    node.cgroup("system.slice/cron.service")
    assert node.targets.unit("cron", "").cgroup == "/system.slice/cron.service"


@pytest.mark.parametrize("unit", ["", "/", "system.slice/cron.service", "no-such", "../cron"])
def test_what_is_no_unit_gets_a_line(node, unit):
    node.cgroup("system.slice/cron.service")
    with pytest.raises(RegistrationError, match=r"not the name of a systemd unit|no cgroup below"):
        node.targets.unit(unit, "")


def test_names_that_are_not_utf_8_can_be_sent(node):
    for name in (b"\xff", b"\xfe"):
        (node.mount / name.decode("utf-8", "surrogateescape") / "x.service").mkdir(parents=True)
    with pytest.raises(RegistrationError) as error:
        node.targets.unit("x", "")
    assert str(error.value).encode()
