# SPDX-License-Identifier: Apache-2.0
"""Reads how traceloop-ship fares, from the small file that it writes after each run.

Another user writes the file, and a network reaches that user. So its values are checked, and become statistics alone.
It must be a file of that user's or root's own, and not a link to one that the daemon may read but that user may not.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

STATE: Final = Path("/var/lib/traceloop-ship/state.json")
_MAX_BYTES: Final = 16 << 10
_ERROR_MAX: Final = 500
_COUNT_MAX: Final = 1 << 63
_NS: Final = 1_000_000_000
_YEARS_S: Final = 1 << 33  # the year 2242; in nanoseconds it has 63 bits


@dataclass(frozen=True, slots=True)
class Shipping:
    """The sums of all runs, and the state after the last. Times are CLOCK_REALTIME, 0 for never.

    waiting: traces that are still to be shipped. unreadable: files of the archive that are no archives.
    last_success_ns: the last run after which nothing waited. failing_since_ns: the first of the failed runs up to now.
    error: the last run's failure, printable ASCII.
    """

    traces: int = 0
    size_bytes: int = 0
    runs: int = 0
    failed_runs: int = 0
    waiting: int = 0
    unreadable: int = 0
    last_run_ns: int = 0
    last_success_ns: int = 0
    failing_since_ns: int = 0
    error: str = ""


def shipping(path: Path) -> Shipping | None:
    """Returns the state in a file; None if nothing was shipped here, or the file cannot be trusted or read."""
    try:
        read = _read(path)
        state = json.loads(read[0]) if read is not None else None
    except (OSError, ValueError, RecursionError):
        return None
    if read is None or not isinstance(state, dict):
        return None
    error = _error(state)
    success_ns, failing_ns = _time(state, "last_success_s"), _time(state, "failing_since_s")
    return Shipping(
        traces=_count(state, "traces"),
        size_bytes=_count(state, "bytes"),
        runs=_count(state, "runs"),
        failed_runs=_count(state, "failed_runs"),
        waiting=_count(state, "waiting"),
        unreadable=_count(state, "unreadable"),
        last_run_ns=max(0, read[1]),
        last_success_ns=success_ns,
        failing_since_ns=(failing_ns or success_ns) if error else 0,  # an older traceloop-ship keeps one of them
        error=error,
    )


def _read(path: Path) -> tuple[bytes, int] | None:
    # Returns the bytes and the mtime.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size > _MAX_BYTES:
            return None
        if found.st_uid not in (0, path.parent.stat().st_uid):
            return None
        return file.read(_MAX_BYTES), found.st_mtime_ns


def _count(state: dict[str, Any], name: str) -> int:
    value = state.get(name)
    return value if type(value) is int and 0 <= value < _COUNT_MAX else 0


def _time(state: dict[str, Any], name: str) -> int:
    # Milliseconds are exact: a float of seconds times 10^9 is not.
    value = state.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < _YEARS_S:
        return 0
    return round(value * 1000) * (_NS // 1000)


def _error(state: dict[str, Any]) -> str:
    value = state.get("error")
    if not isinstance(value, str):
        return ""
    text = value[:_ERROR_MAX].encode("ascii", "backslashreplace").decode()
    return "".join(one if one.isprintable() else " " for one in text)[:_ERROR_MAX]
