# SPDX-License-Identifier: Apache-2.0
"""Facts that are the same for every trace of one daemon: the kernel, the boot, the version of traceloop."""

from __future__ import annotations

import os
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
