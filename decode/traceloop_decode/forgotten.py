# SPDX-License-Identifier: Apache-2.0
"""Tells which calls neither the ring nor the firsts hold: the totals, less the calls that are still there.

The totals count a call when it begins, and one that seccomp answers when it returns. A clone's return in the child is
no call of its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Final

from traceloop_decode import layout
from traceloop_decode.model import Call, Entered, Event, Lost, Returned
from traceloop_decode.multiplexed_calls import kernel_number
from traceloop_decode.ring_reader import RingReader
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import FORKS, abis
from traceloop_decode.totals import place_of

CALLS: Final = "overwritten_calls"
"""The reason of a `Lost` that counts by name the calls that were overwritten, in place of all CPUs."""
FIRSTS: Final = "overwritten_firsts"
"""The reason of a `Lost` in whose place calls that were new are missing: more were new than the area holds."""
RUNTIME: Final = "overwritten_runtime"
"""The reason of a `Lost` in whose place calls of the container's runtime are missing: its area holds the last ones."""
FIRSTS_DROPPED: Final = "dropped_firsts"
"""The reason of a `Lost` that counts calls that were new and for which there was no room."""
NO_CPU: Final = -1
_NUMBER: Final = Struct("<q")
_Key = tuple[bool, int]  # of the 32-bit table? and the place in the totals


def told(found: Iterator[Event], snapshot: Snapshot, kept: Iterable[Event]) -> Iterator[Event]:
    """Adds to the ring's events, before the first one, which calls were overwritten; moves earlier losses there.

    kept: the events of the areas that are shown beside the ring's.
    """
    losses: list[Lost] = []
    for event in found:
        if isinstance(event, Lost):
            losses.append(event)
            continue
        ts_ns = event.call.ts_ns if isinstance(event, Entered | Returned) else event.ts_ns
        yield from _placed(losses, ts_ns, snapshot, kept)
        yield event
        yield from found
        return
    yield from _placed(losses, snapshot.taken_ns, snapshot, kept)


def _placed(losses: list[Lost], ts_ns: int, snapshot: Snapshot, kept: Iterable[Event]) -> Iterator[Event]:
    if any(loss.reason == "overwritten" for loss in losses) and (calls := _missing(snapshot, kept)):
        yield Lost(ts_ns, NO_CPU, 0, 0, CALLS, tuple(calls.most_common()))
    for loss in losses:
        yield loss._replace(ts_ns=ts_ns)


def _missing(snapshot: Snapshot, kept: Iterable[Event]) -> Counter[str]:
    if snapshot.totals is None:
        return Counter()
    there = _in_ring(snapshot)
    for event in kept:
        call = event if isinstance(event, Call) else event.call if isinstance(event, Entered | Returned) else None
        if call is None or call.request is not None or (isinstance(event, Returned) and not call.entry_lost):
            continue
        if not _is_childs(call.name, call.result if call.entry_lost else None):
            there[call.compat, place_of(kernel_number(call.number))] += 1
    missing: Counter[str] = Counter()
    for compat, name, place, total in snapshot.totals.named(*abis(snapshot.arch, snapshot.syscalls)):
        if (count := total.calls - there[compat, place]) > 0:
            missing[name] += count
    return missing


def _in_ring(snapshot: Snapshot) -> Counter[_Key]:
    # The calls of which the ring has the entry or the return. For speed, entries are counted by their header's number.
    there: Counter[_Key] = Counter()
    entries: defaultdict[int, int] = defaultdict(int)
    begun: set[int] = set()  # threads in a call
    enters, exits, mask, wide, request = _KINDS
    for record in RingReader(snapshot).records():
        if isinstance(record, Lost):
            begun.clear()
            continue
        _, _, _, tid, _, kind, nr, body = record
        if nr & request == request:
            continue
        if kind == enters:
            begun.add(tid)
            if nr & mask == wide:
                there[_key(nr, body)] += 1
            else:
                entries[nr] += 1
        elif kind == exits:
            if tid in begun:
                begun.discard(tid)
            elif not _is_childs_return(snapshot, nr, body):
                there[_key(nr, body)] += 1
    for nr, count in entries.items():
        there[_key(nr, b"")] += count
    return there


_KINDS: Final = (layout.TYPE_ENTER, layout.TYPE_EXIT, layout.NR_MASK, layout.NR_WIDE, layout.REQUEST)


def _key(nr: int, body: bytes) -> _Key:
    number = nr & layout.NR_MASK
    if number == layout.NR_WIDE and len(body) >= _NUMBER.size:
        (number,) = _NUMBER.unpack_from(body)
    return nr & layout.NR_COMPAT != 0, place_of(number)


def _is_childs_return(snapshot: Snapshot, nr: int, body: bytes) -> bool:
    number = nr & layout.NR_MASK
    if number == layout.NR_WIDE or len(body) < _NUMBER.size:
        return False
    abi = abis(snapshot.arch, snapshot.syscalls)[nr & layout.NR_COMPAT != 0]
    return _is_childs(abi.call_name(number), *_NUMBER.unpack_from(body))


def _is_childs(name: str, result: int | None) -> bool:
    return result == 0 and name in FORKS
