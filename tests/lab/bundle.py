# SPDX-License-Identifier: Apache-2.0
"""Writes OCI bundles: runc's own default configuration, changed where a test needs it.

Source: OCI runtime specification 1.0.2, config.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

CGROUP_PREFIX = "traceloop-test-"
HOOK = Path(sys.executable).with_name("traceloop-hook")  # as installed by `make setup`

Hooks = dict[str, list[dict[str, Any]]]


def make_bundle(
    path: Path,
    root: Path,
    args: Sequence[str],
    *,
    hooks: Hooks | None = None,
    annotations: Mapping[str, str] | None = None,
    binds: Mapping[Path, str] | None = None,
    cgroup: str = "",
) -> Path:
    """Writes a bundle whose container runs `args` on a read-only `root` with a /tmp of its own; returns `path`.

    The container may share `root` with others. binds: files of this machine, and their places in the container, below
    /tmp. cgroup: a name at the top of each hierarchy; the default is made of CGROUP_PREFIX and the bundle's path.
    """
    config = json.loads(_default_config())
    config["process"] |= {"args": [*args], "terminal": False}
    config["root"] = {"path": str(root), "readonly": True}
    config["hooks"] = hooks or {}
    config["annotations"] = dict(annotations or {})
    # The default's mount of cgroups and its device limits depend on the machine's cgroup layout; no test needs either.
    config["mounts"] = [
        *(mount for mount in config["mounts"] if mount["type"] != "cgroup"),
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777"]},
        *(
            {"destination": inside, "type": "bind", "source": str(outside), "options": ["bind", "ro"]}
            for outside, inside in (binds or {}).items()
        ),
    ]
    config["linux"]["resources"] = {}
    config["linux"]["cgroupsPath"] = f"/{cgroup or cgroup_name(path)}"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(config, indent=2))
    return path


def cgroup_name(path: Path) -> str:
    """Returns the name of a bundle's cgroup, if none was given."""
    return CGROUP_PREFIX + str(path.absolute()).strip("/").replace("/", "-")


def hooks(socket: Path | str, *, hook: Path = HOOK) -> Hooks:
    """Returns the hooks for the two stages at which engines run traceloop-hook."""
    return {
        stage: [{"path": str(hook), "args": [hook.name, word, "--socket", str(socket)]}]
        for stage, word in {"prestart": "start", "poststop": "stop"}.items()
    }


def pod_annotations(pod: str, *, namespace: str = "default", container: str = "") -> dict[str, str]:
    """Returns the annotations that containerd's CRI plugin passes to the runtime for a pod's container."""
    return {
        "io.kubernetes.cri.sandbox-name": pod,
        "io.kubernetes.cri.sandbox-namespace": namespace,
        "io.kubernetes.cri.container-name": container or pod,
        "io.kubernetes.cri.container-type": "container",
    }


@cache
def _default_config() -> str:
    with TemporaryDirectory() as scratch:
        subprocess.run(["runc", "spec"], cwd=scratch, check=True)
        return (Path(scratch) / "config.json").read_text()
