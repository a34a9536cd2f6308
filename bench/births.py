# SPDX-License-Identifier: Apache-2.0
"""Measures what recording from a cgroup's birth adds: to a mkdir of any cgroup, and to a container's start.

The containers are unwired. They run by runc, under its own name and under one that the daemon does not recognise, in
pairs of alternating order.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from engines import compare
from lab import Daemon, make_bundle, make_root
from recorded_cgroups import Cgroup
from report import Figure, spread

from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer
from traceloop_daemon.naming.births import Recogniser

if TYPE_CHECKING:
    from collections.abc import Iterator

_MKDIRS: Final = 200  # in a sample
_PAIRS: Final = 7  # per round


def measure(rounds: int) -> Iterator[Figure | str]:
    """Yields microseconds of a mkdir and rmdir, then milliseconds of containers."""
    yield from _mkdir(rounds)
    with TemporaryDirectory(prefix="traceloop-bench-") as name, Daemon() as daemon:
        directory = Path(name)
        root = make_root(directory / "root")
        unknown = directory / "tl-unknown"
        shutil.copy2(shutil.which("runc") or "", unknown)
        bundle = make_bundle(directory / "bundle", root, ["/bin/true"])
        count = 0

        def run(born: bool) -> float:  # noqa: FBT001
            nonlocal count
            count += 1
            program = "runc" if born else unknown
            began_s = time.perf_counter()
            words = [program, "--root", directory / "state", "run", "--bundle", bundle, f"b{count}"]
            subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
            took_ms = (time.perf_counter() - began_s) * 1000
            if born:
                daemon.wait_for_log(lambda line: "frozen" in line and f"_b{count} " in line)
            return took_ms

        yield from compare("runc run, unwired", run, _PAIRS * rounds)


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
