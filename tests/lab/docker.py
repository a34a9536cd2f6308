# SPDX-License-Identifier: Apache-2.0
"""Runs dockerd on a host of its own, with a containerd of its own and one image, busybox."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from lab.bundle import cgroup_name
from lab.busybox import make_root
from lab.cgroups import remove_cgroups
from lab.host import Host
from lab.image import make_image

CONFIG = "/etc/docker/daemon.json"
_READY_S = 60
# Sets up no network, and keeps to limits that this process may set.
_FLAGS = ("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--storage-driver=vfs")
_LIMITS = ("--default-ulimit", "nofile=1024:1024")


class Docker:
    """A dockerd that is not yet started. data_root: the directory of its data, with the bundles beside it, visible from
    outside too.

    The cgroups of its containers are below one that no other lab uses.
    """

    def __init__(self) -> None:
        self._scratch = TemporaryDirectory(prefix="traceloop-docker-")
        self._cgroup = cgroup_name(Path(self._scratch.name))
        self.host = Host()
        self.host.path("/etc/docker").mkdir(exist_ok=True)
        self.data_root = Path(self._scratch.name) / "data"
        self.log_path = Path(self._scratch.name) / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._archive = make_image(Path(self._scratch.name) / "image.tar", make_root(Path(self._scratch.name) / "root"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        with self.host:
            pass
        remove_cgroups(self._cgroup)
        self._scratch.cleanup()

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            own = [f"--cgroup-parent=/{self._cgroup}", f"--data-root={self.data_root}"]
            words = [*_FLAGS, *_LIMITS, *own, f"--exec-root={self.data_root}.run"]
            self._process = self.host.start("dockerd", *words, output=log)
        deadline_s = time.monotonic() + _READY_S
        while self("version", check=False).returncode:
            assert self._process.poll() is None, self._end_of_log()
            assert time.monotonic() < deadline_s, f"dockerd does not answer: {self._end_of_log()}"
            time.sleep(0.05)  # readiness is not announced
        self("load", "--input", str(self._archive))

    def stop(self) -> None:
        """Stops dockerd as systemd would; its containers end with it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_READY_S)
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def reload(self) -> None:
        """Makes dockerd reload its configuration by SIGHUP, as `systemctl reload docker` does."""
        assert self._process is not None
        before = self.log_path.read_text().count("Reloaded configuration")
        self._process.send_signal(signal.SIGHUP)
        deadline_s = time.monotonic() + _READY_S
        while self.log_path.read_text().count("Reloaded configuration") <= before:
            assert self._process.poll() is None, self._end_of_log()
            assert time.monotonic() < deadline_s, self._end_of_log()
            time.sleep(0.02)

    def _end_of_log(self) -> str:
        return "\n".join(self.log_path.read_text().splitlines()[-20:])

    def __call__(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.host.run("docker", *words, check=check)

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs `docker run` with these words; the container is deleted when it ends."""
        return self("run", "--rm", "--network", "host", *words, check=check)
