# SPDX-License-Identifier: Apache-2.0
"""Cuts the middle out of a large ring, so that its beginning and its end are read in seconds.

The excerpt is a snapshot of its own: what was cut out is zero, which no reader takes for records, and the reader counts
it as lost.
"""

from __future__ import annotations

from dataclasses import replace

from traceloop_decode.ring_reader import Headers
from traceloop_decode.snapshot import Snapshot


def ends(snapshot: Snapshot, oldest: int, newest: int) -> Snapshot:
    """Returns the oldest and the newest bytes of a ring, in whole chunks. Both together are less than the ring."""
    head = Headers.parse(snapshot.headers[0], snapshot.cpus).head
    size, chunk, data = snapshot.ring_size, snapshot.chunk_size, snapshot.data
    kept = bytearray(len(data))
    first = max(0, head - size) // chunk * chunk
    for start, until in ((first, first + oldest), (max(head - newest, 0), head)):
        for position in range(start // chunk * chunk, until, chunk):
            at = position % size
            kept[at : at + chunk] = data[at : at + chunk]
    kept[snapshot.ring_length :] = data[snapshot.ring_length :]
    return replace(snapshot, data=bytes(kept))
