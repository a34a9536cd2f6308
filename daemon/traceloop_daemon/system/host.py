# SPDX-License-Identifier: Apache-2.0
"""What is the same for every trace of one daemon: which kernel, which boot, which traceloop."""

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
    """kernel: its release, as uname(2) gives it. boot_id: see random(4). version: of traceloop; empty: not known."""

    kernel: str
    boot_id: str
    version: str


@cache
def host() -> Host:
    """Of this process. Raises OSError."""
    try:
        own = version(_DISTRIBUTION)
    except PackageNotFoundError:  # run from where it was not installed
        own = ""
    return Host(os.uname().release, Path("/proc/sys/kernel/random/boot_id").read_text().strip(), own)
