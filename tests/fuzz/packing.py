# SPDX-License-Identifier: Apache-2.0
"""Writes records into a new small ring, which the decoder accepts whatever they hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from ringwriter import RingWriter

from traceloop_decode import layout
from traceloop_decode.ring import Record
from traceloop_decode.snapshot import Snapshot

CHUNK_SIZE: Final = 1 << 11
_RING_SIZE: Final = 1 << 14
_BODY_MAX: Final = 1536


def pack(records: Iterable[Record], cpus: int) -> Snapshot:
    """A snapshot of these records, in this order; bodies are cut at 1.5 KiB, and padded."""
    ring = RingWriter(_RING_SIZE, CHUNK_SIZE, cpus)
    for record in records:
        known = record.pid, record.comm[:16]
        if ring.names.get(record.tid) != known:
            ring.name(record.tid, *known)
        body = record.body[:_BODY_MAX]
        body += bytes(-len(body) % layout.POSITION_UNIT)
        ring.record(record.cpu % cpus, record.tid, record.type, record.nr, body)
    snapshot = ring.snapshot()
    return replace(snapshot, headers=snapshot.headers[:2])
