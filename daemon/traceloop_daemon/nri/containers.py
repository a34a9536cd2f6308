# SPDX-License-Identifier: Apache-2.0
"""What NRI says of a container or a pod's sandbox -> a registration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from traceloop_daemon.errors import RegistrationError
from traceloop_daemon.naming.labels import Labels
from traceloop_daemon.naming.names import Names, of_kubernetes, short_id
from traceloop_daemon.recording.registration import Registration
from traceloop_daemon.registering.oci import ID_MAX
from traceloop_proto import nri_pb2 as pb

_SHOWN_MAX: Final = 80


def of_container(pod: pb.PodSandbox, container: pb.Container) -> Registration:
    """A container whose first process is there, started or not. Raises RegistrationError."""
    container_id, pid = _checked(container.id, container.pid)
    names = _names(pod, container_id, "container", container.name, {**container.labels, **container.annotations})
    names = replace(names, labels=Labels.of({**pod.labels, **container.labels}))
    return Registration(container_id, pid, names, {**pod.annotations, **container.annotations})


def of_sandbox(pod: pb.PodSandbox) -> Registration:
    """A pod's pause container. Raises RegistrationError."""
    pod_id, pid = _checked(pod.id, pod.pid)
    names = replace(_names(pod, pod_id, "sandbox", "", pod.annotations), labels=Labels.of(pod.labels))
    return Registration(pod_id, pid, names, dict(pod.annotations))


def _checked(container_id: str, pid: int) -> tuple[str, int]:
    fits = container_id.isprintable() and container_id.isascii() and 0 < len(container_id) <= ID_MAX
    if not fits:
        raise RegistrationError(f"NRI told of a container with the id {ascii(container_id)[:_SHOWN_MAX]}")
    if not pid:
        raise RegistrationError(f"container {container_id} is not recorded: NRI told no pid of it")
    return container_id, pid


def _names(pod: pb.PodSandbox, container_id: str, kind: str, name: str, told: Mapping[str, str]) -> Names:
    # Fields of the pod count more than what its annotations or labels, which users write, say of it.
    fields = {
        "io.kubernetes.cri.sandbox-name": pod.name,
        "io.kubernetes.cri.sandbox-namespace": pod.namespace,
        "io.kubernetes.cri.sandbox-uid": pod.uid,
        "io.kubernetes.cri.container-type": kind,
        **({"io.kubernetes.cri.container-name": name} if name else {}),
    }
    return of_kubernetes({**told, **fields}) or Names(container=name or short_id(container_id))
