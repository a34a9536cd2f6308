# SPDX-License-Identifier: Apache-2.0
"""Measures what recording costs, and compares it with the promised figures. `README.md` here explains each figure.

Needs root and a C compiler. Exits with 1 when a promise is not kept.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

sys.path += [str(Path(__file__).resolve().parents[1] / folder) for folder in ("tests", "tests/support")]  # for `lab`

import archive
import births
import calls
import capacity
import clients
import crowd
import daemon_memory
import decoding
import engines
import kernel_memory
import nri
import peers
import redaction
import registration
import threads
from programs import empty_programs, take_off
from report import Figure
from workload import Workload

import hook
from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer

RECORDER_PARTS: Final = ("calls", "capacity", "threads", "memory")  # share one recorder, in this process
APART: Final[dict[str, tuple[str, Callable[[int], Iterator[Figure | str]]]]] = {  # heading, function of the rounds
    "decoding": ("Decoding: 16 MiB of mixed calls to text, on CPU 1", decoding.measure),
    "redaction": ("The search for secrets in a snapshot", redaction.measure),
    "hook": ("A container with and without hooks: runc run of busybox's true, from begin to end", hook.measure),
    "births": ("A container that is recorded from its cgroup's birth, and one that is not", births.measure),
    "engines": ("A container's start under each engine, with and without the hook", engines.measure),
    "nri": ("A container's start under containerd, with and without the daemon as its NRI plugin", nri.measure),
    "registration": (
        "A registration, from the hook's connection to the daemon's answer",
        lambda _rounds: registration.measure(),
    ),
    "peers": ("A registration, while others ask as fast as they can", lambda _rounds: peers.measure()),
    "clients": ("traceloopctl from start to end, beside other programs", clients.measure),
    "daemon": ("The daemon's memory", lambda _rounds: daemon_memory.measure()),
    "archive": ("The archive, on the file system of the temporary directory", archive.measure),
    "crowd": ("A full node, under systemd", lambda _rounds: crowd.measure()),
}
PARTS: Final = (*RECORDER_PARTS, *APART)
_ROUNDS_MIN: Final = 7


def main() -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(PARTS)}; default: all")
    parser.add_argument("--rounds", type=int, default=15, help="samples of each figure, %(default)s if not given")
    options = parser.parse_args()
    if not set(options.parts) <= set(PARTS):
        parser.error(f"PART is one of {', '.join(PARTS)}")
    if options.rounds < _ROUNDS_MIN:
        parser.error(f"--rounds: at least {_ROUNDS_MIN}, for a median that means something")
    print(f"{time.strftime('%Y-%m-%d')}, Linux {platform.release()}, {os.cpu_count()} CPUs, {options.rounds} rounds")
    missed = 0
    for line in _measure(options.parts or PARTS, options.rounds):
        print(line, flush=True)
        missed += isinstance(line, Figure) and line.missed
    print(f"{missed} missed" if missed else "all kept")
    return 1 if missed else 0


def _measure(parts: Sequence[str], rounds: int) -> Iterator[Figure | str]:
    if not set(parts).isdisjoint(RECORDER_PARTS):
        yield from _measure_recorder(parts, rounds)
    for part, (heading, measure) in APART.items():
        if part in parts:
            yield heading
            yield from measure(rounds)


def _measure_recorder(parts: Sequence[str], rounds: int) -> Iterator[Figure | str]:
    tracer = Tracer.load(Plan(pool_size=2))
    try:
        recorder = take_off(tracer)
        with Workload() as workload, empty_programs() as empty:
            states = calls.States(tracer, recorder, empty, workload.cgroup_id)
            if "calls" in parts:
                yield "A system call on CPU 1: medians"
                yield from calls.measure(workload, states, rounds)
            if "capacity" in parts:
                yield "What a ring holds: getppid, openat, write 64 B, read 64 B, close in equal parts"
                yield from capacity.measure(tracer, recorder, workload)
            if "threads" in parts:
                yield "Two threads of one container on two CPUs: a call of the first, on CPU 1"
                yield from threads.measure(workload, states, rounds)
            if "memory" in parts:
                yield "Kernel memory"
                yield from kernel_memory.measure(tracer)
    finally:
        tracer.close()


if __name__ == "__main__":
    sys.exit(main())
