# SPDX-License-Identifier: Apache-2.0
"""What a container is called: by Kubernetes, by its user, by its engine, else by its id; with its labels.

The first source that knows wins. Annotations are those that engines give to OCI runtimes: containerd's CRI plugin
(pkg/cri/annotations), CRI-O (pkg/annotations), nerdctl (pkg/labels), kubelet (pkg/kubelet/kuberuntime/labels.go).
podman and docker give no names to runtimes; theirs are read from their own files (`engine_files`).
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from traceloop_daemon.naming import engine_files
from traceloop_daemon.naming.labels import NO_LABELS, Labels

OURS: Final = "io.traceloop."
"""What annotations begin with that are meant for us."""
NAME_ANNOTATION: Final = f"{OURS}name"
NAME_MAX: Final = 256
"""Characters that are kept of a name: a pod's has 253 at most. What is cut off stands as _CUT."""
_IMAGE_MAX: Final = 512  # 456 at most: distribution/reference
_CUT: Final = "..."
_LENGTHS: Final = dict.fromkeys(("container", "pod", "namespace", "pod_uid"), NAME_MAX) | {"image": _IMAGE_MAX}
_log = logging.getLogger(__name__)
_SHORT_ID: Final = 12
_LONG_ID: Final = re.compile(r"[0-9a-f]{64}")
_UNFIT: Final = re.compile(r"[^A-Za-z0-9.:@+-]+")
_COUNT_MAX: Final = 1 << 31
_DIGITS_MAX: Final = 10

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
_SANDBOX_TYPES: Final = ("sandbox", "podsandbox")  # the latter under docker
_DOCKERSHIM_TYPE: Final = "io.kubernetes.docker.type"  # kubelet's docker has names in labels
_RESTARTS: Final = ("io.kubernetes.container.restartCount", "annotation.io.kubernetes.container.restartCount")
_CRIO_METADATA: Final = "io.kubernetes.cri-o.Metadata"  # {"name": …, "attempt": restarts; absent for 0}
_NERDCTL_NAME: Final = "nerdctl/name"


@dataclass(frozen=True, slots=True)
class Names:
    """Empty or None is what there is not, or what the engine does not tell.

    namespace and pod_uid: Kubernetes' alone, but for podman's pods, which have an id. sandbox: the pod's pause
    container. restart_count: how often this container, or its like before it in its pod, was started again.
    labels: its own and its pod's, where the engine has any.
    """

    container: str
    pod: str = ""
    namespace: str = ""
    pod_uid: str = ""
    image: str = ""
    sandbox: bool = False
    restart_count: int | None = None
    labels: Labels = NO_LABELS

    def __post_init__(self) -> None:
        # An engine's JSON can spell half a surrogate pair, which no other encoding can: gRPC could not send it on.
        # And users choose most of them: all that have a trace listed have them in memory.
        for name, length in _LENGTHS.items():
            value: str = getattr(self, name)
            if len(value) <= length and value.isascii():
                continue
            fit = value[: length + 1].encode("utf-8", "backslashreplace").decode()
            object.__setattr__(self, name, fit if len(fit) <= length else fit[: length - len(_CUT)] + _CUT)

    def completed(self, other: Names) -> Names:
        """These, and `other`'s where there is none of these."""
        return replace(
            self,
            pod=self.pod or other.pod,
            namespace=self.namespace or other.namespace,
            pod_uid=self.pod_uid or other.pod_uid,
            image=self.image or other.image,
            restart_count=other.restart_count if self.restart_count is None else self.restart_count,
            labels=self.labels or other.labels,
        )

    def trace_id(self, node: str) -> str:
        """``<node>_<namespace>_<pod>[_<container>]``, or ``<node>_<container>``, in letters that need no quoting."""
        parts = [node, self.container]
        if self.pod:
            parts = [node, self.namespace, self.pod] if self.namespace else [node, self.pod]
            if self.container != self.pod:
                parts.append(self.container)
        return "_".join(_UNFIT.sub("-", part) for part in parts)


