# SPDX-License-Identifier: Apache-2.0
"""containerd, under Kubernetes (CRI), nerdctl and k3s.

Seen with 1.6, 1.7 and 2.1:

- CRI with systemd: ``cri-containerd-<id>.scope`` in the pod's slice. nerdctl: ``nerdctl-<id>.scope``.
- CRI with cgroupfs: an id alone below the pod's cgroup. A pod's pause container is alike.
- ``ctr run``: ``/<namespace>/<name>``, or any path with ``--cgroup``; its runtime tells the name (`runtimes`).

The bundle exists 20 to 51 ms before the cgroup. Its annotations name the pod.
"""

from __future__ import annotations

from typing import Final

from traceloop_bpf.births import Kind
from traceloop_daemon.naming.engines.model import Engine, Form

CONTAINERD: Final = Engine(
    "containerd",
    forms=(Form(Kind.ID, "cri-containerd-"), Form(Kind.ID, "nerdctl-")),
    bundles=(
        "run/containerd/io.containerd.runtime.v2.task/*/{id}",
        "run/k3s/containerd/io.containerd.runtime.v2.task/*/{id}",
    ),
)
