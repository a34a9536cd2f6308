# SPDX-License-Identifier: Apache-2.0
"""Measures how fast a recorded trace becomes text and how much memory that takes, beside other tracers on the same
calls.

A process of its own does each decoding, on CPU 1, with the snapshot's bytes in memory and all modules imported before
its clock starts. strace and perf run on CPU 1 too; strace can only run together with the program. Speeds are per second
of CPU time, so that other processes on that CPU do not count.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from report import Figure, spread
from rounds import foreign
from workload import cgroup

from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer
from traceloop_decode.descriptors.follow import protocols
from traceloop_decode.events import events
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text import jsonl, short, strace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FIRST_LINE_MS: Final = 300
SHORT_PER_S: Final = 60_000
MORE_MEMORY_MIB: Final = 4  # how much more a trace of 16 MiB takes than one of 1 MiB
_MIB: Final = 1 << 20
_SIZES: Final = (_MIB, 16 * _MIB)
_FORMATS: Final = {"short": short.lines, "strace": strace.lines, "jsonl": jsonl.lines}
_ROUNDS_MAX: Final = 7  # each takes seconds
_CPU: Final = 1
SOURCE: Final = Path(__file__).with_name("mixed.c")
_CALLS: Final = 20  # in one round of mixed.c
_CALL_BYTES_MIN: Final = 64  # in the ring, so that it is full


@dataclass(frozen=True, slots=True)
class Decoding:
    """The measurements of one decoding process.

    first_ms: wall-clock time. took_s: CPU time. memory_mib: peak above the memory in use after the snapshot was opened.
    """

    lines: int
    first_ms: float
    took_s: float
    memory_mib: float


def measure(rounds: int) -> Iterator[Figure | str]:
    """Runs each format, strace and perf in turn; yields the medians."""
    with TemporaryDirectory(prefix="traceloop-bench-") as name:
        directory = Path(name)
        program = directory / "mixed"
        subprocess.run(["cc", "-O2", "-Wall", "-o", program, SOURCE], check=True)
        small, large = (full_ring(program, size, directory / f"{size}.trace") for size in _SIZES)
        yield from foreign()
        ours: dict[str, list[Decoding]] = {output: [] for output in _FORMATS}
        others: dict[str, list[float]] = {}
        calls = _decode("short", large).lines // _CALLS * _CALLS
        data, refusal = _perf_record(program, calls, directory / "perf.data")
        for _ in range(min(rounds, _ROUNDS_MAX)):
            for output, found in ours.items():
                found.append(_decode(output, large))
            for what, command in _peers(program, calls, data).items():
                others.setdefault(what, []).append(_lines_per_s(command, directory / "lines"))
        for output, found in ours.items():
            yield from _figures(output, found, _decode(output, small))
        for what, speeds in others.items():
            yield Figure(what, statistics.median(speeds), "line/s", detail=spread(speeds))
        yield from (f"  ! {line}" for line in refusal)


def _figures(output: str, found: list[Decoding], small: Decoding) -> Iterator[Figure]:
    speeds = [one.lines / one.took_s for one in found]
    target = SHORT_PER_S if output == "short" else None
    detail = f"{found[0].lines:,} lines; {spread(speeds)}"
    yield Figure(f"{output}: 16 MiB", statistics.median(speeds), "line/s", target, at_least=True, detail=detail)
    firsts = [one.first_ms for one in found]
    yield Figure("  first line", statistics.median(firsts), "ms", FIRST_LINE_MS, detail=spread(firsts, 1))
    memory = statistics.median(one.memory_mib for one in found)
    detail = f"{memory:.1f}, against {small.memory_mib:.1f}"
    yield Figure("  memory, more than for 1 MiB", memory - small.memory_mib, "MiB", MORE_MEMORY_MIB, detail=detail)


def full_ring(program: Path, size: int, path: Path) -> Path:
    """Records a ring full of mixed.c's calls, and writes it to the file `path` as an encoded snapshot."""
    with closing(Tracer.load(Plan(ring_size=size, pool_size=1))) as tracer, cgroup("decoding") as directory:
        recording = tracer.record([directory.stat().st_ino])
        try:
            enter = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
            calls = size // _CALL_BYTES_MIN
            subprocess.run(["sh", "-c", enter, directory, program, str(calls // _CALLS)], check=True)
            snapshot = recording.ring.snapshot(recording.started_ns)
        finally:
            tracer.stop(recording)
            tracer.give_back(recording)
    if len(snapshot.data) < size:
        raise SystemExit(f"not measured what was meant: {len(snapshot.data)} bytes in a ring of {size}")
    path.write_bytes(snapshot.encode())
    return path


def _decode(output: str, trace: Path) -> Decoding:
    run = subprocess.run([sys.executable, __file__, output, trace], check=True, capture_output=True)
    return Decoding(**json.loads(run.stdout))


def _peers(program: Path, calls: int, data: Path | None) -> dict[str, list[str | Path]]:
    peers: dict[str, list[str | Path]] = {}
    if shutil.which("strace"):
        peers["strace -f -o, with the program"] = ["strace", "-f", "-o", "", program, str(calls // _CALLS)]
    if data is not None:
        peers["perf trace -i, of a recording"] = ["perf", "trace", "-o", "", "-i", data]
        peers["perf script, of a recording: two lines a call"] = ["perf", "script", "-i", data]
    return peers


def _lines_per_s(command: Sequence[str | Path], output: Path) -> float:
    # "" in the command stands for the output file; a command without it writes to its standard output.
    with output.open("wb") as lines, _pinned():
        before_s = _children_s()
        subprocess.run([word or output for word in command], check=True, stdout=lines, stderr=subprocess.PIPE)
        took_s = _children_s() - before_s
    with output.open("rb") as written:
        return sum(1 for _ in written) / took_s


def _children_s() -> float:
    # CPU time of all children that this process has waited for
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _perf_record(program: Path, calls: int, data: Path) -> tuple[Path | None, list[str]]:
    # the recording, or the reason why there is none
    if not shutil.which("perf"):
        return None, ["no perf here"]
    command = ["perf", "trace", "record", "-m", "16M", "-o", data, "--", program, str(calls // _CALLS)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return (None, run.stderr.splitlines()) if run.returncode else (data, [])


@contextmanager
def _pinned() -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {_CPU})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _memory_kib(what: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))


def main(output: str, trace: str) -> None:
    """Decodes in this process, and prints the measurements as JSON."""
    encoded = Path(trace).read_bytes()
    with _pinned(), Path(os.devnull).open("w") as shown:
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        snapshot = Snapshot.decode(encoded)
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak: proc_pid_clear_refs(5)
        before_kib = _memory_kib("VmRSS")
        lines = _FORMATS[output](protocols(events(snapshot)), snapshot)  # as `show` does
        shown.write(next(lines) + "\n")
        first_s = time.perf_counter() - began_s
        count = 1
        for count, line in enumerate(lines, 2):  # noqa: B007 - the last one is what counts
            shown.write(f"{line}\n")
        took_s = time.process_time() - began_cpu_s
    memory_mib = (_memory_kib("VmHWM") - before_kib) / (_MIB >> 10)
    print(json.dumps({"lines": count, "first_ms": first_s * 1000, "took_s": took_s, "memory_mib": memory_mib}))


if __name__ == "__main__":
    main(*sys.argv[1:])
