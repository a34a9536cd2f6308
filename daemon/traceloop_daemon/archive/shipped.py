# SPDX-License-Identifier: Apache-2.0
"""Reads which traces a store has, from the ledger of traceloop-ship: each line begins with a file's name and a tab.

Another user writes the ledger, so it only decides which traces are removed first.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from traceloop_decode.file_names import trace_id_of

LEDGER: Final = Path("/var/lib/traceloop-ship/shipped")
_MAX_BYTES: Final = 16 << 20
_MAX_LINES: Final = 50_000


def shipped_ids(ledger: Path) -> frozenset[str]:
    """Returns the ids of shipped traces; none if there is no ledger, or it cannot be read."""
    try:
        fd = os.open(ledger, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):  # its user may have put a FIFO there, at which one would wait
                return frozenset()
            lines = file.read(_MAX_BYTES).split(b"\n", _MAX_LINES)[:_MAX_LINES]
    except OSError:  # nothing was shipped here
        return frozenset()
    return frozenset(
        trace_id_of(line.partition(b"\t")[0].decode("utf-8", "replace")) for line in lines if b"\t" in line
    )
