# SPDX-License-Identifier: Apache-2.0
"""Measures what the hook's two stages add to `runc run`, compared with two hooks that do nothing.

Runs the same bundle with four sets of hooks: none, static programs that do nothing, a start of Python, and ours; first
where containers are recorded when the hook asks, then where all are recorded from their births, and the hook does not
wait. The daemon runs throughout, so that all figures include its recorder. An untimed run without hooks precedes each
timed run: the work of the kernel and the daemon after the previous container's end is done by then, and all runs have
the same history.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from lab import Daemon, Runc, make_bundle, make_root, pod_annotations
from lab.bundle import HOOK
from report import Figure, drift, spread
from rounds import foreign

from traceloop_cli.engines.guard import entry

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET: Final = 1.3
OVER_STATIC_MS: Final = 5.0
NONE, EMPTY, OURS = "no hooks", "two starts of Python", "traceloop-hook start and stop"
STATIC: Final = "two static programs that do nothing"
_RUNS: Final = 7  # of each in a round; the median counts, as single runs differ by a factor of two
_PYTHON: Final = "/usr/bin/python3"
_DOES_NOTHING: Final = [{"path": _PYTHON, "args": [_PYTHON, "-I", "-S", "-c", "pass"]}]


class _Containers:
    def __init__(self, directory: Path, daemon: Daemon, runc: Runc) -> None:
        root = make_root(directory / "root")
        nothing = directory / "nothing"
        subprocess.run(["gcc", "-Os", "-static", "-x", "c", "-o", nothing, "-"], input=b"int main(void) {}", check=True)
        does_nothing = [{"path": str(nothing), "args": ["nothing"]}]
        socket = ["--socket", str(daemon.hook_socket)]
        by_name: dict[str, Any] = {
            NONE: {},
            STATIC: {"prestart": does_nothing, "poststop": does_nothing},
            EMPTY: {"prestart": _DOES_NOTHING, "poststop": _DOES_NOTHING},
            OURS: {s: [entry(str(HOOK), [w, *socket])] for s, w in (("prestart", "start"), ("poststop", "stop"))},
        }
        self._bundles = {
            name: make_bundle(
                directory / f"bundle-{number}",
                root,
                ["/bin/true"],
                hooks=by_name[name],
                annotations=pod_annotations("p"),
            )
            for number, name in enumerate(by_name)
        }
        self._daemon, self._runc = daemon, runc
        self._count = 0

    def round(self) -> dict[str, float]:
        """Returns the median milliseconds of a run, by name."""
        took_ms: dict[str, list[float]] = {name: [] for name in self._bundles}
        for _ in range(_RUNS):
            for name, values in took_ms.items():
                self._run(NONE)
                values.append(self._run(name))
        return {name: statistics.median(values) for name, values in took_ms.items()}

    def _run(self, name: str) -> float:
        self._count += 1
        container_id = f"traceloop-bench-{self._count}"
        began_s = time.perf_counter()
        ended = self._runc.run(self._bundles[name], container_id)
        took_ms = (time.perf_counter() - began_s) * 1000
        if ended.returncode or ended.stderr:
            raise SystemExit(f"not measured what was meant: {name}: {ended}")
        if name == OURS:
            self._daemon.wait_for_log(lambda line: f"container {container_id}," in line)
        return took_ms


def measure(rounds: int) -> Iterator[Figure | str]:
    """Yields the milliseconds from runc's start to its end."""
    yield "recorded when the hook asks"
    yield from _measured(rounds, births=False)
    yield "recorded from their births"
    yield from _measured(rounds, births=True)


def _measured(rounds: int, *, births: bool) -> Iterator[Figure | str]:
    with (
        TemporaryDirectory(prefix="traceloop-bench-") as name,
        Daemon(births=births) as daemon,
        Runc(Path(name) / "runc") as runc,
    ):
        containers = _Containers(Path(name), daemon, runc)
        per_round = [containers.round() for _ in range(rounds)]
        yield from foreign(ours=2)
    baseline = [costs[NONE] for costs in per_round]
    yield _figure(NONE, baseline)
    warning = drift(baseline, "time without hooks", "ms", 1)
    if warning:
        yield warning
    added = {name: [costs[name] - costs[NONE] for costs in per_round] for name in (STATIC, EMPTY, OURS)}
    for name, values in added.items():
        yield _figure(name, values, "added; ")
    over = [ours - static for ours, static in zip(added[OURS], added[STATIC], strict=True)]
    yield Figure("  over two static programs", statistics.median(over), "ms", OVER_STATIC_MS if births else None)
    ratio = statistics.median(added[OURS]) / statistics.median(added[EMPTY])
    yield Figure("  over two starts of Python", ratio, "times", None if births else TARGET)


def _figure(name: str, values_ms: list[float], remark: str = "") -> Figure:
    return Figure(f"runc run: {name}", statistics.median(values_ms), "ms", detail=remark + spread(values_ms, 1))
