# SPDX-License-Identifier: Apache-2.0
"""Finds what the recorder has to know of this machine's architecture.

An architecture is two files: ``arch_NAME.h``, which the programs include, and ``arch_NAME.py``, which stands in
`ARCHITECTURES`. NAME is the machine's, as uname(2) has it. No other code of the recorder asks for it.
"""

from __future__ import annotations

import errno
import platform
from typing import Final

from traceloop_bpf import arch_aarch64, arch_x86_64
from traceloop_bpf.arch_model import Architecture

ARCHITECTURES: Final = {"aarch64": arch_aarch64.ARCHITECTURE, "x86_64": arch_x86_64.ARCHITECTURE}


def header() -> str:
    """Returns the name of the header of this machine's architecture."""
    return f"arch_{platform.machine()}.h"


def architecture() -> Architecture:
    """Returns this machine's architecture. Raises OSError if the recorder does not know it."""
    name = platform.machine()
    if name not in ARCHITECTURES:
        known = " and ".join(sorted(ARCHITECTURES))
        raise OSError(errno.EOPNOTSUPP, f"the recorder runs on {known}, not on {name}")
    return ARCHITECTURES[name]
