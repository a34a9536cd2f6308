# SPDX-License-Identifier: Apache-2.0
"""Measures what a plugin of containerd's NRI adds to a container's start: the CRI's CreateContainer and StartContainer.

Two containerds of one version run side by side, both with NRI enabled; the daemon is the plugin of one of them. Starts
alternate between them, in pairs of alternating order.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engines import compare
from lab import Daemon
from lab.containerd import CONFIGURATIONS, Containerd
from lab.image import BUSYBOX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from report import Figure

_UNPACKED: Final = Path(__file__).resolve().parents[1] / "build/engines"
_VERSIONS: Final = {"trixie": ("1.7", 2), "sid": ("2.1", 3)}  # of containerd, and of its configuration format
_NRI: Final = '[plugins."io.containerd.nri.v1.nri"]\n  disable = false\n'
_PAIRS: Final = 7  # per round


def measure(rounds: int) -> Iterator[Figure | str]:
    """Yields milliseconds, version by version."""
    for suite, (version, configuration) in _VERSIONS.items():
        programs = _UNPACKED / suite
        if not (programs / "usr/bin/containerd").exists():
            yield f"  - containerd {version}: `make test-engines` fetches it"
            continue
        yield from _measure(f"containerd {version}", programs, CONFIGURATIONS[configuration] + _NRI, rounds)


def _measure(name: str, programs: Path, configuration: str, rounds: int) -> Iterator[Figure | str]:
    with ExitStack() as stack:
        engines = {}
        for plugged in (False, True):
            engine = stack.enter_context(Containerd(configuration, programs=programs))
            engine.start()
            engines[plugged] = engine
        socket = engines[True].host.path("/run/nri/nri.sock")
        daemon = stack.enter_context(Daemon(config=f'node = "n"\n[nri]\nenabled = true\nsocket = "{socket}"\n'))
        daemon.wait_for_log(lambda line: "NRI at" in line and "no NRI" not in line)
        pods = {plugged: engine.cri.run_pod(f"bench-{int(plugged)}") for plugged, engine in engines.items()}

        def run(plugged: bool) -> float:  # noqa: FBT001
            pod, cri = pods[plugged], engines[plugged].cri
            began_s = time.perf_counter()
            container_id = pod.run("c", BUSYBOX, ["true"])
            took_ms = (time.perf_counter() - began_s) * 1000
            pod.wait(container_id)
            cri.call("RemoveContainer", {1: container_id})
            return took_ms

        yield from compare(f"{name}, CRI create and start", run, _PAIRS * rounds)
        for pod in pods.values():
            pod.remove()
