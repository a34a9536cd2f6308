# SPDX-License-Identifier: Apache-2.0
"""Runs containerd on a host of its own, with its CRI plugin and one image, busybox."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from lab.bundle import cgroup_name
from lab.busybox import make_root
from lab.cgroups import remove_cgroups
from lab.cri import Cri
from lab.host import Host
from lab.image import BUSYBOX, make_image

CONFIG = "/etc/containerd/config.toml"
PROGRAMS = ("containerd", "containerd-shim-runc-v2", "ctr")
# Turns off what is impossible here: oom_score_adj needs CAP_SYS_RESOURCE. No test needs networks of pods' own.
_CONFIGURATION_2 = f"""\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{BUSYBOX}"
  restrict_oom_score_adj = true
"""
_CONFIGURATION_3 = f"""\
version = 3
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{BUSYBOX}"
"""
CONFIGURATIONS = {2: _CONFIGURATION_2, 3: _CONFIGURATION_3}
_READY_S = 60


class Containerd:
    """A containerd, not yet started: this machine's, or another version that is unpacked below `programs`.

    configuration: the initial config.toml. cgroup: the name, at the top of each hierarchy, of the cgroup above its
    containers' cgroups; no other lab uses it.
    """

    def __init__(
        self, configuration: str = _CONFIGURATION_2, *, programs: Path | None = None, pure_v2: bool = False
    ) -> None:
        self._scratch = TemporaryDirectory(prefix="traceloop-containerd-")
        self.cgroup = cgroup_name(Path(self._scratch.name))
        self.host = Host(pure_v2=pure_v2)
        if programs is not None:
            for name in PROGRAMS:
                self.host.run("mount", "--bind", programs / "usr/bin" / name, f"/usr/bin/{name}")
        self.log_path = Path(self._scratch.name) / "log"
        self.host.path(CONFIG).parent.mkdir(exist_ok=True)
        self.host.path(CONFIG).write_text(configuration)
        self._process: subprocess.Popen[bytes] | None = None
        self._archive = make_image(Path(self._scratch.name) / "image.tar", make_root(Path(self._scratch.name) / "root"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        with self.host:
            pass
        remove_cgroups(self.cgroup)
        self._scratch.cleanup()

    def start(self) -> None:
        """Starts containerd, and waits until the CRI plugin answers."""
        with self.log_path.open("ab") as log:
            self._process = self.host.start("/usr/bin/containerd", output=log)
        self.cri = Cri(self.host.path("/run/containerd/containerd.sock"), cgroup=self.cgroup)
        deadline_s = time.monotonic() + _READY_S
        while not self.cri.ready():
            assert self._process.poll() is None, self.log_path.read_text()
            assert time.monotonic() < deadline_s, f"the CRI plugin does not answer:\n{self.log_path.read_text()}"
            time.sleep(0.05)  # readiness is not announced
        self.ctr("--namespace", "k8s.io", "images", "import", str(self._archive))
        self.ctr("images", "import", str(self._archive))

    def stop(self) -> None:
        """Stops containerd as systemd would; its containers stay alive."""
        if self._process is not None:
            self.cri.close()
            self._process.terminate()
            self._process.wait(_READY_S)
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def ctr(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.host.run("ctr", *words, check=check)

    def ctr_run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs `ctr run` with these words, one at a time; the container is deleted when it ends."""
        return self.ctr("run", "--rm", "--cgroup", f"/{self.cgroup}/ctr", *words, check=check)
