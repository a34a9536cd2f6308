# SPDX-License-Identifier: Apache-2.0
"""The timed process: `workload.c`, built, run in a cgroup of its own, and asked for samples."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_SOURCE: Final = Path(__file__).with_name("workload.c")
CPUS: Final = (1, 0)  # of the first thread, whose calls are timed, and of the second


def cgroup2_mount() -> Path:
    """Where the cgroup2 tree is: on its own, or beside cgroup v1 (mountinfo in proc(5))."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[fields.index("-") + 1] == "cgroup2":
            return Path(fields[4])
    raise SystemExit("no cgroup2 mount: mount -t cgroup2 none /sys/fs/cgroup/unified")


@contextmanager
def cgroup(name: str) -> Iterator[Path]:
    """A new cgroup, which must be empty again at the end."""
    path = cgroup2_mount() / f"traceloop-bench-{os.getpid()}-{name}"
    path.mkdir()
    try:
        yield path
    finally:
        path.rmdir()


@dataclass(frozen=True, slots=True)
class Sample:
    """What one call took in one thread: median and minimum over the sample's batches."""

    median_ns: float
    minimum_ns: float


class Workload:
    """A running `workload`. Its cgroup's id is `cgroup_id`."""

    def __init__(self) -> None:
        self._exits = ExitStack()
        directory = Path(self._exits.enter_context(tempfile.TemporaryDirectory(prefix="traceloop-bench-")))
        binary = directory / "workload"
        subprocess.run(["cc", "-O2", "-Wall", "-pthread", "-o", binary, _SOURCE], check=True)
        path = self._exits.enter_context(cgroup("workload"))
        self.cgroup_id = path.stat().st_ino
        self._process = subprocess.Popen(
            [binary, *map(str, CPUS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()
        (path / "cgroup.procs").write_text(str(self._process.pid))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._exits:
            self._process.communicate()

    def sample(self, call: str, batches: int, calls: int, threads: int = 1) -> list[Sample]:
        """Lets each of `threads` threads make `batches` batches of `calls` calls."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(call, threads, batches, calls, file=self._process.stdin, flush=True)
        numbers = [float(word) for word in self._process.stdout.readline().split()]
        if len(numbers) != 2 * threads:
            raise SystemExit(f"the workload ended: {call} {threads} {batches} {calls}")
        return [Sample(*numbers[at : at + 2]) for at in range(0, len(numbers), 2)]
