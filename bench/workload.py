# SPDX-License-Identifier: Apache-2.0
"""Builds `workload.c`, runs it in a cgroup of its own, and asks it for samples."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from traceloop_decode.mountinfo import mounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_SOURCE: Final = Path(__file__).with_name("workload.c")
CPUS: Final = (1, 0)  # of the first thread, whose calls are timed, and of the second


def cgroup2_mount() -> Path:
    """Returns the mount point of the cgroup2 tree, alone or beside cgroup v1 (mountinfo in proc(5))."""
    for mount in mounts(Path("/proc/self/mountinfo").read_text(errors="surrogateescape")):
        if mount.kind == "cgroup2":
            return Path(mount.point)
    raise SystemExit("no cgroup2 mount: mount -t cgroup2 none /sys/fs/cgroup/unified")


@contextmanager
def cgroup(name: str) -> Iterator[Path]:
    """Creates a cgroup, which must be empty again when the block ends."""
    path = cgroup2_mount() / f"traceloop-bench-{os.getpid()}-{name}"
    path.mkdir()
    try:
        yield path
    finally:
        path.rmdir()


@dataclass(frozen=True, slots=True)
class Sample:
    """The time of one call in one thread: median and minimum over the sample's batches."""

    median_ns: float
    minimum_ns: float


class Workload:
    """A running `workload`, in the cgroup with the id `cgroup_id`."""

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
        """Makes each of `threads` threads run `batches` batches of `calls` calls."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(call, threads, batches, calls, file=self._process.stdin, flush=True)
        numbers = [float(word) for word in self._process.stdout.readline().split()]
        if len(numbers) != 2 * threads:
            raise SystemExit(f"the workload ended: {call} {threads} {batches} {calls}")
        return [Sample(*numbers[at : at + 2]) for at in range(0, len(numbers), 2)]
