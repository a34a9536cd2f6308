# SPDX-License-Identifier: Apache-2.0
"""Facts about the node that no trace changes: the kernel, the boot, the version of traceloop, the time."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

_DISTRIBUTION: Final = "container-flight-recorder"


@dataclass(frozen=True, slots=True)
class Host:
    """The node. kernel: release, from uname(2). boot_id: see random(4). version: traceloop's; empty if unknown."""

    kernel: str
    boot_id: str
    version: str


@cache
def host() -> Host:
    """Reads the facts about this process's node. Raises OSError."""
    try:
        own = version(_DISTRIBUTION)
    except PackageNotFoundError:  # run from a source tree
        own = ""
    return Host(os.uname().release, Path("/proc/sys/kernel/random/boot_id").read_text().strip(), own)


def realtime_ns(ago_ns: int = 0) -> int:
    """Returns a moment of the past by CLOCK_REALTIME.

    The clock may have been set back to less than the node has been up; a file can tell no time before 1970, and 0 is no
    time at all.
    """
    return max(1, time.time_ns() - ago_ns)
