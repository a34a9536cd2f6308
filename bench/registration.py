# SPDX-License-Identifier: Apache-2.0
"""Measures how long a container waits for its registration on a node with 100 registered containers.

First containers come one at a time, ten a second, about the most that a node starts: each finds a ring in stock. Each
ends before the next begins, so that the daemon handles ends too and 100 stay registered. Then 20 come at once, more
than there are rings in stock: the rest wait until the kernel has taken in new rings.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Final

from lab import Daemon
from node import container, containers, register
from report import Figure, spread
from rounds import foreign

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET_MS: Final = 2.0
_REGISTERED: Final = 100
_SINGLE: Final = 200
_BURST: Final = 20
_PACE_S: Final = 0.1


def measure() -> Iterator[Figure | str]:
    """Yields milliseconds, measured on the hook's side."""
    with Daemon() as daemon, containers(_REGISTERED, "registered") as registered:
        yield from foreign(ours=2)
        for one in registered:
            register(daemon, [one])
        single = list(_one_by_one(daemon))
        yield Figure(
            f"one, {_REGISTERED} are registered: median of {_SINGLE}",
            statistics.median(single),
            "ms",
            TARGET_MS,
            detail=spread(single, 2),
        )
        last = statistics.quantiles(single, n=100, method="inclusive")[98]
        yield Figure("  99th percentile", last, "ms", detail=f"max {max(single):.2f}")
        with containers(_BURST, "burst") as burst:
            at_once = register(daemon, burst)
        yield Figure(f"{_BURST} at once: median", statistics.median(at_once), "ms", detail=f"max {max(at_once):.2f}")


def _one_by_one(daemon: Daemon) -> Iterator[float]:
    for number in range(_SINGLE):
        with container(f"single-{number}") as one:
            time.sleep(_PACE_S)  # paces the load; no event is awaited
            (took_ms,) = register(daemon, [one])
        yield took_ms
