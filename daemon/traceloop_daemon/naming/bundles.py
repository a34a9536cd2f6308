# SPDX-License-Identifier: Apache-2.0
"""Finds a running container's OCI bundle and the annotations in it.

A hook's message has both. For containers without a hook, they are looked up where engines put bundles.
"""

from __future__ import annotations

import glob
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from traceloop_daemon.naming.engines.containerd import CONTAINERD
from traceloop_daemon.naming.engines.docker import DOCKER
from traceloop_daemon.naming.engines.podman import PODMAN
from traceloop_daemon.naming.engines.runtimes import RUNTIMES
from traceloop_daemon.system.trusted_files import read_json
from traceloop_decode.safe_text import encodable

_BUNDLES: Final = tuple(pattern for engine in (CONTAINERD, DOCKER, PODMAN, RUNTIMES) for pattern in engine.bundles)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A container's OCI bundle. path: empty if none was found. is_read: no more can be known of it in a moment."""

    path: str = ""
    annotations: dict[str, str] = field(default_factory=dict)
    is_read: bool = True


def bundle_of(container_id: str, root: Path = Path("/")) -> Bundle:
    """Finds the bundle of a container."""
    if "/" in container_id or container_id in ("", ".", ".."):
        return Bundle()
    name = glob.escape(container_id)
    found = [path for pattern in _BUNDLES for path in sorted(root.glob(pattern.format(id=name)))]
    again: list[Path] = []
    for path in found:
        annotations = _annotations(path / "config.json", partial(again.append, path))
        if annotations is not None:
            return Bundle(str(path), annotations)
    return Bundle(str(found[0]), is_read=not again) if found else Bundle()


def bundle_at(path: Path) -> Bundle:
    """Returns the bundle in a directory; one without a path if there is none."""
    annotations = _annotations(path / "config.json")
    return Bundle() if annotations is None else Bundle(str(path), annotations)


def _annotations(path: Path, again: Callable[[], object] = lambda: None) -> dict[str, str] | None:
    config = read_json(path, _log.warning, again)
    if not isinstance(config, dict):
        return None
    annotations = config.get("annotations") or {}
    if not isinstance(annotations, dict):
        return None
    return {encodable(key): encodable(str(value)) for key, value in annotations.items()}
