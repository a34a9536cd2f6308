# SPDX-License-Identifier: Apache-2.0
"""Measures what storing a trace costs, and what 10,000 stored traces cost the daemon's start, `list` and a
registration.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from decoding import SOURCE, full_ring
from lab import Daemon
from node import container, register
from report import Figure, spread

from traceloop_daemon.archive.directory import FileArchive
from traceloop_daemon.archive.retention import Limits
from traceloop_decode.archive_file import TraceInfo, pack
from traceloop_decode.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TRACES: Final = 10_000
_REGISTRATIONS: Final = 30
_LIMITS: Final = Limits(max_traces=_TRACES + 100, keep_free_bytes=1)
_INFO: Final = TraceInfo(
    "node1_default_mypod-7c5d9f8b6-x2x4z",
    *(
        "node1",
        "default",
        "mypod-7c5d9f8b6-x2x4z",
        "d9a3e6f0-6c1e-4b57-9d3c-0a3f6a3f0a11",
        "web",
        "0123456789abcdef" * 4,
    ),
    *("registry.example/web:1.2.3", "/kubepods.slice/kubepods-burstable.slice/cri-containerd-0123456789abcdef.scope"),
    status=256,
    events=1234,
)


def measure(rounds: int) -> Iterator[Figure | str]:
    """Yields wall-clock times in milliseconds, unless a figure's name says CPU time."""
    with TemporaryDirectory(prefix="traceloop-bench-") as name:
        directory = Path(name)
        program = directory / "mixed"
        subprocess.run(["cc", "-O2", "-Wall", "-o", program, SOURCE], check=True)
        encoded = full_ring(program, 1 << 20, directory / "ring").read_bytes()
        assert Snapshot.decode(encoded).ring_size == 1 << 20
        yield from _puts(directory / "puts", encoded, rounds)
        yield from _many(directory / "many", encoded, rounds)


def _puts(directory: Path, encoded: bytes, rounds: int) -> Iterator[Figure]:
    with closing(FileArchive(directory, _LIMITS)) as archive:
        puts = [_ms(lambda number=number: archive.put(_info(number), encoded)) for number in range(3 * rounds)]
        size = archive.usage().size_bytes / archive.usage().traces
    yield Figure("put of a full ring of 1 MiB", statistics.median(puts), "ms", detail=spread(puts, 1))
    packs = [_cpu_ms(lambda: pack(_INFO, encoded)) for _ in range(3 * rounds)]
    yield Figure(
        "  packing it, CPU time",
        statistics.median(packs),
        "ms",
        detail=f"into {size / 1024:.0f} KiB; {spread(packs, 1)}",
    )


def _many(directory: Path, encoded: bytes, rounds: int) -> Iterator[Figure]:
    with closing(FileArchive(directory, _LIMITS)) as archive:
        file = pack(_INFO, encoded[:1000])
        for number in range(_TRACES):  # written directly, without fsync
            (directory / f"{_info(number).trace_id}.trace").write_bytes(pack(_info(number), encoded[:1000]))
        scans = [_cpu_ms(archive.scan) for _ in range(rounds)]
        assert archive.usage().traces == _TRACES
        yield Figure(f"{_TRACES:,} files of {len(file)} bytes: finding them, CPU time", *_median(scans))
        states = [_cpu_ms(archive.states) for _ in range(rounds)]
        yield Figure("  the states of all, CPU time", *_median(states))
        puts = [_ms(lambda number=number: archive.put(_info(_TRACES + number), encoded)) for number in range(rounds)]
        yield Figure("  a put of a full ring", *_median(puts))
        for number in range(rounds):
            archive.delete(_info(_TRACES + number).trace_id)
    for what, state_dir in (("none", None), (f"{_TRACES:,}", directory)):
        began = time.perf_counter()
        with Daemon(config=f"max_traces = {_TRACES + 100}\nkeep_free = 1\n", state_dir=state_dir) as daemon:
            yield Figure(f"{what} kept: the daemon's start", (time.perf_counter() - began) * 1000, "ms")
            lists = [_ms(lambda: daemon.ctl("list")) for _ in range(min(rounds, 7))]
            yield Figure("  traceloopctl list", *_median(lists))
            yield Figure("  the daemon's PSS", _pss_mib(daemon.process.pid), "MiB")
            registrations = []
            for number in range(_REGISTRATIONS):
                with container(f"archive-{number}") as one:
                    time.sleep(0.1)  # paces the load; no event is awaited
                    registrations += register(daemon, [one])
            yield Figure("  a registration", *_median(registrations))


def _info(number: int) -> TraceInfo:
    now_ns = time.time_ns()
    return replace(_INFO, trace_id=f"{_INFO.trace_id}_{number}", started_ns=now_ns, ended_ns=now_ns)


def _median(values: list[float]) -> tuple[float, str, None, bool, str]:
    return statistics.median(values), "ms", None, False, spread(values, 2)


def _ms(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1000


def _cpu_ms(action: Callable[[], object]) -> float:
    began = time.process_time()
    action()
    return (time.process_time() - began) * 1000


def _pss_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
