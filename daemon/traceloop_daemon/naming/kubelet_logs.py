# SPDX-License-Identifier: Apache-2.0
"""Names containers by the links to their logs, /var/log/containers/POD_NAMESPACE_CONTAINER-ID.log.

kubelet makes them before a container starts and keeps them while its pod exists, longer than engines keep a bundle. So
they name a container that ended while no daemon ran. The annotations are not known then.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from traceloop_daemon.naming.names import Names

_LINKS: Final = "var/log/containers"
_ENDING: Final = ".log"
_OTHERS_WRITE: Final = 0o022


def names_of(container_id: str, root: Path) -> Names | None:
    """Returns the names of a container, by its whole id; None if there is no link, or others than root make them."""
    directory = root / _LINKS
    end = f"-{container_id}{_ENDING}"
    try:
        status = directory.stat()
        if status.st_uid or status.st_mode & _OTHERS_WRITE:
            return None
        with os.scandir(directory) as entries:
            found = next((entry.name for entry in entries if entry.name.endswith(end)), "")
    except (FileNotFoundError, NotADirectoryError, PermissionError):  # no node of Kubernetes
        return None
    parts = found.removesuffix(end).split("_")
    if len(parts) != 3 or not all(parts):
        return None
    pod, namespace, container = parts
    return Names(container=container, pod=pod, namespace=namespace)
