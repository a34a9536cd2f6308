# SPDX-License-Identifier: Apache-2.0
"""Measures how long hooks wait while members of the group, who may only query, read traces as fast as they can."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

from lab import Daemon
from lab.members import LOOPING, admit, members, said_before_ready
from node import container, containers, register
from report import Figure, spread

from traceloop_proto import traceloop_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterator

MEDIAN_MS: Final = 50.0
LONGEST_MS: Final = 200.0
_HOOKS: Final = 60
_PROCESSES, _THREADS = 4, 8
_UIDS: Final = (65533, 65534)
_RING_MIB: Final = 8
_FULL: Final = 10_000  # reads, and as many writes: more than 1 MiB holds


def measure() -> Iterator[Figure | str]:
    """Yields milliseconds, measured on the hook's side."""
    config = f'node = "n"\n[ring]\nmax_size = "{_RING_MIB}M"\n'
    with Daemon(config=config) as daemon, containers(1, "full") as (full,):
        register(daemon, [full], **{"io.traceloop.ring-size": f"{_RING_MIB}M"})
        full.work(_RING_MIB * _FULL)
        admit(daemon)
        yield from _figures("nobody asks", _hooks(daemon))
        for method, request in (("Snapshot", pb.TraceRequest(id=full.id)), ("List", pb.ListRequest())):
            words = (str(_THREADS), method, request.SerializeToString().hex())
            with members(daemon, LOOPING, *words, count=_PROCESSES, uids=_UIDS) as asking:
                for one in asking:
                    said_before_ready(one)
                waited = _hooks(daemon)
            yield from _figures(f"{_PROCESSES * _THREADS} ask for {method}", waited)


def _hooks(daemon: Daemon) -> list[float]:
    waited = []
    for number in range(_HOOKS):
        with container(f"asked-{number}") as one:
            waited += register(daemon, [one])
    return waited


def _figures(name: str, waited_ms: list[float]) -> Iterator[Figure]:
    yield Figure(f"{name}: median", statistics.median(waited_ms), "ms", MEDIAN_MS, detail=spread(waited_ms, 2))
    yield Figure("  longest", max(waited_ms), "ms", LONGEST_MS)
