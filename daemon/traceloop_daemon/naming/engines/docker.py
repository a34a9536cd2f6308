# SPDX-License-Identifier: Apache-2.0
"""docker.

Seen with 20.10 on containerd 1.6, with cgroupfs and systemd:

- ``/system.slice/docker-<id>.scope``.
- ``/docker/<id>``: an id alone, as containerd's are.

The bundle, in containerd's or docker's own, exists 22 to 54 ms before the cgroup; config.v2.json exists earlier.
"""

from __future__ import annotations

from typing import Final

from traceloop_bpf.births import Kind, Suffix
from traceloop_daemon.naming.engines.model import Engine, Form

DOCKER: Final = Engine(
    "docker",
    forms=(Form(Kind.ID, "docker-", Suffix.SCOPE),),
    bundles=("run/docker/containerd/daemon/io.containerd.runtime.v2.task/*/{id}",),
)
