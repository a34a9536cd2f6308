# SPDX-License-Identifier: Apache-2.0
"""podman.

Seen with 4.3.1, with runc and crun, cgroupfs and systemd:

- ``/libpod_parent/libpod-<id>``, or ``libpod-<id>`` below ``--cgroup-parent``; of a pod's members below its id.
- ``/machine.slice/libpod-<id>.scope``; crun makes a child ``container`` in it. A pod has a slice,
  ``machine-libpod_pod_<pod id>.slice``.
- with ``--cgroups=split`` ``libpod-payload-<id>`` below the unit of podman itself, which moves to ``runtime``.
- the monitor's, ``libpod-conmon-<id>.scope`` or ``conmon``, is made first.

A pod's id has the form of a container's. With cgroupfs, runc makes missing parents too, so these are ruled out by name.
The bundle exists 4 to 43 ms before the cgroup.
"""

from __future__ import annotations

from typing import Final

from traceloop_bpf.births import Kind
from traceloop_daemon.naming.engines.model import Engine, Form

PODMAN: Final = Engine(
    "podman",
    forms=(
        *(Form(Kind.NAME, name, is_container=False) for name in ("libpod_parent", "conmon", "runtime")),
        Form(Kind.BELOW, "libpod_parent", is_container=False),
        Form(Kind.ID, "libpod-"),
        Form(Kind.ID, "libpod-payload-"),
    ),
    bundles=(
        "run/containers/storage/*-containers/{id}/userdata",
        "var/lib/containers/storage/*-containers/{id}/userdata",
    ),
)
