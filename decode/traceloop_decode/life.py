# SPDX-License-Identifier: Apache-2.0
"""Counts of calls over a container's whole life by name, for the table of ``show -c``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import abis
from traceloop_decode.totals import Total


@dataclass(frozen=True, slots=True)
class Life:
    """Counts by name, native and 32-bit calls together."""

    counts: Mapping[str, Total]


def life(snapshot: Snapshot, calls: Callable[[str, bool], bool] | None = None) -> Life | None:
    """Returns the counts of a trace; None if the recorder did not count.

    calls: selects calls by name, and by whether they are of the 32-bit table.
    """
    if snapshot.totals is None:
        return None
    counts: dict[str, Total] = {}
    for compat, name, _, total in snapshot.totals.named(*abis(snapshot.arch, snapshot.syscalls)):
        if calls is None or calls(name, compat):
            before = counts.get(name, Total(0, 0))
            counts[name] = Total(before.calls + total.calls, before.failed + total.failed)
    return Life(counts)
