# SPDX-License-Identifier: Apache-2.0
"""NRI from within the unit's sandbox, set up as docs/nri.md says, under a real systemd, with containerd 1.7 and 2.1."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab.busybox import make_root
from lab.containerd import CONFIG, CONFIGURATIONS
from lab.cri import Cri
from lab.image import BUSYBOX, make_image
from lab.installed import install
from lab.service import SERVICE, TRACE_FROZEN, Service
from lab.systemd import PATH, Systemd

pytestmark = [pytest.mark.kernel, pytest.mark.systemd, pytest.mark.engine("containerd")]

UNPACKED = Path(__file__).parents[2] / "build/engines"
VERSIONS = {"trixie": 2, "sid": 3}  # of the configuration format
DOCUMENT = Path(__file__).parents[2] / "docs/nri.md"
ENGINE = "containerd.service"
# The part of Debian's unit about start and stop; notify: the unit is active once containerd says that it is ready.
UNIT = f"""
[Service]
Type=notify
ExecStart=/usr/bin/containerd
Environment=PATH={PATH}
Delegate=yes
KillMode=process
"""
# runc would need the CPU controller, which is missing if the machine's cgroup2 has no controllers.
RUNC = """#!/usr/bin/python3
import json, os, sys
if "--bundle" in sys.argv:
    path = sys.argv[sys.argv.index("--bundle") + 1] + "/config.json"
    config = json.load(open(path))
    config["linux"].pop("resources", None)
    json.dump(config, open(path, "w"))
os.execv("/usr/sbin/runc", ["runc", *sys.argv[1:]])
"""
NRI = """
[plugins."io.containerd.nri.v1.nri"]
  disable = false