@dataclass(frozen=True, slots=True)
class Told:
    """annotations: those of a container, and what its labels say to us in their place. by_label: which are labels."""

    names: Names
    annotations: Mapping[str, str]
    by_label: frozenset[str] = frozenset()


def resolve(
    container_id: str, annotations: Mapping[str, str], bundle: str, docker_root: Path = Path("/var/lib/docker")
) -> Told:
    """What there is of a container. bundle: its OCI bundle's path, from which podman's and docker's files are found.

    docker's users, and podman's, give labels where others give annotations: those that begin with OURS count as such.
    Where there are both, the annotation counts: a label may be the image's.
    """
    told = by_annotations(annotations)
    if told is not None:
        _log.debug("container %s: its annotations name it", container_id)
        return told
    source, entry = "podman's files name it", engine_files.podman(container_id, annotations, bundle)
    if entry is None:
        source, entry = "docker's files name it", engine_files.docker(container_id, bundle, docker_root)
    _log.debug("container %s: %s", container_id, source if entry else "no engine's file names it")
    return _told(container_id, annotations, entry)


def by_annotations(annotations: Mapping[str, str]) -> Told | None:
    """What they say where it is all that there is: of a container of Kubernetes' no file says more."""
    names = of_kubernetes(annotations)
    return None if names is None else Told(names, annotations)


def without_files(container_id: str, annotations: Mapping[str, str]) -> Told:
    """What there is of a container whose engine's files cannot be read."""
    return by_annotations(annotations) or _told(container_id, annotations, None)


def _told(container_id: str, annotations: Mapping[str, str], entry: engine_files.Entry | None) -> Told:
    by_label: frozenset[str] = frozenset()
    if entry is not None:
        by_label = frozenset(name for name in entry.labels if name.startswith(OURS) and name not in annotations)
        annotations = {name: entry.labels[name] for name in by_label} | dict(annotations)
    own = annotations.get(NAME_ANNOTATION) or annotations.get(_NERDCTL_NAME) or ""
    if entry is None:
        return Told(Names(container=own or short_id(container_id)), annotations)
    labels = Labels.of(entry.labels)
    by_labels = of_kubernetes(entry.labels) if _DOCKERSHIM_TYPE in entry.labels else None
    if by_labels is not None:
        return Told(replace(by_labels, image=entry.image, labels=labels), annotations, by_label)
    names = Names(
        container=own or entry.name or short_id(container_id),
        pod=entry.pod,
        pod_uid=entry.pod_id,
        image=entry.image,
        sandbox=entry.infra,
        restart_count=entry.restart_count,
        labels=labels,
    )
    return Told(names, annotations, by_label)


def of_kubernetes(labels: Mapping[str, str]) -> Names | None:
    """By annotations, or by the labels that kubelet's docker has; None if they are of no pod."""
    for pod, namespace, uid, container, kind, image in _KUBERNETES:
        if labels.get(pod):
            type_ = labels.get(kind) or labels.get(_DOCKERSHIM_TYPE)
            return Names(
                container=labels.get(container) or labels[pod],
                pod=labels[pod],
                namespace=labels.get(namespace, ""),
                pod_uid=labels.get(uid, ""),
                image=labels.get(image, ""),
                sandbox=type_ in _SANDBOX_TYPES,
                restart_count=_restart_count(labels),
            )
    return None


def short_id(container_id: str) -> str:
    """The first digits of an id that an engine made up; one that a user chose as it is."""
    return container_id[:_SHORT_ID] if _LONG_ID.fullmatch(container_id) else container_id


def _restart_count(labels: Mapping[str, str]) -> int | None:
    for label in _RESTARTS:
        text = labels.get(label, "")
        if len(text) <= _DIGITS_MAX and text.isascii() and text.isdecimal() and int(text) < _COUNT_MAX:
            return int(text)
    if _CRIO_METADATA in labels:
        try:
            metadata = json.loads(labels[_CRIO_METADATA])
        except (ValueError, RecursionError):
            return None
        attempt = metadata.get("attempt", 0) if isinstance(metadata, dict) and metadata.get("name") else None
        return attempt if type(attempt) is int and 0 <= attempt < _COUNT_MAX else None
    return None
