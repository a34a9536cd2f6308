# SPDX-License-Identifier: Apache-2.0
"""What an engine's files tell of a container that runs: its OCI bundle, and the annotations that its runtime was given.

A hook brings both; without one they are looked for where containerd, CRI-O, podman and docker put bundles.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from traceloop_daemon.system.trusted_files import read_json

_BUNDLES: Final = (  # below the root; {id}: the container's
    "run/containerd/io.containerd.runtime.v2.task/*/{id}",
    "run/k3s/containerd/io.containerd.runtime.v2.task/*/{id}",
    "run/docker/containerd/daemon/io.containerd.runtime.v2.task/*/{id}",
    "run/containers/storage/*-containers/{id}/userdata",
    "var/lib/containers/storage/*-containers/{id}/userdata",
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bundle:
    """path: ``""`` where none was found."""

    path: str = ""
    annotations: dict[str, str] = field(default_factory=dict)


def bundle_of(container_id: str, root: Path = Path("/")) -> Bundle:
    """The bundle of a container. container_id: of letters that mean nothing in a glob."""
    found = [path for pattern in _BUNDLES for path in sorted(root.glob(pattern.format(id=container_id)))]
    for path in found:
        annotations = _annotations(path / "config.json")
        if annotations is not None:
            return Bundle(str(path), annotations)
    return Bundle(str(found[0])) if found else Bundle()


def _annotations(path: Path) -> dict[str, str] | None:
    config = read_json(path, _log.warning)
    annotations = config.get("annotations") if isinstance(config, dict) else None
    if not isinstance(annotations, dict):
        return None
    return {_text(key): _text(value) for key, value in annotations.items()}


def _text(value: object) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode()  # as in oci
