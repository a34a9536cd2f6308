# SPDX-License-Identifier: Apache-2.0
"""Makes the events of a snapshot, from all that a ring keeps: its data, and what is kept beside them (`areas`).

Each source's records are paired by themselves (`pairing`), and the events merged by time. Of a call that several
sources have, the ring's is taken.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import lru_cache
from heapq import merge
from operator import itemgetter
from typing import Any, Final

from traceloop_decode.areas import FIRSTS, RUNTIME, Area, Found, found_in, records_of, return_of
from traceloop_decode.forgotten import FIRSTS as FIRSTS_OVERWRITTEN
from traceloop_decode.forgotten import FIRSTS_DROPPED, NO_CPU, told
from traceloop_decode.forgotten import RUNTIME as RUNTIME_OVERWRITTEN
from traceloop_decode.items import NO_ITEMS
from traceloop_decode.model import (
    NEWER,
    Call,
    Entered,
    Event,
    Ignored,
    Lost,
    Returned,
    Signal,
    TaskExit,
)
from traceloop_decode.pairing import paired
from traceloop_decode.ring_reader import NEWEST_TYPE, Record, RingReader
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import Abi

RING: Final = ""
"""The source of what the ring's data has; the others are named as their areas."""
SOURCES: Final = (RING, FIRSTS, RUNTIME)
_ts_ns: Final = itemgetter(0)
_SIGRETURN: Final = "rt_sigreturn"
_NO_NUMBER: Final = -1


def events(snapshot: Snapshot, sources: Collection[str] = SOURCES) -> Iterator[Event]:
    """Yields the events of a snapshot in the order of time. Total: damaged bytes give fewer events, and Lost ones.

    sources: where they are taken from (SOURCES). A call that several have is the ring's.
    """
    ring = RingReader(snapshot)
    apart = _apart(snapshot, ring, sources)
    by_name = {
        name: list(_with_source(name, paired(snapshot, iter(sorted(records, key=_ts_ns)), 0)))
        for name, records in apart.items()
    }
    kept = list(by_name.values())
    if RING not in sources:
        return merge(*kept, key=_time_of)
    found = paired(snapshot, ring.records(), ring.overwritten_until_ns())
    if not kept:
        return found
    return merge(*kept, told(found, snapshot, by_name.get(FIRSTS, ())), key=_time_of)  # the totals count no runtime's


def _apart(snapshot: Snapshot, ring: RingReader, sources: Collection[str]) -> dict[str, list[Record | Lost]]:
    # The records of each source beside the ring, without those that the ring still has. Of the runtime's calls the ring
    # has those before the program began, the area of them the last ones.
    start = list(ring.of_start()) if RUNTIME in sources else []
    apart: dict[str, list[Record | Lost]] = {RUNTIME: _returns(start)}
    begin = snapshot.ring_length
    for area in snapshot.areas:
        if area.name in sources:
            there = list(found_in(area, snapshot.data, begin, ring.headers.cookie))
            if area.name == FIRSTS:
                losses, there = _of_firsts(area, there, begin, snapshot.taken_ns, ring if RING in sources else None)
            else:
                losses, there = _of_runtime(area, there, snapshot.taken_ns, start)
            records = [
                Record(ts_ns, found.cpu, found.pid, found.tid, found.comm, kind, nr, body)
                for found in there
                if found.type <= NEWEST_TYPE
                for ts_ns, kind, nr, body in records_of(found, snapshot.data)
            ]
            apart.setdefault(area.name, []).extend([*losses, *_newer(there), *records])
        begin += area.length
    return {name: records for name, records in apart.items() if records}


def _returns(start: list[Record]) -> list[Record | Lost]:
    return [
        record._replace(ts_ns=ts_ns, type=kind, nr=nr, body=body)
        for record in start
        for ts_ns, kind, nr, body in return_of(record.ts_ns, record.nr, record.body)
    ]


def _of_firsts(
    area: Area, there: list[Found], begin: int, taken_ns: int, ring: RingReader | None
) -> tuple[list[Lost], list[Found]]:
    # What the area does not have any more, between what is never overwritten and the rest, or never had; and what it
    # alone has. ring: if it is shown beside the area.
    until_ns, since_ns = (ring.overwritten_until_ns(), ring.begins_ns()) if ring is not None else (math.inf, {})
    losses = []
    first = max((found.ts_ns for found in there if found.at - begin < area.kept), default=0)
    if area.limit > area.size and first < until_ns:  # the ring has all firsts after that time
        rest = (found.ts_ns for found in there if found.at - begin >= area.kept)
        losses.append(Lost(min(rest, default=taken_ns), NO_CPU, 0, 0, FIRSTS_OVERWRITTEN))
    if area.dropped and until_ns:
        losses.append(Lost(taken_ns, NO_CPU, 0, area.dropped, FIRSTS_DROPPED))
    return losses, [found for found in there if found.ts_ns < since_ns.get(found.cpu, math.inf)]


def _of_runtime(area: Area, there: list[Found], taken_ns: int, start: list[Record]) -> tuple[list[Lost], list[Found]]:
    # Likewise. start: those calls that the ring has. What it has itself lost, it tells.
    in_ring = {(record.ts_ns, record.cpu, record.tid) for record in start}
    begins_ns = min((found.ts_ns for found in there), default=taken_ns)
    losses = []
    if area.limit > area.size and begins_ns > max((ts_ns for ts_ns, _, _ in in_ring), default=0):
        losses.append(Lost(begins_ns, NO_CPU, 0, 0, RUNTIME_OVERWRITTEN))
    return losses, [found for found in there if (found.ts_ns, found.cpu, found.tid) not in in_ring]


def _newer(there: list[Found]) -> Iterator[Lost]:
    by_cpu: dict[int, list[Found]] = {}
    for found in there:
        if found.type > NEWEST_TYPE:
            by_cpu.setdefault(found.cpu, []).append(found)
    return (Lost(newer[0].ts_ns, cpu, 0, len(newer), NEWER) for cpu, newer in by_cpu.items())


def _with_source(name: str, found: Iterator[Event]) -> Iterator[Event]:
    for event in found:
        if isinstance(event, Call):
            alone = name == RUNTIME and event.number == _NO_NUMBER  # by an rt_sigreturn all registers were replaced
            numbered = event if not alone else event._replace(**_sigreturn(event.abi))
            yield numbered._replace(source=name)
        elif isinstance(event, (Entered, Returned)):
            yield type(event)(event.call._replace(source=name))
        elif isinstance(event, (Signal, Ignored, TaskExit)):
            yield replace(event, source=name)
        else:
            yield event


@lru_cache
def _sigreturn(abi: Abi) -> dict[str, Any]:
    # The fields of a call that is one: those that are known.
    number = next((number for number, call in abi.table().items() if call.name == _SIGRETURN), _NO_NUMBER)
    return {"number": number, "name": abi.call_name(number), "registers": (), "items": NO_ITEMS}


def _time_of(event: Event) -> int:
    # By when it is shown: a call that returned later is shown by the time of its return.
    if isinstance(event, Returned):
        return event.call.end_ns or event.call.ts_ns
    return event.call.ts_ns if isinstance(event, Entered) else event.ts_ns
