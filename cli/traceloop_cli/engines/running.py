# SPDX-License-Identifier: Apache-2.0
"""Tells whether a service started before its files were changed, and so has not read them.

Any user can give a process any name. So a process counts as the service only if all its user ids are root's, and if its
program belongs to root and is not set-user-ID.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_START: Final = 19  # index of starttime among the fields after the name in /proc/PID/stat (proc(5))


def runs(name: str) -> bool:
    """Returns whether a service of this name runs in our mount namespace."""
    return any(True for _ in _began(name))


def started_before(name: str, files: Iterable[Path]) -> bool:
    """Returns whether a service of this name in our mount namespace started before the last change of a file."""
    changed_s = max((path.stat().st_ctime for path in files if path.exists()), default=0.0)
    return any(began_s < changed_s for began_s in _began(name))


def _began(name: str) -> Iterator[float]:
    boot_s = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    view = Path("/proc/self/ns/mnt").stat().st_ino
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdecimal() and _is_roots(process, name):
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                if (process / "ns/mnt").stat().st_ino == view:
                    yield boot_s + int(fields[_START]) / os.sysconf("SC_CLK_TCK")
        except OSError:
            continue  # the process has ended meanwhile


def _is_roots(process: Path, name: str) -> bool:
    if (process / "comm").read_bytes().strip() != name.encode():
        return False
    uids = next(
        line for line in (process / "status").read_text(errors="replace").split("\n") if line.startswith("Uid:")
    )
    program = (process / "exe").stat()
    return uids.split()[1:] == ["0"] * 4 and program.st_uid == 0 and not program.st_mode & stat.S_ISUID
