# SPDX-License-Identifier: Apache-2.0
"""A container engine's own machine, as far as files go: a mount namespace in which the engine may write anywhere.

Its /etc and /usr/share/containers are this machine's with a layer above them; its /run, /dev/shm and engine data are
empty. It shares /tmp with this machine. All its processes end with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Self

_SETUP = """
mount -t tmpfs none /run
mkdir -p /run/lock /run/.layers
for path in /etc /usr/share/containers /usr/libexec; do
    [ -d $path ] || continue
    layer=/run/.layers$path; mkdir -p $layer/up $layer/work
    mount -t overlay -o lowerdir=$path,upperdir=$layer/up,workdir=$layer/work none $path
done
for path in /dev/shm /var/lib/containers /var/lib/containerd /var/lib/docker /opt; do
    [ ! -d $path ] || mount -t tmpfs -o mode=1777 none $path
done
if [ "$PURE_V2" = 1 ]; then umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; fi
echo ready
exec cat
"""
_END_S = 30


class Host:
    """A machine for the duration of a `with` block. pure_v2: only cgroup2 is mounted, at /sys/fs/cgroup."""

    def __init__(self, *, pure_v2: bool = False) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-euc", _SETUP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PURE_V2": str(int(pure_v2))},
            process_group=0,
        )
        assert self._holder.stdout is not None
        line = self._holder.stdout.readline()
        assert line == b"ready\n", "no mount namespace could be set up"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_all()
        self._holder.communicate(timeout=_END_S)

    def command(self, words: Sequence[str | Path]) -> list[str | Path]:
        """Returns the command line that runs `words` in this host."""
        return ["nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt", f"--wd={Path.cwd()}", "--", *words]

    def run(
        self,
        *words: str | Path,
        check: bool = True,
        env: Mapping[str, str] | None = None,
        timeout_s: float = 120,
        **more: Any,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        ended = subprocess.run(
            self.command(words),
            **{"capture_output": True, "text": True, "stdin": subprocess.DEVNULL, **more},
            env={**os.environ, **(env or {})},
            timeout=timeout_s,
            check=False,
        )
        assert not check or ended.returncode == 0, f"{' '.join(map(str, words))}: {ended.stdout}{ended.stderr}"
        return ended

    def start(
        self, *words: str | Path, output: IO[bytes], env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Starts a command, which ends with this process at the latest."""
        return subprocess.Popen(
            self.command(["setpriv", "--pdeathsig", "KILL", *words]),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            process_group=0,
        )

    def path(self, path: Path | str) -> Path:
        """Returns the path outside this host of a file in it."""
        return Path(f"/proc/{self._holder.pid}/root") / str(path).lstrip("/")

    def processes(self) -> Iterator[int]:
        """Yields the pids of all processes in this host, except the one that keeps the namespace."""
        own = os.stat(f"/proc/{self._holder.pid}/ns/mnt").st_ino
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and int(entry.name) != self._holder.pid:
                try:
                    inode = os.stat(entry / "ns/mnt").st_ino
                except OSError:
                    continue
                if inode == own:
                    yield int(entry.name)

    def _end_all(self) -> None:
        # Engines leave shims and monitors running, which are not children of this process.
        deadline_s = time.monotonic() + _END_S
        while pids := list(self.processes()):
            assert time.monotonic() < deadline_s, f"processes {pids} do not end"
            for pid in pids:
                try:
                    fd = os.pidfd_open(pid)
                except ProcessLookupError:
                    continue
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(fd, signal.SIGKILL)
                os.close(fd)
            time.sleep(0.01)  # no single event announces the end of all
