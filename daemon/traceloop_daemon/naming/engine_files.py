# SPDX-License-Identifier: Apache-2.0
"""Reads a container's name, pod, image and labels from the files of podman and docker.

These are other programs' files: if a file is missing or has unexpected contents, the name is unknown. Their paths are
derived from the bundle's, so that storage that was moved is found too:

- podman's bundle is ``<root>/<driver>-containers/<id>/userdata``, and ``<root>`` contains podman's database
  (`podman_db`). If the database does not have the container, ``containers.json`` beside ``<id>`` lists the containers
  (containers/storage, containers.go). Newer versions list containers that are removed when they end, as by `podman run
  --rm`, in ``volatile-containers.json``. That file is beside ``containers.json``, or, with a transient store, below the
  run root, which mounts of the bundle point at. Neither file has labels or the pod's name; the pod is named by its id
  then.
- docker's bundle has the path of the root file system, which docker's storage drivers keep below the data root.
  ``containers/<id>/config.v2.json`` is below the data root as well (moby, container/container.go).

`trusted_files` reads the files. Reading may block, so a thread that must not wait does not call these functions. If a
file exists and is not read, the log says why.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from traceloop_daemon.errors import EngineBusy
from traceloop_daemon.naming import podman_db
from traceloop_daemon.system.trusted_files import read_json
from traceloop_decode.trace_facts import COUNT_MAX

_SANDBOX_ID: Final = "io.kubernetes.cri-o.SandboxID"  # podman: the pod's infra container
_INFRA: Final = re.compile(r"([0-9a-f]{12})-infra")
# <data root>/<storage driver>/...: moby, daemon/graphdriver/*; with containerd's snapshotters, daemon/snapshotter.
_BELOW_DATA_ROOT: Final = re.compile(
    r"(/.*)/(?:(?:overlay2|overlay|fuse-overlayfs)/[^/]+/merged|vfs/dir/[^/]+|(?:aufs|devicemapper)/mnt/[^/]+(?:/rootfs)?"
    r"|btrfs/subvolumes/[^/]+|zfs/graph/[^/]+|rootfs/[^/]+/[^/]+)"
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """An engine's data of a container; empty or None if it has none. infra: it is its pod's infra container."""

    name: str
    image: str = ""
    pod: str = ""
    pod_id: str = ""
    infra: bool = False
    restart_count: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def podman(container_id: str, annotations: Mapping[str, str], bundle: str, *, wait: bool = False) -> Entry | None:
    """Returns a podman container's entry, or None if the container is not podman's or not listed.

    wait: raise EngineBusy while podman writes, instead of leaving out what only its database has.
    """
    path = Path(bundle)
    if path.name != "userdata" or path.parent.name != container_id:
        return None
    storage = path.parent.parent
    try:
        found = podman_db.find(storage.parent, container_id)
    except EngineBusy as error:
        if wait:
            raise
        found = None
        _log.warning("container %s: its labels and its pod's name are not known: %s", container_id, error)
    if found is not None:
        return _of_podman(found)
    listed = {entry["id"]: entry for entry in _listed(storage, path, container_id)}
    entry = listed.get(container_id)
    if entry is None:
        return None
    name = _first_name(entry)
    infra = _INFRA.fullmatch(_first_name(listed.get(annotations.get(_SANDBOX_ID, ""), {})) or name)
    return Entry(name, _image(entry), infra[1] if infra else "", infra=_INFRA.fullmatch(name) is not None)


def _of_podman(found: podman_db.Found) -> Entry:
    config, pod = found.config, found.pod
    return Entry(
        name=str(config.get("name") or ""),
        image=str(config.get("rootfsImageName") or ""),
        pod=str(pod.get("name") or ""),
        pod_id=str(pod.get("id") or ""),
        infra=config.get("pause") is True,
        labels=_labels(config.get("labels")),
    )


def _listed(storage: Path, bundle: Path, container_id: str) -> Iterator[dict[str, Any]]:
    files = {storage / "containers.json": None, storage / "volatile-containers.json": None}
    config = _read(bundle / "config.json")
    mounts = config.get("mounts") if isinstance(config, dict) else None
    for mount in mounts if isinstance(mounts, list) else ():
        source = Path(str(mount.get("source", ""))) if isinstance(mount, dict) else Path()
        if source.parent.name == "userdata" and source.parent.parent.name == container_id:
            files[source.parent.parent.parent / "volatile-containers.json"] = None
    for path in files:
        entries = _read(path)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("id"), str):
                yield entry


def _first_name(entry: Mapping[str, Any]) -> str:
    names = entry.get("names")
    return str(names[0]) if isinstance(names, list) and names else ""


def _image(entry: Mapping[str, Any]) -> str:
    try:
        metadata = json.loads(str(entry.get("metadata")))
    except (ValueError, RecursionError):
        return ""
    return str(metadata.get("image-name") or "") if isinstance(metadata, dict) else ""


def docker(container_id: str, bundle: str, default_root: Path) -> Entry | None:
    """Returns a docker container's entry, or None if the container is not docker's."""
    if "/" in container_id:
        return None
    for root in dict.fromkeys((*_data_root(Path(bundle)), default_root)):
        config = _read(root / "containers" / container_id / "config.v2.json")
        if isinstance(config, dict):
            return _of_docker(config)
    return None


def _data_root(bundle: Path) -> tuple[Path, ...]:
    config = read_json(bundle / "config.json", _log.debug)  # not a warning: users make bundles by hand too
    root = config.get("root") if isinstance(config, dict) else None
    path = root.get("path") if isinstance(root, dict) else None
    match = _BELOW_DATA_ROOT.fullmatch(path) if isinstance(path, str) else None
    return (Path(match[1]),) if match else ()


def _of_docker(config: Mapping[str, Any]) -> Entry:
    inner = config.get("Config")
    inner = inner if isinstance(inner, dict) else {}
    restarts = config.get("RestartCount")
    return Entry(
        name=str(config.get("Name") or "").lstrip("/"),
        image=str(inner.get("Image") or ""),
        restart_count=restarts if type(restarts) is int and 0 <= restarts <= COUNT_MAX else None,
        labels=_labels(inner.get("Labels")),
    )


def _labels(value: object) -> Mapping[str, str]:
    return {str(key): str(text) for key, text in value.items()} if isinstance(value, dict) else {}


def _read(path: Path) -> object:
    return read_json(path, _log.warning)
