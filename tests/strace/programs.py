# SPDX-License-Identifier: Apache-2.0
"""Runs tests/strace/workloads/NAME.c twice under the same conditions, traced by strace and recorded, and gets the
lines.

Both times the program is a child of this process, leads a session of its own, and starts in the same directory, empty,
with the same environment and without address randomisation.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from recorded_cgroups import Container, entered

from traceloop_bpf.tracer import Tracer
from traceloop_decode.descriptors.follow import known, protocols
from traceloop_decode.events import events
from traceloop_decode.model import Lost
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text import strace
from traceloop_decode.values.options import Options

TIMEOUT_S = 60
WORKLOADS = Path(__file__).parent / "workloads"
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
_FIXED = ("env", "--default-signal", "setarch", "-R")


class Program:
    """A compiled workload. pid: of the process that runs it, known after the run."""

    def __init__(self, name: str, directory: Path) -> None:
        self.binary = directory / name
        self._at = directory / "here"
        # Pointers of 32 bits, for workloads that make calls as a 32-bit program does
        low = ("-no-pie", "-fno-pie") if name.startswith("compat_") else ()
        flags = ("-O1", "-Wall", "-Wno-unused-result", "-Wno-unused-function", "-pthread", *low)
        command = ("gcc", *flags, "-o", self.binary, WORKLOADS / f"{name}.c")
        subprocess.run(command, check=True, timeout=TIMEOUT_S)

    def under_strace(self, *flags: str) -> list[str]:
        """Returns the lines of ``strace -f``. -D makes the program a child of this process, not of strace."""
        fifo, output = self.binary.with_suffix(".fifo"), self.binary.with_suffix(".strace")
        fifo.unlink(missing_ok=True)
        os.mkfifo(fifo)
        with output.open("wb") as lines, subprocess.Popen(["cat", fifo], stdout=lines) as reader:
            try:
                self._run("strace", "-D", "-f", "-e", "quiet=attach,personality", *flags, "-o", str(fifo))
                reader.wait(TIMEOUT_S)  # waits for strace, which is not a child of this process
            finally:
                reader.kill()
        return output.read_text("latin-1").splitlines()

    def recorded(
        self,
        tracer: Tracer,
        options: Options = Options(),  # noqa: B008 - it is frozen
        *,
        descriptors: int = 0,
    ) -> list[str]:
        """Returns the same lines from a recording. descriptors: with the files they stand for: 1 (-y) or 2 (-yy)."""
        pid, snapshot = self.snapshot(tracer)
        found = list(events(snapshot))
        assert not [event for event in found if isinstance(event, Lost)]
        found = list(known(found, sockets=descriptors > 1)) if descriptors else list(protocols(found))
        # Events before that are the shell's, not the program's.
        begun = next(n for n, event in enumerate(found) if self._is_execve(entered([event]), pid))
        return list(strace.lines(iter(found[begun:]), snapshot, options))

    def snapshot(self, tracer: Tracer, withheld: int = 0) -> tuple[int, Snapshot]:
        """Returns the pid of the process, and the recording of its whole life."""
        with Container(tracer, withheld=withheld) as container:
            enter = 'echo $$ > "$0/cgroup.procs" && unset PWD && exec "$@"'  # the shell sets PWD
            pid = self._run("sh", "-c", enter, str(container.path))
            container.wait_empty()
            return pid, container.snapshot()

    def _is_execve(self, calls: list, pid: int) -> bool:
        return any(
            call.name == "execve" and call.tid == pid and call.items[0][0].data == str(self.binary).encode()
            for call in calls
        )

    def _run(self, *prefix: str) -> int:
        shutil.rmtree(self._at, ignore_errors=True)
        self._at.mkdir()
        nothing = subprocess.DEVNULL
        process = subprocess.Popen(
            [*_FIXED, *prefix, str(self.binary)],
            cwd=self._at, env=_ENVIRONMENT, stdin=nothing, stdout=nothing, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            _, said = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        assert not said, f"{self.binary}: {said.decode()}"
        return process.pid
