# SPDX-License-Identifier: Apache-2.0
"""Measures traceloopctl's questions from start to end, beside `podman ps` on the same state; `--help`; a large trace.

podman runs containers that the daemon records; both programs are started alternately in the same mount namespace.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from decoding import SOURCE, full_ring
from lab import Daemon
from lab.bundle import HOOK
from lab.podman import IMAGE, Podman
from report import Figure, drift, spread

from traceloop_decode.archive_file import TraceInfo, pack

if TYPE_CHECKING:
    from collections.abc import Iterator

OVER_PODMAN: Final = 1.5
HELP_OVER_PYTHON: Final = 4.0
_CONTAINERS: Final = 10  # that run, and as many that have ended
_CTL: Final = HOOK.with_name("traceloopctl")
WHY_S: Final = 3.0
WHY_MIB: Final = 256
_LARGE_BYTES: Final = 64 << 20
_LARGE_ROUNDS: Final = 5  # each takes seconds
_QUESTIONS: Final = (("list",), ("info", "ended-1"), ("why", "ended-1"), ("show", "-n", "50", "ended-1"))


def measure(rounds: int) -> Iterator[Figure | str]:
    """Yields milliseconds and ratios."""
    commands = {"python3 -c pass": ["/usr/bin/python3", "-c", "pass"], "--help": [_CTL, "--help"]}
    taken = _medians(commands, rounds)
    yield from _figures("python3 -c pass", taken, HELP_OVER_PYTHON)
    yield from _large()
    if shutil.which("podman") is None:
        yield "  - podman is not installed"
        return
    with _recorded() as (podman, daemon):
        commands = {"podman ps": podman.host.command(["podman", "ps"])}
        for words in _QUESTIONS:
            commands[" ".join(words)] = podman.host.command([_CTL, "--address", daemon.address, *words])
        yield from _figures("podman ps", _medians(commands, rounds), OVER_PODMAN)


def _large() -> Iterator[Figure]:
    # `why` of a full ring: its whole time, and the most memory that it had.
    with TemporaryDirectory(prefix="traceloop-bench-") as name:
        program, file = Path(name) / "mixed", Path(name) / "large.trace"
        subprocess.run(["cc", "-O2", "-Wall", "-o", program, SOURCE], check=True)
        encoded = full_ring(program, _LARGE_BYTES, Path(name) / "snapshot").read_bytes()
        facts = TraceInfo("large", ring_size_bytes=_LARGE_BYTES, status=1 << 8, arch=platform.machine())
        file.write_bytes(pack(facts, encoded))
        took_s, memory_mib = [], []
        for _ in range(_LARGE_ROUNDS):
            began_s = time.perf_counter()
            why = subprocess.Popen([_CTL, "why", "--file", file], stdout=subprocess.DEVNULL)
            _, status, used = os.wait4(why.pid, 0)
            why.returncode = os.waitstatus_to_exitcode(status)
            took_s.append(time.perf_counter() - began_s)
            memory_mib.append(used.ru_maxrss / 1024)
            assert why.returncode == 0
        yield Figure("why, 64 MiB", statistics.median(took_s), "s", WHY_S, detail=spread(took_s, 2))
        yield Figure("  memory", statistics.median(memory_mib), "MiB", WHY_MIB, detail=spread(memory_mib, 1))


@contextmanager
def _recorded() -> Iterator[tuple[Podman, Daemon]]:
    # A node on which as many containers run as have ended.
    with Daemon() as daemon, Podman() as podman:
        enable = (_CTL, "engine", "enable", "podman", "--hook", HOOK, "--socket", daemon.hook_socket)
        podman.host.run(*map(str, enable))
        for number in range(_CONTAINERS):
            podman("run", "--detach", "--name", f"running-{number}", IMAGE)
            podman("run", "--name", f"ended-{number}", IMAGE, "ls", "/")
        daemon.wait_for_log(lambda line: f"_ended-{_CONTAINERS - 1} " in line and "frozen" in line)
        yield podman, daemon


def _medians(commands: dict[str, list[object]], rounds: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, words in commands.items():
            began_s = time.perf_counter()
            subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)
            if number:  # the first is a warm-up
                taken[name].append((time.perf_counter() - began_s) * 1000)
    return taken


def _figures(base: str, taken: dict[str, list[float]], most: float) -> Iterator[Figure | str]:
    for name, values in taken.items():
        ratios = [value / other for value, other in zip(values, taken[base], strict=True)]
        yield Figure(name, statistics.median(values), "ms", detail=spread(values, 1))
        if name != base:
            yield Figure(f"  over {base}", statistics.median(ratios), "times", most, detail=spread(ratios, 2))
    if warning := drift(taken[base], f"time of {base}", "ms", 1):
        yield warning
