# SPDX-License-Identifier: Apache-2.0
"""Measures what recording from a cgroup's birth adds: to a mkdir of any cgroup, and to a container's start.

The containers are unwired, and run by runc alone and by each engine as it is installed. They run in pairs of
alternating order under one daemon, which recognises the cgroup of one and not that of the other: for the latter, the
first entry of its table is emptied meanwhile, as it is where births are off.
"""

from __future__ import annotations

import mmap
import os
import shutil
import statistics
import subprocess
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from engines import compare
from lab import Daemon, make_bundle, make_root
from lab.containerd import CONFIGURATIONS, Containerd
from lab.docker import Docker
from lab.image import BUSYBOX
from lab.kernel_objects import held_by, open_object
from lab.podman import Podman
from recorded_cgroups import Cgroup
from report import Figure, spread

from traceloop_bpf import bpfcalls
from traceloop_bpf.births import COUNTS, SHAPE, SHAPE_TEXT, SHAPES
from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer
from traceloop_daemon.naming.births import Recogniser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.host import Host

_MKDIRS: Final = 200  # in a sample
_PAIRS: Final = 7  # per round
_PROMISED_MS: Final = 2.0
_FIRST_KIND: Final = 2 * SHAPE_TEXT
"""Offset of the first shape's kind in the map."""


@dataclass(frozen=True)
class _Engine:
    """An engine. host: what it sees of this machine; None: all. run: runs busybox's true in a container of this name.

    remove: removes that container, if it is still there.
    """

    host: Host | None
    run: Callable[[str], object]
    remove: Callable[[], object] = lambda: None


def measure(rounds: int) -> Iterator[Figure | str]:
    """Yields microseconds of a mkdir and rmdir, then milliseconds of containers."""
    yield from _mkdir(rounds)
    for name, program, engine in (
        ("runc run", "runc", _runc),
        ("podman run", "podman", _podman),
        ("docker run", "dockerd", _docker),
        ("ctr run", "containerd", _ctr),
        ("CRI create and start", "containerd", _cri),
    ):
        if shutil.which(program) is None:
            yield f"  - {name}: {program} is not installed"
            continue
        with ExitStack() as stack:
            one = stack.enter_context(engine())
            wrapper = [str(word) for word in one.host.command(())] if one.host else []
            daemon = stack.enter_context(Daemon(births=True, config='node = "n"\n', wrapper=wrapper))
            switch = stack.enter_context(_switch(daemon.process.pid))
            yield from compare(f"{name}, unwired", _timed(daemon, switch, one), _PAIRS * rounds, _PROMISED_MS)


def _timed(daemon: Daemon, switch: Callable[[bool], None], engine: _Engine) -> Callable[[bool], float]:
    count = 0

    def timed(born: bool) -> float:  # noqa: FBT001
        nonlocal count
        count += 1
        switch(born)
        began_s = time.perf_counter()
        engine.run(f"b{count}")
        took_ms = (time.perf_counter() - began_s) * 1000
        if born:
            daemon.wait_for_log(lambda line: "frozen" in line and f"_b{count} " in line)
        engine.remove()
        return took_ms

    return timed


@contextmanager
def _switch(pid: int) -> Iterator[Callable[[bool], None]]:
    # Yields what turns a daemon's births on and off, in its table of shapes.
    size = SHAPES * SHAPE.size + COUNTS.size
    fds = [fd for kind, number in held_by(pid) if kind == "map" and (fd := open_object(kind, number)) is not None]
    (shapes,) = [fd for fd in fds if bpfcalls.map_info(fd).value_size == size]
    with mmap.mmap(shapes, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE) as table:
        for fd in fds:
            os.close(fd)
        kind = table[_FIRST_KIND]

        def switch(on: bool) -> None:  # noqa: FBT001
            table[_FIRST_KIND] = kind if on else 0

        yield switch


@contextmanager
def _runc() -> Iterator[_Engine]:
    with TemporaryDirectory(prefix="traceloop-bench-") as name:
        directory = Path(name)
        bundle = make_bundle(directory / "bundle", make_root(directory / "root"), ["/bin/true"])

        def run(container: str) -> None:
            words = ["runc", "--root", directory / "state", "run", "--bundle", bundle, container]
            subprocess.run(words, check=True, stdin=subprocess.DEVNULL)

        yield _Engine(None, run)


@contextmanager
def _podman() -> Iterator[_Engine]:
    with Podman() as podman:
        yield _Engine(podman.host, lambda name: podman("run", "--rm", "--name", name, BUSYBOX, "true"))


@contextmanager
def _docker() -> Iterator[_Engine]:
    with Docker() as docker:
        docker.start()
        yield _Engine(docker.host, lambda name: docker.run("--name", name, BUSYBOX, "true"))


@contextmanager
def _ctr() -> Iterator[_Engine]:
    with Containerd() as containerd:
        containerd.start()
        yield _Engine(containerd.host, lambda name: containerd.ctr_run(BUSYBOX, name, "true"))


@contextmanager
def _cri() -> Iterator[_Engine]:
    with Containerd(CONFIGURATIONS[2]) as containerd:
        containerd.start()
        pod = containerd.cri.run_pod("bench")
        ran: list[str] = []

        def remove() -> None:
            pod.wait(ran[0])
            containerd.cri.call("RemoveContainer", {1: ran.pop()})

        yield _Engine(containerd.host, lambda name: ran.append(pod.run(name, BUSYBOX, ["true"])), remove)
        pod.remove()


def _mkdir(rounds: int) -> Iterator[Figure | str]:
    took_us: dict[bool, list[float]] = {False: [], True: []}
    with closing(Tracer.load(Plan(pool_size=2))) as tracer, Cgroup() as above:
        assert tracer.births is not None
        shapes = Recogniser(above.path, (), ()).shapes
        for number in range(rounds * _PAIRS):
            for recognises in (False, True) if number % 2 else (True, False):
                tracer.births.recognise(shapes if recognises else ())
                took_us[recognises].append(_made(above.path / "system-serial.slice"))
        tracer.births.recognise(())
    for recognises, births in ((False, "births off"), (True, "births on")):
        values = took_us[recognises]
        yield Figure(
            f"mkdir and rmdir of no container: {births}", statistics.median(values), "us", detail=spread(values, 1)
        )
    added = [on - off for off, on in zip(took_us[False], took_us[True], strict=True)]
    yield Figure("  added", statistics.median(added), "us", detail=spread(added, 1))


def _made(path: Path) -> float:
    began_s = time.perf_counter()
    for _ in range(_MKDIRS):
        path.mkdir()
        path.rmdir()
    return (time.perf_counter() - began_s) * 1e6 / _MKDIRS
