# SPDX-License-Identifier: Apache-2.0
"""Labs of engines run side by side: one that ends removes nothing of another's, and neither leaves a cgroup."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.bundle import CGROUP_PREFIX
from lab.containerd import Containerd
from lab.docker import Docker
from lab.image import BUSYBOX

pytestmark = [pytest.mark.kernel, pytest.mark.runtime]

FOREVER = ["sleep", "1000000"]


def cgroups(engine: str) -> set[Path]:
    return {*Path("/sys/fs/cgroup").glob(f"**/{CGROUP_PREFIX}*traceloop-{engine}-*")}


@pytest.mark.engine("containerd")
def test_two_of_containerd():
    before = cgroups("containerd")
    with Containerd() as stays:
        stays.start()
        pod = stays.cri.run_pod("web")
        kept = pod.run("kept", BUSYBOX, FOREVER)
        with Containerd() as ends:
            ends.start()
            ends.cri.run_pod("web").run("killed", BUSYBOX, FOREVER)
            assert cgroups("containerd") - before
        assert stays.cri.exit_code(kept) is None
        assert pod.wait(pod.run("later", BUSYBOX, ["true"])) == 0
    assert cgroups("containerd") == before


@pytest.mark.engine("dockerd")
def test_two_of_docker():
    before = cgroups("docker")
    with Docker() as stays:
        stays.start()
        stays("run", "--detach", "--network", "host", "--name", "kept", BUSYBOX, *FOREVER)
        with Docker() as ends:
            ends.start()
            ends("run", "--detach", "--network", "host", BUSYBOX, *FOREVER)
            assert cgroups("docker") - before
        assert stays("inspect", "--format", "{{.State.Running}}", "kept").stdout == "true\n"
        assert stays("exec", "kept", "echo", "alive").stdout == "alive\n"
        assert stays.run(BUSYBOX, "true").returncode == 0
    assert cgroups("docker") == before