"""
CONNECTED, LOST = "NRI at /run/traceloop/nri.sock: containerd", "no NRI at /run/traceloop/nri.sock"


@dataclass
class Node:
    lab: Systemd
    service: Service

    @property
    def cri(self) -> Cri:
        return Cri(Path(f"/proc/{self.lab.pid}/root/run/containerd/containerd.sock"))

    def trace(self, container_id: str) -> dict:
        (found,) = [trace for trace in self.service.traces() if trace["container_id"] == container_id]
        return found

    def frozen(self, container_id: str) -> None:
        self.lab.wait_for_journal(f"MESSAGE_ID={TRACE_FROZEN}", f"CONTAINER_ID={container_id}")

    def said(self, text: str, since: str) -> None:
        self.lab.wait_for_journal("--unit", SERVICE, since, "--grep", re.escape(text), timeout_s=60)


@pytest.fixture(scope="module", params=VERSIONS)
def node(request) -> Iterator[Node]:
    programs = UNPACKED / request.param / "usr/bin"
    if not (programs / "containerd").exists():
        pytest.skip("`make test-engines` fetches it")
    with Systemd() as lab:
        install(lab)
        # A directory that can hold an overlay, and this version in place of the machine's
        lab.run("mkdir", "-p", "/var/lib/containerd")
        lab.run("mount", "-t", "tmpfs", "none", "/var/lib/containerd")
        for name in ("containerd", "containerd-shim-runc-v2", "ctr"):
            lab.run("install", programs / name, f"/usr/bin/{name}")
        lab.write("/usr/local/sbin/runc", RUNC, mode=0o755)
        lab.write(f"/etc/systemd/system/{ENGINE}", UNIT)
        lab.write(CONFIG, CONFIGURATIONS[VERSIONS[request.param]] + NRI)
        lab.run("systemctl", "daemon-reload")
        lab.run("systemctl", "start", ENGINE)
        image = make_image(lab.shared / "image.tar", make_root(lab.directory / "busybox"))
        lab.run("ctr", "--namespace", "k8s.io", "images", "import", image)
        lab.write("/etc/traceloop/traceloop.toml.d/node.toml", 'node = "n"\n')
        lab.run("systemctl", "start", SERVICE)
        began = lab.since_now()
        for command in documented():
            lab.run("sh", "-euc", command)
        node = Node(lab, Service(lab))
        node.said(CONNECTED, began)
        yield node


def documented() -> list[str]:
    """Returns the commands with which an administrator lets the daemon connect."""
    (block,) = re.findall(r"^```\n(systemctl enable.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    return block.splitlines()


def test_a_pod_is_recorded_with_all_its_names(node) -> None:
    pod = node.cri.run_pod("web", namespace="shop", uid="d9a3-1", labels={"app": "front", "of": "pod"})
    container = pod.run("till", BUSYBOX, ["sh", "-c", "echo sold > /tmp/x; exit 5"], attempt=4)
    assert pod.wait(container) == 5
    node.frozen(container)
    trace = node.trace(container)
    names = [trace[key] for key in ("id", "namespace", "pod", "pod_uid", "container", "image", "restart_count")]
    assert names == ["n_shop_web_till", "shop", "web", "d9a3-1", "till", BUSYBOX, 4]
    assert {key: trace["labels"][key] for key in ("app", "of")} == {"app": "front", "of": "till"}
    assert '"sold\\n"' in node.service.ctl("show", trace["id"]).stdout
    pod.remove()


def test_the_daemon_may_be_restarted(node) -> None:
    pod = node.cri.run_pod("stays")
    kept = pod.run("kept", BUSYBOX, ["sleep", "1000"])
    began = node.lab.since_now()
    node.lab.run("systemctl", "restart", SERVICE)
    node.said(CONNECTED, began)
    new = pod.run("new", BUSYBOX, ["sh", "-c", "exit 6"])
    assert pod.wait(new) == 6
    node.frozen(new)
    assert node.trace(new)["exit_code"] == 6
    assert node.trace(kept)["state"] == "recording", "one trace, that of before"
    assert node.trace(kept)["labels"]["of"] == "kept"
    pod.remove()


def test_containerd_may_be_restarted(node) -> None:
    pod = node.cri.run_pod("lasts")
    began = node.lab.since_now()
    node.lab.run("systemctl", "stop", ENGINE)
    node.said(LOST, began)
    node.lab.run("systemctl", "start", ENGINE)
    node.said(CONNECTED, began)
    lines = [entry["MESSAGE"] for entry in node.lab.journal("--unit", SERVICE, began)]
    assert sum(LOST in line for line in lines) == 1
    pod = type(pod)(node.cri, pod.id, pod._config)
    container = pod.run("new", BUSYBOX, ["sh", "-c", "exit 7"])
    assert pod.wait(container) == 7
    node.frozen(container)
    assert node.trace(container)["exit_code"] == 7
    pod.remove()


def test_no_one_else_may_connect_and_the_proxy_can_do_nothing_else(node) -> None:
    """Other users may not connect, not even members of the group, who may list and show."""
    node.lab.run("useradd", "--groups", "traceloop", "member", check=False)
    connect = "import socket, sys; socket.socket(socket.AF_UNIX).connect('/run/traceloop/nri.sock')"
    command = ["/usr/bin/python3", "-c", connect]
    assert "PermissionError" in node.lab.run(*command, user="member", check=False).stderr
    assert node.lab.run(*command, user="traceloop").returncode == 0
    pid = node.lab.unit("traceloopd-nri.service")["MainPID"]
    status = node.lab.run("cat", f"/proc/{pid}/status").stdout
    assert set(re.findall(r"^Cap(?:Prm|Eff|Bnd|Amb):\t(\w+)", status, re.MULTILINE)) == {"0" * 16}


def test_it_is_off_until_it_is_enabled() -> None:
    with Systemd() as lab:
        install(lab)
        lab.run("systemctl", "enable", "--now", "--quiet", SERVICE)
        unit = lab.unit("traceloopd-nri.socket")
        assert (unit["UnitFileState"], unit["ActiveState"]) == ("disabled", "inactive")
        assert lab.run("test", "-e", "/run/traceloop/nri.sock", check=False).returncode == 1
