# SPDX-License-Identifier: Apache-2.0
"""Converts NRI's message about a container or a pod's sandbox to a registration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from traceloop_daemon.errors import RegistrationError
from traceloop_daemon.naming.labels import Labels
from traceloop_daemon.naming.names import Names, Registration, of_kubernetes, short_id
from traceloop_daemon.registering.oci import ID_MAX
from traceloop_proto import nri_pb2 as pb

_SHOWN_MAX: Final = 80


def of_container(pod: pb.PodSandbox, container: pb.Container) -> Registration:
    """Returns the registration of a container whose first process exists. Raises RegistrationError."""
    container_id, pid = _checked(container.id, container.pid)
    names = _names(pod, container_id, "container", container.name, {**container.labels, **container.annotations})
    names = replace(names, labels=Labels.of({**pod.labels, **container.labels}))
    annotations = {**pod.annotations, **container.annotations}
    return Registration(names, annotations, container_id=container_id, pid=pid)


def of_sandbox(pod: pb.PodSandbox) -> Registration:
    """Returns the registration of a pod's pause container. Raises RegistrationError."""
    pod_id, pid = _checked(pod.id, pod.pid)
    names = replace(_names(pod, pod_id, "sandbox", "", pod.annotations), labels=Labels.of(pod.labels))
    return Registration(names, dict(pod.annotations), container_id=pod_id, pid=pid)


def _checked(container_id: str, pid: int) -> tuple[str, int]:
    fits = container_id.isprintable() and container_id.isascii() and 0 < len(container_id) <= ID_MAX
    if not fits:
        raise RegistrationError(
            f"a container is not recorded: NRI reported it with an invalid id, {ascii(container_id)[:_SHOWN_MAX]}"
        )
    if not pid:
        raise RegistrationError(f"container {container_id} is not recorded: NRI reported no pid for it")
    return container_id, pid


def _names(pod: pb.PodSandbox, container_id: str, kind: str, name: str, told: Mapping[str, str]) -> Names:
    # The pod's fields override its annotations and labels, which users write.
    fields = {
        "io.kubernetes.cri.sandbox-name": pod.name,
        "io.kubernetes.cri.sandbox-namespace": pod.namespace,
        "io.kubernetes.cri.sandbox-uid": pod.uid,
        "io.kubernetes.cri.container-type": kind,
        **({"io.kubernetes.cri.container-name": name} if name else {}),
    }
    return of_kubernetes({**told, **fields}) or Names(container=name or short_id(container_id))
