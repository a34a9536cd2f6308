# SPDX-License-Identifier: Apache-2.0
"""Runs podman on a host of its own, as root, with one image: busybox, `localhost/busybox:1`."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from lab.busybox import make_root
from lab.host import Host

IMAGE = "localhost/busybox:1"
# podman's defaults, but for the network, limits that this process may set itself, and an image for pods that exists
CONFIGURATION = """
[containers]
cgroups = "enabled"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "host"
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
infra_command = "/bin/sleep 1000000"
stop_timeout = 1
infra_image = "localhost/busybox:1"
"""
# crun raises the limit on locked memory for its BPF program that guards devices, which needs CAP_SYS_RESOURCE.
_CRUN = """#!/usr/bin/python3
import json, os, sys
if "--bundle" in sys.argv:
    path = sys.argv[sys.argv.index("--bundle") + 1] + "/config.json"
    config = json.load(open(path))
    config["linux"].get("resources", {}).pop("devices", None)
    json.dump(config, open(path, "w"))
os.execv("/usr/bin/crun", ["crun", *sys.argv[1:]])
"""
_IMAGE = ["--change", 'CMD ["/bin/sleep", "1000000"]', "--change", "ENV PATH=/bin"]


class Podman:
    """podman with a runtime: runc, or crun, which requires cgroup v2 alone."""

    def __init__(self, runtime: str = "runc", *, configuration: str = "") -> None:
        self._scratch = TemporaryDirectory(prefix="traceloop-podman-")
        self.host = Host(pure_v2=runtime == "crun")
        crun = Path(self._scratch.name) / "crun"
        crun.write_text(_CRUN)
        crun.chmod(0o755)
        # Not the file in /etc, which `engine enable` reads: podman reads this one after it.
        conf = self.host.path("/etc/containers/containers.conf.d/lab.conf")
        conf.parent.mkdir(parents=True)
        conf.write_text(f'{CONFIGURATION}runtime = "{runtime}"\n{configuration}[engine.runtimes]\ncrun = ["{crun}"]\n')
        self.host.path("/etc/containers/storage.conf").write_text(
            '[storage]\ndriver = "vfs"\nrunroot = "/run/containers/storage"\n'
            f'graphroot = "{self._scratch.name}/storage"\n'
        )
        root = make_root(Path(self._scratch.name) / "root")
        tar = Path(self._scratch.name) / "root.tar"
        subprocess.run(["tar", "--create", "--file", tar, "--directory", root, "."], check=True)
        self("import", *_IMAGE, str(tar), IMAGE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self("pod", "rm", "--all", "--force", "--time", "0", check=False)
        self("rm", "--all", "--force", "--time", "0", check=False)
        with self.host:
            pass
        self._remove_cgroups()
        self._scratch.cleanup()

    def __call__(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.host.run("podman", *words, check=check)

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs `podman run` with these words; the container is deleted when it ends."""
        return self("run", "--rm", *words, check=check)

    @staticmethod
    def _remove_cgroups() -> None:
        # podman leaves the parents of its containers' cgroups, all of one name; those that another lab uses stay.
        for parent in Path("/sys/fs/cgroup").glob("**/libpod_parent"):
            for directory in sorted(parent.glob("**/"), reverse=True):
                with suppress(OSError):
                    directory.rmdir()
