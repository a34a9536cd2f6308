# SPDX-License-Identifier: Apache-2.0
"""Finds a container's names and labels: the names that Kubernetes, its user or its engine gave it, or its id.

The first source that has a name decides. Annotations are those that engines pass to OCI runtimes: containerd's CRI
plugin (pkg/cri/annotations), CRI-O (pkg/annotations), nerdctl (pkg/labels), kubelet
(pkg/kubelet/kuberuntime/labels.go). podman and docker pass no names to runtimes, so these are read from the engines'
own files (`engine_files`).
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from traceloop_daemon.naming import engine_files
from traceloop_daemon.naming.labels import NO_LABELS, Labels
from traceloop_decode.safe_text import encodable

OURS: Final = "io.traceloop."
"""Prefix of the annotations that are meant for traceloop."""
NAME_ANNOTATION: Final = f"{OURS}name"
NAME_MAX: Final = 256
"""Maximum length of a name, in characters; a pod's has 253 at most. A truncated name ends with _CUT."""
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
_DOCKERSHIM_TYPE: Final = "io.kubernetes.docker.type"  # under kubelet, docker has the names in labels
_RESTARTS: Final = ("io.kubernetes.container.restartCount", "annotation.io.kubernetes.container.restartCount")
_CRIO_ID: Final = "io.kubernetes.cri-o.ContainerID"
_CRIO_METADATA: Final = "io.kubernetes.cri-o.Metadata"  # {"name": …, "attempt": restarts; absent for 0}
_NERDCTL_NAME: Final = "nerdctl/name"


@dataclass(frozen=True, slots=True)
class Names:
    """A container's names. A field is empty or None if there is no such name or the engine does not report it.

    namespace, pod_uid: Kubernetes has these; podman's pods have an id too. sandbox: it is the pod's pause container.
    restart_count: how often this container, or its predecessor in the pod, was restarted. labels: the container's and
    its pod's, if the engine has any.
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
        # An engine's JSON can contain half a surrogate pair, which UTF-8 cannot encode: gRPC could not send it.
        # Names are truncated because users choose them, and the daemon has those of every trace in memory.
        for name, length in _LENGTHS.items():
            value: str = getattr(self, name)
            if len(value) <= length and value.isascii():
                continue
            fit = encodable(value[: length + 1])
            object.__setattr__(self, name, fit if len(fit) <= length else fit[: length - len(_CUT)] + _CUT)

    def completed(self, other: Names) -> Names:
        """Returns these names with empty fields filled in from `other`."""
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
        """Returns ``<node>_<namespace>_<pod>[_<container>]`` or ``<node>_<container>``: safe to type, and no option."""
        parts = [node, self.container]
        if self.pod:
            parts = [node, self.namespace, self.pod] if self.namespace else [node, self.pod]
            if self.container != self.pod:
                parts.append(self.container)
        return "_".join(_UNFIT.sub("-", part) for part in parts).lstrip("-")


@dataclass(frozen=True, slots=True)
class Registration:
    """A container or a cgroup that is to be recorded, as a hook, NRI or `add` reports it.

    annotations: also the container's labels that begin with OURS. by_label: the annotations that are such labels.
    pid: the first process, in the daemon's pid namespace; 0 if unknown. cgroup: a path as in /proc/PID/cgroup; empty:
    the cgroup of `pid`. starting: its own program does not run yet; `pid` is its runtime's process.
    """

    names: Names
    annotations: Mapping[str, str] = field(default_factory=dict)
    by_label: frozenset[str] = frozenset()
    container_id: str = ""
    pid: int = 0
    cgroup: str = ""
    starting: bool = False


def resolve(
    container_id: str,
    annotations: Mapping[str, str],
    bundle: str,
    docker_root: Path = Path("/var/lib/docker"),
    *,
    wait: bool = False,
) -> Registration:
    """Finds a container's names. bundle: the path of its OCI bundle, from which podman's and docker's files are found.

    wait: raise EngineBusy while its engine writes them, instead of leaving out what cannot be read.

    Users of docker and podman set labels where others set annotations, so labels that begin with OURS count as
    annotations. If both are set the annotation counts, because a label may come from the image.
    """
    told = by_annotations(container_id, annotations)
    if told is not None:
        _log.debug("container %s: its annotations name it", container_id)
        return told
    source, entry = "podman's files name it", engine_files.podman(container_id, annotations, bundle, wait=wait)
    if entry is None:
        source, entry = "docker's files name it", engine_files.docker(container_id, bundle, docker_root)
    _log.debug("container %s: %s", container_id, source if entry else "no engine's file names it")
    return _told(container_id, annotations, entry)


def by_annotations(container_id: str, annotations: Mapping[str, str]) -> Registration | None:
    """Returns the names in Kubernetes' annotations, or None if there are none. No file has more names than these."""
    names = of_kubernetes(annotations, container_id)
    return None if names is None else Registration(names, annotations, container_id=container_id)


def without_files(container_id: str, annotations: Mapping[str, str]) -> Registration:
    """Returns the names of a container whose engine's files cannot be read."""
    return by_annotations(container_id, annotations) or _told(container_id, annotations, None)


def _told(container_id: str, annotations: Mapping[str, str], entry: engine_files.Entry | None) -> Registration:
    by_label: frozenset[str] = frozenset()
    if entry is not None:
        by_label = frozenset(name for name in entry.labels if name.startswith(OURS) and name not in annotations)
        annotations = {name: entry.labels[name] for name in by_label} | dict(annotations)
    own = annotations.get(NAME_ANNOTATION) or annotations.get(_NERDCTL_NAME) or ""
    if entry is None:
        return Registration(Names(container=own or short_id(container_id)), annotations, by_label, container_id)
    labels = Labels.of(entry.labels)
    by_labels = of_kubernetes(entry.labels) if _DOCKERSHIM_TYPE in entry.labels else None
    if by_labels is not None:
        by_labels = replace(by_labels, image=entry.image, labels=labels)
        return Registration(by_labels, annotations, by_label, container_id)
    names = Names(
        container=own or entry.name or short_id(container_id),
        pod=entry.pod,
        pod_uid=entry.pod_id,
        image=entry.image,
        sandbox=entry.infra,
        restart_count=entry.restart_count,
        labels=labels,
    )
    return Registration(names, annotations, by_label, container_id)


def of_kubernetes(labels: Mapping[str, str], container_id: str = "") -> Names | None:
    """Returns the names from annotations, or from docker's labels under kubelet; None if they name no pod."""
    # CRI-O passes all of a pod's annotations to the runtime, so the pod's author may have written containerd's among
    # them. Nobody knows the id before CRI-O makes it up.
    by_crio = bool(container_id) and labels.get(_CRIO_ID) == container_id
    for pod, namespace, uid, container, kind, image in _KUBERNETES[1:] if by_crio else _KUBERNETES:
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
    """Returns the first digits of an id that an engine generated; an id that a user chose is returned unchanged."""
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
