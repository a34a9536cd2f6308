# SPDX-License-Identifier: Apache-2.0
"""Finds the cgroup that `add` is to record: a given one, or that of a running systemd unit or container.

The cgroup tree is searched; neither systemd nor an engine is asked. systemd names a unit's cgroup after the unit
(systemd.unit(5)), with a leading ``_`` if the kernel uses the name itself. Engines name a container's cgroup by its id,
with or without a prefix of their own, and with the suffix ``.scope`` if systemd made it::

    /docker/<id>                          /system.slice/docker-<id>.scope
    /kubepods/burstable/pod<uid>/<id>     /kubepods.slice/.../cri-containerd-<id>.scope, .../crio-<id>.scope
    /libpod_parent/libpod-<id>            /machine.slice/libpod-<id>.scope
    /.../<slice>:cri-containerd:<id>      (the engine uses systemd's form of names, and its runtime does not)

A container's monitor has its own cgroup, ``crio-conmon-<id>.scope``, which does not match.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import ClassVar, Final

from traceloop_daemon.errors import RegistrationError
from traceloop_daemon.naming.bundles import bundle_of
from traceloop_daemon.naming.names import Names, Registration, resolve, without_files
from traceloop_daemon.system.cgroupfs import below, cgroup_text, is_made_by_root
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
    """Searches the cgroup2 file system at `mount`. root: the directory with proc and the engines' files below it.

    read: calls a function that reads engines' files, and returns its result; None if it takes too long.
    """

    KINDS: ClassVar = ("cgroup", "unit", "container")

    def __init__(
        self,
        mount: Path,
        root: Path = Path("/"),
        read: Callable[[Callable[[], Registration]], Registration | None] = lambda resolved: resolved(),
    ) -> None:
        self._mount, self._root, self._read = mount, root, read

    def find(self, kind: str, word: str, name: str) -> Registration:
        """Finds the cgroup that `word` names. kind: one of KINDS. name: of the trace; empty: the cgroup's own name.

        Raises RegistrationError.
        """
        find: Callable[[str, str], Registration] = getattr(self, kind)
        return find(word, name)

    def cgroup(self, cgroup: str, name: str) -> Registration:
        """Finds a cgroup by its directory, or its path in the hierarchy. Raises RegistrationError."""
        path = Path(cgroup)
        path = path if path.is_relative_to(self._mount) else self._mount / cgroup.lstrip("/")
        path = Path(os.path.normpath(path))
        if not path.is_relative_to(self._mount) or path == self._mount or "\0" in cgroup:
            raise RegistrationError(f"{cgroup} is not a cgroup below {self._mount}")
        names = Names(container=name or path.name)
        return Registration(names, pid=self._first_process(path), cgroup=self._inside(path))

    def unit(self, unit: str, name: str) -> Registration:
        """Finds a running systemd unit by its name; a name without a type is a service's. Raises RegistrationError."""
        if not unit or "/" in unit:
            raise RegistrationError(f"{unit!r} is not the name of a systemd unit")
        unit = unit if "." in unit else f"{unit}.service"
        found = [path for path in map(Path, below(self._mount)) if path.name in (unit, f"_{unit}")]
        # Users' systemds, and those in containers, may have a unit of the same name.
        systems = [path for path in found if all(above.endswith(".slice") for above in self._above(path))]
        path = self._only(systems or found, f"unit {unit}", "start it, or see `systemctl status`")
        names = Names(container=name or unit.removesuffix(".service"))
        return Registration(names, pid=self._first_process(path), cgroup=self._inside(path))

    def container(self, word: str, name: str) -> Registration:
        """Finds a running container by its id, or a prefix of an id that an engine made. Raises RegistrationError."""
        by_id: dict[str, list[Path]] = {}
        roots: dict[str, list[Path]] = {}  # users may call cgroups of theirs by anybody's id
        for path in map(Path, below(self._mount)):
            match = _CONTAINER.fullmatch(path.name)
            if match and _names(word, match["id"]):
                for those in (by_id, roots) if is_made_by_root(path) else (by_id,):
                    those.setdefault(match["id"], []).append(path)
        by_id = roots or by_id
        if word in by_id:
            by_id = {word: by_id[word]}
        if len(by_id) > 1:
            raise RegistrationError(f"{word} fits {len(by_id)} containers: {_listed(sorted(by_id))}")
        container_id, paths = next(iter(by_id.items()), (word, []))
        outermost = [path for path in paths if not any(path.is_relative_to(other) for other in paths if other != path)]
        path = self._only(outermost, f"container {container_id}", "`add` records only running containers")
        pid = self._first_process(path)
        if not pid:
            raise RegistrationError(f"container {container_id} has no process: it has ended")
        told = self._read(lambda: self._told(container_id))
        if told is None:
            told = without_files(container_id, {})
            _log.warning("container %s: its engine's files cannot be read in time: it is named by its id", container_id)
        names = replace(told.names, container=name) if name else told.names
        return replace(told, names=names, pid=pid, cgroup=self._inside(path))

    def _first_process(self, path: Path) -> int:
        return first_process(path, self._root / "proc")

    def _told(self, container_id: str) -> Registration:
        bundle = bundle_of(container_id, self._root)
        return resolve(container_id, bundle.annotations, bundle.path, self._root / "var/lib/docker")

    def _only(self, found: list[Path], what: str, hint: str) -> Path:
        if not found:
            raise RegistrationError(f"no cgroup below {self._mount} is that of {what}: {hint}")
        if len(found) > 1:
            listed = _listed([self._inside(path) for path in found])
            raise RegistrationError(f"{len(found)} cgroups have the name of {what}: choose one by --cgroup: {listed}")
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
    return cgroup_text(shown)
