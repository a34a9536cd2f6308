# SPDX-License-Identifier: Apache-2.0
"""Reads which traces a store has, from the ledger of traceloop-ship: each line begins with a file's name and a tab.

Another user writes the ledger, so it only decides which traces are removed first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from traceloop_decode.file_names import trace_id_of

LEDGER: Final = Path("/var/lib/traceloop-ship/shipped")
_MAX_BYTES: Final = 16 << 20


def shipped_ids(ledger: Path) -> frozenset[str]:
    """Returns the ids of shipped traces; none if there is no ledger, or it cannot be read."""
    try:
        with ledger.open("rb") as file:
            lines = file.read(_MAX_BYTES).split(b"\n")
    except OSError:  # nothing was shipped here
        return frozenset()
    return frozenset(
        trace_id_of(line.partition(b"\t")[0].decode("utf-8", "replace")) for line in lines if b"\t" in line
    )
