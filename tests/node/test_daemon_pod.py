# SPDX-License-Identifier: Apache-2.0
"""The container of the DaemonSet, run by runc with the rights and mounts that it asks for: they are enough."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from born_cgroups import new_id
from recorded_cgroups import TIMEOUT_S, Cgroup, cgroup2_mount

pytestmark = [pytest.mark.kernel, pytest.mark.runtime]

PROJECT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
BASE = PROJECT / "packaging/kubernetes/daemon"
SETTINGS = '[record]\nprefixes = ["tl-born-"]\n'
READY_S = 90
# The node's bpf file system, in a mount namespace that goes with runc.
NODE = (
    'mount -t bpf none /sys/fs/bpf; mkdir /sys/fs/bpf/traceloop; mount -t tracefs none /sys/kernel/tracing; exec "$@"'
)


def container() -> tuple[dict[str, Any], dict[str, Any]]:
    yaml = pytest.importorskip("yaml")
    pod = yaml.safe_load((BASE / "daemonset.yaml").read_text())["spec"]["template"]["spec"]
    return pod, pod["containers"][0]


def bound(source: Path | str, inside: str, *options: str) -> dict[str, Any]:
    return {"destination": inside, "type": "bind", "source": str(source), "options": ["rbind", *(options or ("ro",))]}


def written(directory: Path, state: Path) -> Path:
    """Writes the bundle, as an engine does for the pod on this machine; returns its directory."""
    pod, its = container()
    bundle = directory / "bundle"
    bundle.mkdir()
    subprocess.run(["runc", "spec"], cwd=bundle, check=True, timeout=TIMEOUT_S)
    config = json.loads((bundle / "config.json").read_text())
    allowed = [f"CAP_{name}" for name in its["securityContext"]["capabilities"]["add"]]
    kinds = ("bounding", "effective", "permitted")
    words = [word.replace("$(NODE)", "node-x") for word in its["args"]]
    config["process"] |= {
        "args": [str(BIN / its["command"][0]), *words],
        "terminal": False,
        "env": [
            *config["process"]["env"],
            *(f"{each['name']}={each['value']}" for each in its["env"] if "value" in each),
        ],
        "user": {"uid": pod["securityContext"]["runAsUser"], "gid": pod["securityContext"]["runAsGroup"]},
        "capabilities": dict.fromkeys(kinds, allowed),
        "noNewPrivileges": not its["securityContext"]["allowPrivilegeEscalation"],
    }
    config["process"]["rlimits"] = []
    root = bundle / "rootfs"
    (root / "usr").mkdir(parents=True)
    for name in ("bin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    config["root"] = {"path": "rootfs", "readonly": its["securityContext"]["readOnlyRootFilesystem"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    (directory / "etc").mkdir()
    (directory / "etc/traceloop.toml").write_text(SETTINGS)
    (directory / "group").write_text(f"root:x:0:\ntraceloop:x:{pod['securityContext']['runAsGroup']}:\n")
    (directory / "bundles").mkdir()
    (directory / "logs").mkdir()
    own = {
        "/etc/traceloop": directory / "etc",
        "/etc/group": directory / "group",
        "/run/traceloop": state / "run",
        "/var/lib/traceloop": state / "lib",
        "/var/cache/traceloop": state / "cache",
        "/run/containerd/io.containerd.runtime.v2.task": directory / "bundles",
        "/var/log/containers": directory / "logs",
    }
    mounts = [mount for mount in config["mounts"] if mount["type"] != "cgroup"]
    mounts.append(bound("/usr", "/usr"))
    for mount in its["volumeMounts"]:
        inside, how = mount["mountPath"], ("ro",) if mount.get("readOnly") else ("rw",)
        volume = volumes[mount["name"]]
        if "emptyDir" in volume:
            mounts.append({"destination": inside, "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]})
        else:
            mounts.append(bound(own.get(inside) or volume["hostPath"]["path"], inside, *how))
    config["mounts"] = [*mounts, bound(PROJECT, str(PROJECT))]  # it may be below one of them
    kinds_of_namespaces = ["mount", "network", "ipc", "uts", "cgroup"]  # not pid: hostPID
    assert pod["hostPID"] is True
    config["linux"]["namespaces"] = [{"type": kind} for kind in kinds_of_namespaces]
    config["linux"]["resources"] = {}
    config["linux"]["cgroupsPath"] = f"/traceloop-test-pod-{os.getpid()}"
    (bundle / "config.json").write_text(json.dumps(config))
    return bundle


@contextmanager
def running(directory: Path, bundle: Path) -> Iterator[subprocess.Popen[str]]:
    """Runs the container until it has said that it is ready, and then until the block's end."""
    name = f"traceloop-test-pod-{os.getpid()}"
    runc = ["runc", "--root", str(directory / "runc"), "run", "--bundle", str(bundle), name]
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", NODE, "sh", *runc]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = []
            for line in process.stderr:
                said.append(line)
                if "traceloopd: ready" in line:
                    break
            else:
                raise AssertionError("".join(said))
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def test_it_records_a_container_from_its_birth() -> None:
    if shutil.which("runc") is None:
        pytest.skip("needs runc")
    mount = cgroup2_mount()
    assert mount is not None
    with tempfile.TemporaryDirectory(prefix="traceloop-") as text:
        directory = Path(text)
        for name in ("run", "lib", "cache"):
            (directory / "node" / name).mkdir(parents=True)
        bundle = written(directory, directory / "node")
        with running(directory, bundle) as process:
            cgroup = mount / f"tl-born-{new_id()}"
            cgroup.mkdir()
            with Cgroup() as outside:
                outside.run("sh", "-c", f"echo $$ > {cgroup}/cgroup.procs; exec mkdir /proc/inside", status=1)
            assert process.stderr is not None
            frozen = next(line for line in process.stderr if "frozen" in line)
            cgroup.rmdir()
            trace_id = frozen.split("frozen ")[1].split()[0]
            assert trace_id.startswith("node-x_")
            socket = directory / "node/run/traceloop.sock"
            assert socket.stat().st_gid == 973
            words = [BIN / "traceloopctl", "--address", f"unix:{socket}", "show", trace_id]
            shown = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=True).stdout
            assert '"/proc/inside"' in shown
        assert any((directory / "node/lib").iterdir())
        assert any((directory / "node/cache").iterdir())
