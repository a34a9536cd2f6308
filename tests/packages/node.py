# SPDX-License-Identifier: Apache-2.0
"""A node: a fresh Debian under a systemd of its own, with podman, docker and containerd as their packages set them up.

Drop-ins adapt it to the lab's lack of privileges and networks. busybox is the only image.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from typing import Self

from lab import make_root
from lab.containerd import CONFIG as CONTAINERD_CONFIG
from lab.containerd import CONFIGURATIONS
from lab.cri import Cri
from lab.docker import CONFIG as DOCKER_CONFIG
from lab.image import make_image
from lab.kernel_objects import KernelObject, held_by
from lab.podman import CONFIGURATION as PODMAN_CONFIG
from lab.systemd import Systemd
from roots import ROOT

ENGINES_ROOT = ROOT.with_name(f"{ROOT.name}-engines")
# The lab lacks CAP_SYS_RESOURCE.
UNIT = "[Service]\nLimitNOFILE=\nLimitNPROC=\nLimitCORE=\nOOMScoreAdjust=0\nExecStartPre=\n"
# On a machine with hybrid cgroups, version 2 has no CPU controller, but containerd sets a weight for each sandbox.
RUNC = """#!/usr/bin/python3 -IS
import json, os, sys
if "create" in sys.argv:
    path = sys.argv[sys.argv.index("--bundle") + 1] + "/config.json"
    config = json.load(open(path))
    config["linux"].get("resources", {}).pop("cpu", None)
    json.dump(config, open(path, "w"))
os.execv("/run/lab/runc", ["runc", *sys.argv[1:]])
"""
DOCKER = {
    "bridge": "none",
    "iptables": False,
    "ip6tables": False,
    "ip-forward": False,  # which dockerd would have to turn on where it is off
    "storage-driver": "vfs",
    "default-ulimits": {name: {"Name": name, "Soft": 1024, "Hard": 1024} for name in ("nofile", "nproc")},
}
ENGINES_DATA = ("/var/lib/containers", "/var/lib/docker", "/var/lib/containerd")
READY_S = 60
# dpkg and systemd change these for every package that makes a user, whose line stays: Debian's policy on users.
ACCOUNTS = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow")


class Node:
    """A node on which the engines run and traceloop is not installed."""

    def __init__(self) -> None:
        self.lab = Systemd(root=ENGINES_ROOT)
        try:
            self._set_up()
        except BaseException:
            self.lab.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.lab.close()

    def run(self, *words, **settings) -> subprocess.CompletedProcess[str]:
        return self.lab.run(*words, **{"timeout_s": 300, **settings})

    def ctl(self, *words, **settings) -> subprocess.CompletedProcess[str]:
        return self.run("traceloopctl", *words, **settings)

    def podman(self, *words, **settings) -> subprocess.CompletedProcess[str]:
        return self.run("podman", *words, **settings)

    def docker(self, *words, **settings) -> subprocess.CompletedProcess[str]:
        return self.run("docker", *words, **settings)

    def cri(self) -> Cri:
        """Returns a kubelet's client of containerd, once the CRI plugin answers."""
        cri = Cri(self.lab.path("/run/containerd/containerd.sock"))
        end = time.monotonic() + READY_S
        while not cri.ready():
            assert time.monotonic() < end, self.lab.log()
            time.sleep(0.05)  # readiness is not announced
        return cri

    def listed(self) -> dict[str, dict]:
        """Returns the traces, by the names that `traceloopctl list` prints."""
        return {trace["id"]: trace for trace in json.loads(self.ctl("list", "-o", "json").stdout)}

    def settings(self) -> dict[str, str]:
        """Returns a digest of each file below /etc; accounts' files are digested without our lines."""
        found = {}
        for path in sorted(self.lab.path("/etc").rglob("*")):
            name = "/etc/" + str(path.relative_to(self.lab.path("/etc")))
            if path.is_symlink():
                found[name] = f"-> {path.readlink()}"
            elif path.is_file() and not name.startswith(("/etc/.pwd.lock", *(f"{one}-" for one in ACCOUNTS))):
                lines = path.read_bytes().splitlines(keepends=True)
                kept = [
                    line for line in lines if not (name in ACCOUNTS and line.startswith((b"traceloop:", b"traceloop-")))
                ]
                found[name] = f"{path.stat().st_mode:o} {hashlib.sha256(b''.join(kept)).hexdigest()}"
        return found

    def bpf_objects(self) -> set[KernelObject]:
        """Returns the objects held by the daemon, and by systemd, which keeps them for it."""
        return held_by(self.lab.outer_pid(int(self.lab.unit("traceloopd.service")["MainPID"]))) | held_by(self.lab.pid)

    def _set_up(self) -> None:
        for path in ENGINES_DATA:  # layers of an overlay may not lie on an overlay
            self.run("mkdir", "-p", path)
            self.run("mount", "-t", "tmpfs", "none", path)
        self.lab.write("/run/lab/wrapper", RUNC, mode=0o755)
        self.run("cp", "/usr/sbin/runc", "/run/lab/runc")
        self.run("mount", "--bind", "/run/lab/wrapper", "/usr/sbin/runc")
        root = make_root(self.lab.shared / "root")
        archive = make_image(self.lab.shared / "image.tar", root)
        self.lab.write(
            "/etc/containers/containers.conf.d/lab.conf",
            PODMAN_CONFIG.replace('cgroup_manager = "cgroupfs"\n', "") + 'runtime = "runc"\n',
        )
        self.lab.write(
            "/etc/containers/storage.conf",
            '[storage]\ndriver = "vfs"\nrunroot = "/run/containers/storage"\n'
            'graphroot = "/var/lib/containers/storage"\n',
        )
        self.lab.write(DOCKER_CONFIG, json.dumps(DOCKER, indent=2) + "\n")
        self.lab.write(CONTAINERD_CONFIG, CONFIGURATIONS[2])
        for name in ("docker", "containerd"):
            self.lab.write(f"/etc/systemd/system/{name}.service.d/lab.conf", UNIT)
        self.run("systemctl", "daemon-reload")
        self.run("systemctl", "start", "containerd.service", "docker.service")
        self.docker("load", "--input", archive)
        for namespace in ("k8s.io", "default"):
            self.run("ctr", "--namespace", namespace, "images", "import", archive)
        self.run("podman", "load", "--input", archive)
