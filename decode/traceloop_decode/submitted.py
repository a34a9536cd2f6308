# SPDX-License-Identifier: Apache-2.0
"""Requests of io_uring: pairs the record of each submission with those of its completions.

Theory of operation. A submission and its completion name the same request, by a number that the kernel uses again once
the request is over. So the requests in flight are a table by that number::

    record                  the request in flight    result
    submission              any                      a new request; an older one of that number had no completion
    completion              there, same user_data    the request returned
    completion              none, or another         a request of which the submission was lost
    AGAIN, flags say more   of the same user_data    the request gave a result and goes on (multishot)
    AGAIN and LAST          of the same user_data    the request returned; the queue of completions was full
    AGAIN                   any                      a completion of no request: IORING_OP_MSG_RING

An AGAIN names no request, but an instance and user_data. A program can post such completions to itself, so they remove
no request from the table: its own completion still finds it. Where events are missing, all requests in flight are
forgotten: a number may have been used again there.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final

from traceloop_decode import layout
from traceloop_decode.model import CQE_F_MORE, FIXED_FILE, Call, Item, Request, TaskExit
from traceloop_decode.requests import ADDED, CLOSE, abi
from traceloop_decode.ring_reader import Record

_UNKNOWN: Final = "completion"
_REGISTERS: Final = tuple(Struct(f"<{count}Q") for count in range(8))


def first_item(kind: int, nr: int) -> int:
    """Returns where the items of a request's record begin in its body."""
    if kind == layout.TYPE_EXIT:
        return layout.REQUEST_DONE.size
    return layout.REQUEST_HEAD.size + _REGISTERS[_count(nr)].size


def _count(nr: int) -> int:
    return nr >> layout.REQUEST_ARGS_SHIFT & layout.NR_ARGS_MASK


class InFlight:
    """The calls and requests that have begun and not returned, in the order in which they began."""

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}
        self._requests: dict[int, set[int]] = {}  # process -> keys

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls.values())

    def __contains__(self, call: Call) -> bool:
        return self._calls.get(call.key) is call

    def put(self, call: Call) -> Call | None:
        """Adds one that begins; returns an older one of its thread, which never returned."""
        older = self._calls.pop(call.key, None)
        self._calls[call.key] = call
        if call.request is not None:
            self._requests.setdefault(call.pid, set()).add(call.key)
        return older

    def drop(self, call: Call) -> None:
        """Removes one that has returned."""
        self._calls.pop(call.key, None)
        if call.request is not None:
            self._requests.get(call.pid, set()).discard(call.key)

    def end(self, end: TaskExit) -> list[Call]:
        """Removes and returns what a thread's end leaves unfinished.

        These are its own call and, if it is the last thread of its process, the requests of that process.
        """
        keys = [end.tid, *sorted(self._requests.pop(end.pid, ()), reverse=True)] if end.group_dead else [end.tid]
        return [call for key in keys if (call := self._calls.pop(key, None)) is not None]


class Requests:
    """The requests in flight. arch: as in Snapshot."""

    def __init__(self, arch: str) -> None:
        self._abi = abi(arch)
        self._serial = 0
        self._open: dict[int, Call] = {}
        self._by_data: dict[tuple[int, int], Call] = {}

    def forget(self) -> None:
        """Forgets all requests in flight."""
        self._open.clear()
        self._by_data.clear()

    def submitted(self, record: Record, items: dict[int, tuple[Item, ...]]) -> Call:
        """Returns the request that a submission begins. record: of at least the size that `first_item` tells."""
        request, instance, user_data, flags, slot = layout.REQUEST_HEAD.unpack_from(record.body)
        words = _REGISTERS[_count(record.nr)].unpack_from(record.body, layout.REQUEST_HEAD.size)
        number = record.nr & layout.REQUEST_OPCODE_MASK
        refused = record.nr & layout.REQUEST_REFUSED != 0
        if number == CLOSE and slot:
            words, flags = (slot - 1,), flags | FIXED_FILE
        elif number in ADDED and not refused:
            at, added = ADDED[number]
            words = tuple(word & ~added if n == at else word for n, word in enumerate(words))
        call = self._call(record, number, words, items, self._new(user_data, flags, slot, refused=refused))
        self._open[request] = self._by_data[instance, user_data] = call
        return call

    def completed(self, record: Record, items: dict[int, tuple[Item, ...]]) -> tuple[Call, Call | None]:
        """Returns the request as a completion leaves it, and as it was submitted; None: that was lost."""
        request, instance, user_data, result, flags = layout.REQUEST_DONE.unpack_from(record.body)
        again = record.nr & layout.REQUEST_AGAIN != 0
        named = record.nr & layout.REQUEST_LAST or flags & CQE_F_MORE
        if again:
            begun = self._by_data.get((instance, user_data)) if named else None
        else:
            begun = self._open.pop(request, None)
        if begun is not None and begun.request is not None and begun.request.user_data != user_data:
            begun = None
        if begun is not None and not again and self._by_data.get((instance, user_data)) is begun:
            del self._by_data[instance, user_data]
        end = {"result": result, "end_ns": record.ts_ns, "end_cpu": record.cpu, "end_comm": record.comm}
        if begun is None or begun.request is None:
            number = -1 if again else record.nr & layout.REQUEST_OPCODE_MASK
            lost = self._new(user_data, completion=flags)
            return self._call(record, number, (), items, lost)._replace(entry_lost=True, **end), None
        merged = {**begun.items, **{index: begun.items.get(index, ()) + its for index, its in items.items()}}
        done = begun.request._replace(completion=flags)
        return begun._replace(items=merged, request=done, **end), begun

    def _new(
        self, user_data: int, flags: int = 0, slot: int = 0, *, refused: bool = False, completion: int = 0
    ) -> Request:
        self._serial += 1
        return Request(self._serial, user_data, flags, slot, refused, completion)

    def _call(
        self, record: Record, number: int, words: tuple[int, ...], items: dict[int, tuple[Item, ...]], request: Request
    ) -> Call:
        name = self._abi.call_name(number) if number >= 0 else _UNKNOWN
        head = record.ts_ns, record.cpu, record.pid, record.tid, record.comm
        return Call(*head, self._abi, number, name, words, items, request=request)
