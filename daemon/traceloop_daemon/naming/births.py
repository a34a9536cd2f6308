# SPDX-License-Identifier: Apache-2.0
"""Recognises and names the containers whose cgroups are made: the forms of all engines, and each birth's Registration.

A bundle is looked for, in this order: where the command line of the process that made the cgroup says, or of the parent
of the cgroup's first process; by the container's id where engines keep bundles. All of them exist before the cgroup,
and remain for 35 ms at least; reading takes one. So a bundle that is not found at once is looked for again for a while.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Final

from traceloop_bpf.births import Birth, Kind, Shape, Suffix
from traceloop_daemon.errors import EngineBusy
from traceloop_daemon.naming.bundles import Bundle, bundle_at, bundle_of
from traceloop_daemon.naming.engines import runtimes
from traceloop_daemon.naming.engines.containerd import CONTAINERD
from traceloop_daemon.naming.engines.crio import CRIO
from traceloop_daemon.naming.engines.docker import DOCKER
from traceloop_daemon.naming.engines.model import ID, Engine, Form
from traceloop_daemon.naming.engines.podman import PODMAN
from traceloop_daemon.naming.engines.runtimes import RUNTIMES
from traceloop_daemon.naming.kubelet_logs import names_of
from traceloop_daemon.naming.names import Names, Registration, resolve, short_id
from traceloop_daemon.system.cgroupfs import anywhere, directory, processes

OF_BUNDLE: Final = Engine("container", forms=(Form(Kind.ID, ""),))
"""Containers whose cgroups have an id alone for a name: the bundle tells the engine."""
OWN: Final = "prefix"
UNIT: Final = "unit"
BUSY_MAX_S: Final = 0.75
"""Time since a birth after which the container is named without what cannot be read of its engine."""
_POD: Final = re.compile(r"pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})(?:\.slice)?")
_WILD: Final = "*?["


class Recogniser:
    """The forms of cgroups' names that are recorded from their births, and the containers behind them."""

    def __init__(self, mount: Path, prefixes: Sequence[str], units: Sequence[str], root: Path = Path("/")) -> None:
        """mount: of cgroup2. prefixes: of further containers' cgroups. units: globs of systemd units.

        root: the directory with proc and the engines' files below it.
        """
        self._mount, self._root, self._prefixes, self._units = mount, root, tuple(prefixes), tuple(units)
        own = Engine(OWN, tuple(Form(Kind.BEGINS, prefix) for prefix in prefixes))
        unit = Engine(UNIT, tuple(map(_unit_form, units)))
        self._engines = (PODMAN, DOCKER, CONTAINERD, CRIO, own, unit, OF_BUNDLE, RUNTIMES)

    @property
    def shapes(self) -> list[Shape]:
        """The forms, as the kernel side is told them."""
        return [
            Shape(form.kind, form.text, number * form.is_container, form.suffix, engine.name == UNIT)
            for number, engine in enumerate(self._engines, 1)
            for form in engine.forms
        ]

    def running(self, path: str) -> Birth | None:
        """Returns a cgroup that exists as if it had just been made, by nobody; None if no form fits its name."""
        whole = PurePosixPath(path)
        for number, engine in enumerate(self._engines, 1):
            for form in engine.forms:
                if form.fits(whole.name, whole.parent.name):
                    if not form.is_container:
                        return None
                    return Birth(0, 0, slot=0, cookie=0, maker=0, whose=number, moved=False, path=path, until=0)
        return None

    def container_id(self, birth: Birth) -> str:
        """Returns the container's id if the cgroup's name has it, or the name; of a unit "" ."""
        leaf = PurePosixPath(birth.path).name
        engine = self._engine(birth)
        if engine.name == UNIT:
            return ""
        if found := ID.fullmatch(leaf[-70:]) or ID.search(leaf):
            return found[1]
        leaf = leaf.removesuffix(".scope")
        prefixes = (*self._prefixes, *(f"{name}-" for name in runtimes.NAMES))
        return next((leaf.removeprefix(one) for one in prefixes if leaf.startswith(one) and leaf != one), leaf)

    def started_by_maker(self, birth: Birth) -> runtimes.Started | None:
        """Returns what the process that made the cgroup starts, which may end soon; None: it is no runtime's.

        Only the process itself tells its working directory; its command line is in the birth, unless that is very long.
        """
        if birth.maker <= 1:
            return None
        proc = self._root / "proc"
        if birth.words:  # by now its number may be another process's, or its memory may keep a reader waiting
            return runtimes.of_words(birth.words, runtimes.directory_of(birth.maker, proc))
        return runtimes.started_by(birth.maker, proc)

    def find(self, birth: Birth, started: runtimes.Started | None = None) -> Registration | None:
        """Names a container by its bundle, or by kubelet's link to its log; returns None if neither is found.

        started: what its maker's command line says.
        """
        engine = self._engine(birth)
        if engine.name == UNIT:
            return self._unit(birth)
        started = started or self._started_in(birth)
        container_id, bundle = self.container_id(birth), Bundle()
        if started is not None and (started.container_id == container_id or not ID.fullmatch(container_id)):
            container_id = started.container_id
            bundle = bundle_at(Path(started.bundle)) if started.bundle else bundle
        if not bundle.path:
            bundle = bundle_of(container_id, self._root)
        wait, docker = birth.ago_s < BUSY_MAX_S, self._root / "var/lib/docker"
        if wait and not (bundle.path and bundle.is_read):  # among the annotations may be one that excludes it
            return None
        if not bundle.path:
            names = names_of(container_id, self._root) if ID.fullmatch(container_id) else None
            return self._placed(Registration(names, container_id=container_id), birth) if names is not None else None
        try:
            return self._placed(resolve(container_id, bundle.annotations, bundle.path, docker, wait=wait), birth)
        except EngineBusy:  # as above, among the labels
            return None

    def without_bundle(self, birth: Birth) -> Registration:
        """Names a container by its engine and its id, as nothing else is known."""
        started, engine = self.started_by_maker(birth), self._engine(birth)
        container_id = self.container_id(birth)
        if started is not None and not ID.fullmatch(container_id):
            container_id = started.container_id
        named = short_id(container_id)
        if engine not in (OF_BUNDLE, RUNTIMES) and engine.name != OWN:
            named = f"{engine.name}-{named}"
        return self._placed(Registration(Names(container=named), container_id=container_id), birth)

    def excluded(self, birth: Birth) -> bool:
        """Returns whether a cgroup fits the kernel side's form of a unit, which knows no globs, but no unit's glob."""
        return self._engine(birth).name == UNIT and self._unit(birth) is None

    def _engine(self, birth: Birth) -> Engine:
        return self._engines[birth.whose - 1]

    def _unit(self, birth: Birth) -> Registration | None:
        path = PurePosixPath(birth.path)
        system = all(above.name.endswith(".slice") for above in path.parents if above.name)
        if not system or not any(fnmatchcase(path.name, glob) for glob in self._units):
            return None
        return Registration(Names(container=path.name.removesuffix(".service")), cgroup=birth.path)

    def _started_in(self, birth: Birth) -> runtimes.Started | None:
        for pid in processes(directory(self._mount, birth.path)):
            parent = runtimes.parent_of(pid, self._root / "proc")
            if f"{anywhere(parent, self._root / 'proc')}/".startswith(f"{birth.path}/"):
                continue  # the container's own, which may be called anything
            started = runtimes.started_by(parent, self._root / "proc")
            if started is not None:
                return started
        return None

    def _placed(self, told: Registration, birth: Birth) -> Registration:
        names = told.names
        pods = (_POD.search(above.name) for above in PurePosixPath(birth.path).parents)
        uid = next((found[1].replace("_", "-") for found in pods if found), "")
        if uid and not names.pod_uid:
            names = replace(names, pod_uid=uid)
        return replace(told, names=names, cgroup=birth.path)


def _unit_form(glob: str) -> Form:
    begin = "".join(takewhile(lambda letter: letter not in _WILD, glob))
    if begin == glob:
        return Form(Kind.NAME, glob)
    return Form(Kind.BEGINS, begin, Suffix.SERVICE if glob.endswith(".service") else Suffix.FREE)
