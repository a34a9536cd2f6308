# SPDX-License-Identifier: Apache-2.0
"""Writes records into a new small ring that the decoder accepts, whatever the records contain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from ringwriter import RingWriter

from traceloop_decode import layout
from traceloop_decode.ring_reader import Record
from traceloop_decode.snapshot import Snapshot

CHUNK_SIZE: Final = 1 << 11
_RING_SIZE: Final = 1 << 14
_BODY_MAX: Final = 1536
_FIRSTS_SIZE: Final = 1 << 12


def pack(records: Iterable[Record], cpus: int, kept: Iterable[Record] = ()) -> Snapshot:
    """Returns a snapshot of these records, in this order; bodies are cut at 1.5 KiB, and padded.

    kept: the records of the area of firsts.
    """
    kept = list(kept)
    ring = RingWriter(_RING_SIZE, CHUNK_SIZE, cpus, firsts_size=_FIRSTS_SIZE if kept else 0)
    for record in kept:
        body = record.body[:_BODY_MAX]
        ring.names[record.tid] = record.pid, record.comm[:16]
        ring.keep(record.cpu, record.tid, record.type, record.nr, body + bytes(-len(body) % layout.POSITION_UNIT))
    for record in records:
        known = record.pid, record.comm[:16]
        if ring.names.get(record.tid) != known:
            ring.name(record.tid, *known)
        body = record.body[:_BODY_MAX]
        body += bytes(-len(body) % layout.POSITION_UNIT)
        ring.record(record.cpu % cpus, record.tid, record.type, record.nr, body)
    snapshot = ring.snapshot()
    return replace(snapshot, headers=snapshot.headers[:2])
