# SPDX-License-Identifier: Apache-2.0
"""Cuts the middle out of a large ring, so that its beginning and its end are read in seconds.

The excerpt is a snapshot of its own: what was cut out is zero, which no reader takes for records, and the reader counts
it as lost.
"""

from __future__ import annotations

from dataclasses import replace

from traceloop_decode.ring_headers import Headers
from traceloop_decode.snapshot import Snapshot


def ends(snapshot: Snapshot, oldest: int, newest: int) -> Snapshot:
    """Returns the oldest and the newest bytes of a ring, in whole chunks. Both together are less than the ring."""
    head = Headers.parse(snapshot.headers[0], snapshot.cpus).head
    size, chunk, data, length = snapshot.ring_size, snapshot.chunk_size, snapshot.data, snapshot.ring_length
    first = max(0, head - size) // chunk * chunk
    read = ((first, first + oldest), (max(head - newest, 0), head))
    kept = {at % size for start, until in read for at in range(start // chunk * chunk, until, chunk)}
    pieces: list[bytes] = []
    end = 0
    for at in sorted(at for at in kept if at < length):
        pieces += bytes(at - end), data[at : min(at + chunk, length)]  # zeros that nobody has written take no memory
        end = min(at + chunk, length)
    pieces += bytes(length - end), data[length:]
    return replace(snapshot, data=b"".join(pieces))
