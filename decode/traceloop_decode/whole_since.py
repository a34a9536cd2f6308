# SPDX-License-Identifier: Apache-2.0
"""Finds from when on a ring has the records of all CPUs: before that, those of some CPU were overwritten.

CPUs write into chunks of their own, so the oldest chunk that is left of one may begin later than that of another. What
it wrote before is missing until then. But a CPU leaves its chunk when the ring's head is half a lap away from it
(reserve() of writer.bpf.h), so nothing is missing since the head was half a lap beyond what is gone.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Final

from traceloop_decode import layout
from traceloop_decode.ring_reader import RingReader
from traceloop_decode.snapshot import Snapshot

_PREFIX: Final = layout.CHUNK.size + layout.BASE.size


def whole_since_ns(snapshot: Snapshot) -> int:
    """Returns the time of the first record after which nothing was overwritten; 0 if there is no record."""
    ring, size = RingReader(snapshot), snapshot.ring_size
    times: list[tuple[int, ...]] = []  # where each chunk begins, and the time of its first record
    oldest: dict[int, tuple[int, int]] = {}  # CPU -> time of its oldest chunk, and how many records it wrote before
    for start, limit in sorted(ring.chunks()):
        if limit - start < _PREFIX:
            continue
        _, _, _, _, _, records, _, cpu, _ = layout.CHUNK.unpack_from(snapshot.data, start % size)
        begun_ns = layout.BASE.unpack_from(snapshot.data, (start + layout.CHUNK.size) % size)[5]
        times.append((start, begun_ns))
        oldest.setdefault(cpu, (begun_ns, records))
    if not times:
        return 0
    lap = size // 2 + snapshot.chunk_size

    def left_ns(pos: int) -> float:
        # By when a CPU that had written there, where all is overwritten, wrote elsewhere.
        after = bisect_left(times, (pos + lap,))
        return times[after][1] if after < len(times) else math.inf

    half_ns = left_ns(times[0][0])
    holes = [min(begun_ns, half_ns) for begun_ns, records in oldest.values() if records]
    gone = [left_ns(cpu.pos) for number, cpu in enumerate(ring.headers.cpus) if cpu.records and number not in oldest]
    return int(max([times[0][1], *holes, *(until_ns for until_ns in gone if until_ns < math.inf)]))
