# SPDX-License-Identifier: Apache-2.0
"""Runs a command in a cgroup of its own until its stdin ends, and leaves neither processes nor cgroups behind.

    keeper.py CGROUP DIRECTORY COMMAND...

Makes CGROUP; removes it at the end, and DIRECTORY, which must exist and gets the command's output in `console`.
The command starts in CGROUP/machine: `unshare --fork --cgroup …` makes that the root of its namespace. The process
that it forks writes a line to stdout, and continues when it reads one from stdin: by then the command itself has been
moved to CGROUP/outside, because a cgroup that delegates controllers may contain no process of its own.

The process that started this one holds the other end of stdin: everything above ends when that process ends, however
it ends.
"""

from __future__ import annotations

import select
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

JOIN = 'echo $$ >"$0/cgroup.procs" && exec "$@"'


def keep(cgroup: Path, directory: Path, command: list[str]) -> None:
    machine, outside = cgroup / "machine", cgroup / "outside"
    for path in (cgroup, machine, outside):
        path.mkdir()
    with (directory / "console").open("wb") as console:
        process = subprocess.Popen(
            ["/bin/sh", "-c", JOIN, machine, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=console,
            process_group=0,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    if process.stdout.readline():
        (outside / "cgroup.procs").write_text(str(process.pid))
        with suppress(BrokenPipeError):
            process.stdin.write(b"\n")
            process.stdin.flush()
        sys.stdin.buffer.read()


def remove(cgroup: Path) -> None:
    """Kills the processes in a cgroup and its children, and removes the cgroups once they are empty."""
    if not cgroup.exists():
        return
    (cgroup / "cgroup.kill").write_text("1")
    with (cgroup / "cgroup.events").open() as events:
        changed = select.poll()
        changed.register(events, select.POLLPRI)
        while "populated 1" in events.read():
            changed.poll(100)  # two changes within 10 ms may be reported as one
            events.seek(0)
    for path in sorted(cgroup.rglob("*/"), reverse=True):  # children before their parents
        path.rmdir()
    cgroup.rmdir()


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # only the end of stdin ends this program
    try:
        keep(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
    finally:
        remove(Path(sys.argv[1]))
        shutil.rmtree(sys.argv[2], ignore_errors=True)
