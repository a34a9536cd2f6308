# SPDX-License-Identifier: Apache-2.0
"""What a container is called: by Kubernetes, by its user, by podman or docker, else by its id.

The first source that knows wins; their annotations are those that containerd's CRI plugin, CRI-O, podman and docker
give to OCI runtimes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NAME_ANNOTATION: Final = "io.traceloop.name"
_SHORT_ID: Final = 12
_UNFIT: Final = re.compile(r"[^A-Za-z0-9.:@+-]+")

# (pod, namespace, pod uid, container, container type, image)
_KUBERNETES: Final = (
    (
        "io.kubernetes.cri.sandbox-name",
        "io.kubernetes.cri.sandbox-namespace",
        "io.kubernetes.cri.sandbox-uid",
        "io.kubernetes.cri.container-name",
        "io.kubernetes.cri.container-type",
        "io.kubernetes.cri.image-name",
    ),
    (
        "io.kubernetes.pod.name",
        "io.kubernetes.pod.namespace",
        "io.kubernetes.pod.uid",
        "io.kubernetes.container.name",
        "io.kubernetes.cri-o.ContainerType",
        "io.kubernetes.cri-o.ImageName",
    ),
)


@dataclass(frozen=True, slots=True)
class Names:
    """pod, namespace and pod_uid are empty outside Kubernetes. sandbox: the pod's pause container."""

    container: str
    pod: str = ""
    namespace: str = ""
    pod_uid: str = ""
    image: str = ""
    sandbox: bool = False

    def __post_init__(self) -> None:
        # An engine's JSON can spell half a surrogate pair, which no other encoding can: gRPC could not send it on.
        for name in ("container", "pod", "namespace", "pod_uid", "image"):
            value: str = getattr(self, name)
            if not value.isascii():
                object.__setattr__(self, name, value.encode("utf-8", "backslashreplace").decode())

    def trace_id(self, node: str) -> str:
        """``<node>_<namespace>_<pod>[_<container>]``, or ``<node>_<container>``, in letters that need no quoting."""
        parts = [node, self.container]
        if self.pod:
            parts = [node, self.namespace, self.pod]
            if self.container != self.pod:
                parts.append(self.container)
        return "_".join(_UNFIT.sub("-", part) for part in parts)


def resolve(
    container_id: str, annotations: Mapping[str, str], bundle: str, docker_root: Path = Path("/var/lib/docker")
) -> Names:
    """The names of a container. bundle: its OCI bundle's path, from which podman's own files are found."""
    for pod, namespace, uid, container, kind, image in _KUBERNETES:
        if annotations.get(pod):
            return Names(
                container=annotations.get(container) or annotations[pod],
                pod=annotations[pod],
                namespace=annotations.get(namespace, ""),
                pod_uid=annotations.get(uid, ""),
                image=annotations.get(image, ""),
                sandbox=annotations.get(kind) == "sandbox",
            )
    own = annotations.get(NAME_ANNOTATION)
    name = own or _podman(container_id, bundle) or _docker(container_id, docker_root) or container_id[:_SHORT_ID]
    return Names(container=name)


def _podman(container_id: str, bundle: str) -> str:
    # The bundle is <storage>/<driver>-containers/<id>/userdata, and containers.json lies beside <id>.
    path = Path(bundle)
    if path.name != "userdata" or path.parent.name != container_id:
        return ""
    listed = _read(path.parent.parent / "containers.json")
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict) and entry.get("id") == container_id:
            given = entry.get("names")
            return str(given[0]) if isinstance(given, list) and given else ""
    return ""


def _docker(container_id: str, root: Path) -> str:
    config = _read(root / "containers" / container_id / "config.v2.json")
    return str(config.get("Name", "")).lstrip("/") if isinstance(config, dict) else ""


def _read(path: Path) -> object:
    # These are other programs' files: not there, or not what was expected, means that the name is not known.
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
