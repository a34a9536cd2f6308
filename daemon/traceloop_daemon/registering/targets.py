# SPDX-License-Identifier: Apache-2.0
"""What `add` is asked to record: a cgroup, a systemd unit or a container that runs, found in the cgroup tree.

Nobody is asked for it, neither systemd nor an engine. systemd names a unit's cgroup as the unit (systemd.unit(5)), with
``_`` before a name that the kernel has a use for. Engines name a container's by its id, as it is or with a prefix of
theirs, where systemd made it with ``.scope`` behind::

    /docker/<id>                          /system.slice/docker-<id>.scope
    /kubepods/burstable/pod<uid>/<id>     /kubepods.slice/.../cri-containerd-<id>.scope, .../crio-<id>.scope
    /libpod_parent/libpod-<id>            /machine.slice/libpod-<id>.scope
    /.../<slice>:cri-containerd:<id>      (the engine means systemd's names, and its runtime does not)

The monitor of a container has a cgroup of its own, ``crio-conmon-<id>.scope``, which is none of these.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from traceloop_daemon.errors import RegistrationError
from traceloop_daemon.naming.bundles import bundle_of
from traceloop_daemon.naming.names import Names, Told, resolve, without_files
from traceloop_daemon.recording.registration import Target
from traceloop_daemon.system.cgroupfs import below
from traceloop_daemon.system.procfs import first_process

_CONTAINER: Final = re.compile(
    r"(?:(?:cri-containerd|crio|docker|libpod|nerdctl|runc)-|[^:]*:[a-z-]+:)?(?!conmon-)(?P<id>[A-Za-z0-9][\w.-]*?)(?:\.scope)?",
    re.ASCII,
)
_ENGINES_ID: Final = re.compile(r"[0-9a-f]{64}")
_PREFIX_MIN: Final = 4
_SHOWN_MAX: Final = 10
_log = logging.getLogger(__name__)


class Targets:
    """The cgroup2 file system at `mount`. root: where engines' files are, and proc, below it.

    read: calls what reads engines' files, and gives what that returns; None: not in time.
    """

    def __init__(
        self,
        mount: Path,
        root: Path = Path("/"),
        read: Callable[[Callable[[], Told]], Told | None] = lambda resolved: resolved(),
    ) -> None:
        self._mount, self._root, self._read = mount, root, read

    def cgroup(self, cgroup: str, name: str) -> Target:
        """By its directory, or its path in the hierarchy. Raises RegistrationError."""
        path = Path(cgroup)
        path = path if path.is_relative_to(self._mount) else self._mount / cgroup.lstrip("/")
        path = Path(os.path.normpath(path))
        if not path.is_relative_to(self._mount) or path == self._mount or "\0" in cgroup:
            raise RegistrationError(f"{cgroup} is not a cgroup below {self._mount}")
        return Target(self._inside(path), Names(container=name or path.name))

    def unit(self, unit: str, name: str) -> Target:
        """By the name of a systemd unit that runs; without a type it is a service. Raises RegistrationError."""
        if not unit or "/" in unit:
            raise RegistrationError(f"{unit!r} is no name of a systemd unit")
        unit = unit if "." in unit else f"{unit}.service"
        found = [path for path in map(Path, below(self._mount)) if path.name in (unit, f"_{unit}")]
        # A container may have a systemd of its own, and so has each user.
        systems = [path for path in found if all(above.endswith(".slice") for above in self._above(path))]
        path = self._only(systems or found, f"unit {unit}", "start it, or see `systemctl status`")
        return Target(self._inside(path), Names(container=name or unit.removesuffix(".service")))

    def container(self, word: str, name: str) -> Target:
        """By the id of a container that runs, or an engine's id's beginning. Raises RegistrationError."""
        by_id: dict[str, list[Path]] = {}
        for path in map(Path, below(self._mount)):
            match = _CONTAINER.fullmatch(path.name)
            if match and _names(word, match["id"]):
                by_id.setdefault(match["id"], []).append(path)
        if word in by_id:
            by_id = {word: by_id[word]}
        if len(by_id) > 1:
            raise RegistrationError(f"{word} fits {len(by_id)} containers: {_listed(sorted(by_id))}")
        container_id, paths = next(iter(by_id.items()), (word, []))
        outermost = [path for path in paths if not any(path.is_relative_to(other) for other in paths if other != path)]
        path = self._only(outermost, f"container {container_id}", "`add` is for those that run")
        pid = first_process(path, self._root / "proc")
        if not pid:
            raise RegistrationError(f"container {container_id} has no process: it has ended")
        told = self._read(lambda: self._told(container_id))
        if told is None:
            told = without_files(container_id, {})
            _log.warning("container %s: its engine's files cannot be read in time; its id is its name", container_id)
        names = replace(told.names, container=name) if name else told.names
        return Target(self._inside(path), names, container_id, pid, told.annotations, told.by_label)

    def _told(self, container_id: str) -> Told:
        bundle = bundle_of(container_id, self._root)
        return resolve(container_id, bundle.annotations, bundle.path, self._root / "var/lib/docker")

    def _only(self, found: list[Path], what: str, hint: str) -> Path:
        if not found:
            raise RegistrationError(f"no cgroup below {self._mount} is that of {what}: {hint}")
        if len(found) > 1:
            listed = _listed([self._inside(path) for path in found])
            raise RegistrationError(f"{len(found)} cgroups are called as {what}: name one by --cgroup: {listed}")
        return found[0]

    def _inside(self, path: Path) -> str:
        return f"/{path.relative_to(self._mount)}"

    def _above(self, path: Path) -> Iterator[str]:
        return (above.name for above in PurePosixPath(self._inside(path)).parents if above.name)


def _names(word: str, container_id: str) -> bool:
    if container_id == word:
        return True
    return len(word) >= _PREFIX_MIN and container_id.startswith(word) and bool(_ENGINES_ID.fullmatch(container_id))


def _listed(texts: list[str]) -> str:
    shown = ", ".join(texts[:_SHOWN_MAX]) + (", ..." if len(texts) > _SHOWN_MAX else "")
    return os.fsencode(shown).decode("utf-8", "backslashreplace")  # gRPC sends nothing else
