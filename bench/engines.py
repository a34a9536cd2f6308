# SPDX-License-Identifier: Apache-2.0
"""Measures how long a container takes to start under each engine, with and without the hook.

podman, docker and ctr: a whole run of busybox's true, as users type it. containerd's CRI: CreateContainer and
StartContainer in an existing pod. Each engine runs the same container with and without the hook, in pairs of
alternating order, under one daemon. The added time is the median of the pairs' differences; the 99th percentiles are
those of each variant. Engines that are not installed are left out.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from lab import Daemon
from lab.bundle import HOOK
from lab.containerd import CONFIG, CONFIGURATIONS, Containerd
from lab.docker import Docker
from lab.image import BUSYBOX
from lab.podman import Podman
from report import Figure, drift

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PAIRS: Final = 7  # per round
_WRAPPER: Final = HOOK.with_name("traceloop-runtime")
_CTL: Final = HOOK.with_name("traceloopctl")


def measure(rounds: int) -> Iterator[Figure | str]:
    """Yields milliseconds, engine by engine."""
    yield from _wrapper(rounds)
    with Daemon(config='[record]\nfrom = "hook"\n') as daemon:
        for name, program, engine in (
            ("podman run", "podman", _podman),
            ("docker run", "dockerd", _docker),
            ("ctr run", "containerd", _ctr),
            ("CRI create and start", "containerd", _cri),
        ):
            if shutil.which(program) is None:
                yield f"  - {name}: {program} is not installed"
                continue
            with engine(daemon) as run:
                yield from compare(name, run, _PAIRS * rounds)


def compare(
    name: str, run: Callable[[bool], float], pairs: int, promised_ms: float | None = None
) -> Iterator[Figure | str]:
    """Yields the milliseconds without and with a recording, and the difference. run: measures one start of either."""
    for hooked in (False, True):
        run(hooked)  # warm-up: caches, one-time set-up
    without, with_ = [], []
    for number in range(pairs):
        for hooked in (False, True) if number % 2 else (True, False):
            (with_ if hooked else without).append(run(hooked))
    added = [b - a for a, b in zip(without, with_, strict=True)]
    yield Figure(f"{name}: without", statistics.median(without), "ms", detail=f"p99 {_p99(without):.1f}")
    yield Figure(f"{name}: with", statistics.median(with_), "ms", detail=f"p99 {_p99(with_):.1f}")
    low, _, high = statistics.quantiles(added, n=4)
    yield Figure("  added", statistics.median(added), "ms", promised_ms, detail=f"quartiles {low:,.1f} to {high:,.1f}")
    if warning := drift(without, f"time of {name} without", "ms", 1):
        yield warning


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[98]


def _timed(run: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    run()
    return (time.perf_counter() - began_s) * 1000


def _wrapper(rounds: int) -> Iterator[Figure | str]:
    # The wrapper alone, in front of a runtime that does nothing, /bin/true
    with TemporaryDirectory(prefix="traceloop-bench-") as name:
        subprocess.run(["runc", "spec"], cwd=name, check=True)
        config = Path(name) / "config.json"
        original = config.read_bytes()
        for verb in ("create", "state"):

            def run(hooked: bool, verb: str = verb) -> float:  # noqa: FBT001
                config.write_bytes(original)
                runtime = [_WRAPPER, "--traceloop-runtime=/bin/true"] if hooked else ["/bin/true"]
                return _timed(lambda: subprocess.run([*runtime, verb, "--bundle", name, "c"], check=True))

            yield from compare(f"runtime that does nothing, {verb}", run, _PAIRS * rounds)


@contextmanager
def _podman(daemon: Daemon) -> Iterator[Callable[[bool], float]]:
    with Podman() as podman:
        words = ["engine", "enable", "podman", "--hook", HOOK, "--socket", daemon.hook_socket]
        podman.host.run(_CTL, *words)
        podman.host.path("/run/none").mkdir()
        hooks = {True: "/usr/share/containers/oci/hooks.d", False: "/run/none"}
        yield lambda hooked: _timed(lambda: podman("--hooks-dir", hooks[hooked], "run", "--rm", BUSYBOX, "true"))


@contextmanager
def _docker(daemon: Daemon) -> Iterator[Callable[[bool], float]]:
    with Docker() as docker:
        docker.host.run(_CTL, "engine", "enable", "docker", "--hook", HOOK, "--socket", daemon.hook_socket)
        docker.start()
        runtimes = {True: "traceloop", False: "runc"}
        yield lambda hooked: _timed(lambda: docker.run("--runtime", runtimes[hooked], BUSYBOX, "true"))


@contextmanager
def _ctr(daemon: Daemon) -> Iterator[Callable[[bool], float]]:
    with Containerd() as containerd:
        containerd.start()
        script = containerd.host.path("/run/wrapper")
        script.write_text(f'#!/bin/sh\nexec {_WRAPPER} --traceloop-socket={daemon.hook_socket} "$@"\n')
        script.chmod(0o755)
        binaries = {True: ["--runc-binary", "/run/wrapper"], False: ["--runc-binary", "runc"]}
        yield lambda hooked: _timed(lambda: containerd.ctr_run(*binaries[hooked], BUSYBOX, "traceloop-bench", "true"))


@contextmanager
def _cri(daemon: Daemon) -> Iterator[Callable[[bool], float]]:
    plain = (
        '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.plain]\n  runtime_type = "io.containerd.runc.v2"\n'
        '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]\n  runtime_type = "io.containerd.runc.v2"\n'
    )
    with Containerd(CONFIGURATIONS[2] + plain) as containerd:
        containerd.host.run(_CTL, "engine", "enable", "containerd", "--hook", HOOK, "--socket", daemon.hook_socket)
        config = containerd.host.path(CONFIG)
        lines = [line for line in config.read_text().splitlines() if "traceloop-plain" not in line]
        config.write_text("\n".join(lines) + "\n")
        containerd.start()
        pods = {
            hooked: containerd.cri.run_pod(f"bench-{hooked}", handler="runc" if hooked else "plain")
            for hooked in (True, False)
        }

        def run(hooked: bool) -> float:  # noqa: FBT001
            pod = pods[hooked]
            began_s = time.perf_counter()
            container_id = pod.run("c", BUSYBOX, ["true"])
            took_ms = (time.perf_counter() - began_s) * 1000
            pod.wait(container_id)
            containerd.cri.call("RemoveContainer", {1: container_id})
            return took_ms

        yield run
        for pod in pods.values():
            pod.remove()
