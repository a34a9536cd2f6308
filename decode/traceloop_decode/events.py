# SPDX-License-Identifier: Apache-2.0
"""Records -> events: pairs each call's entry with its exit, by thread, whatever came between.

Theory of operation. A thread is in at most one call, so the open calls are a table by thread::

    record      the thread's open call    event
    ENTER       any                       held back for one record; an older open call never returned
    EXIT        the one just held back    Call
    EXIT        fits                      Returned
    EXIT        none, or another          Returned, alone: its entry was lost, or never was (a child's clone, seccomp)
    SIGNAL      any                       Signal
    TASK_EXIT   any                       TaskExit; an open call never returned

An exit fits by its number. Two fit although their numbers differ: rt_sigreturn, whose exit has none (-1), and execve,
which may change the table. An execve in a thread that is not its process's leader returns in the leader's thread.

Streaming: memory holds the calls in flight, not the trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from struct import Struct
from typing import Final, NamedTuple

from traceloop_decode import layout
from traceloop_decode.model import Arg, Call, Entered, Event, Item, Lost, Returned, Signal, TaskExit
from traceloop_decode.ring import Record, Ring
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import call_name, lookup

_NO_NUMBER: Final = -1
_EXEC: Final = frozenset(("execve", "execveat"))
_SIGNED: Final = Struct("<q")
_REGISTERS: Final = tuple(Struct(f"<{count}Q") for count in range(layout.NR_ARGS_MASK + 1))


class _Body(NamedTuple):
    """What an ENTER or EXIT says: EXIT alone has a result, and registers only where its entry may not exist."""

    number: int
    result: int
    registers: tuple[int, ...]
    items: dict[int, tuple[Item, ...]]


def events(snapshot: Snapshot) -> Iterator[Event]:
    """The events of a snapshot in the order of time. Total: damaged bytes give fewer events, and Lost ones."""
    open_calls: dict[int, Call] = {}
    held: Call | None = None  # the last record, if it was an ENTER
    for record in Ring(snapshot).records():
        if isinstance(record, Lost):
            if held is not None:
                yield Entered(held)
                held = None
            yield record
            continue
        if record.type == layout.TYPE_EXIT:
            body = _parse(record)
            call = _take(open_calls, record, body)
            if call is None:
                call = _build(record, body, entry_lost=True)
            ended = _end(call, record, body)
            if held is not None and call is held:
                held = None
                yield ended
                continue
            if held is not None:
                yield Entered(held)
                held = None
            yield Returned(ended)
            continue
        if held is not None:
            yield Entered(held)
            held = None
        if record.type == layout.TYPE_ENTER:
            held = open_calls[record.tid] = _build(record, _parse(record))
        elif record.type == layout.TYPE_TASK_EXIT:
            open_calls.pop(record.tid, None)
            if len(record.body) >= layout.TASK_EXIT.size:
                code, group_dead = layout.TASK_EXIT.unpack_from(record.body)
                yield TaskExit(*_where(record), code, bool(group_dead))
        elif len(record.body) >= layout.SIGNAL.size:
            yield Signal(*_where(record), record.nr, *layout.SIGNAL.unpack_from(record.body))
    if held is not None:
        yield Entered(held)


def _where(record: Record) -> tuple[int, int, int, int, str]:
    return record.ts_ns, record.cpu, record.pid, record.tid, record.comm


def _take(open_calls: dict[int, Call], record: Record, body: _Body) -> Call | None:
    call = open_calls.pop(record.tid, None)
    if call is not None:
        return call if _fits(call, body) else None
    if record.tid == record.pid:  # execve has ended the leader, and made its caller the leader
        for tid, other in open_calls.items():
            if other.pid == record.pid and other.name in _EXEC and body.result == 0:
                return open_calls.pop(tid)
    return None


def _fits(call: Call, body: _Body) -> bool:
    return body.number in (call.number, _NO_NUMBER) or (call.name in _EXEC and body.result == 0)


def _end(call: Call, record: Record, body: _Body) -> Call:
    args = call.args
    if body.items and not call.entry_lost:
        args = tuple(_merge(arg, body.items[n]) if n in body.items else arg for n, arg in enumerate(args))
    return replace(call, args=args, result=body.result, end_ns=record.ts_ns, end_cpu=record.cpu, end_comm=record.comm)


def _merge(arg: Arg, items: tuple[Item, ...]) -> Arg:
    # What was read again replaces what could not be read at entry, and that alone: memory may have changed since.
    # Output comes behind input.
    again, output = (tuple(item for item in items if item.out is out) for out in (False, True))
    readable = arg.items and not any(item.fault for item in arg.items)
    return replace(arg, items=(arg.items if readable else again or arg.items) + output)


def _build(record: Record, body: _Body, *, entry_lost: bool = False) -> Call:
    compat = bool(record.nr & layout.NR_COMPAT)
    syscall = lookup(body.number, compat)
    params = syscall.params if syscall is not None else ()
    args = tuple(
        Arg(
            params[n].name if n < len(params) else f"arg{n}",
            params[n].ctype if n < len(params) else "unsigned long",
            register,
            body.items.get(n, ()),
        )
        for n, register in enumerate(body.registers)
    )
    name = syscall.name if syscall is not None else call_name(body.number, compat)
    return Call(*_where(record), compat, body.number, name, args, entry_lost=entry_lost)


def _parse(record: Record) -> _Body:
    body, at = record.body, 0
    number = record.nr & layout.NR_MASK
    words = len(body) // 8
    if number == layout.NR_WIDE and words:
        (number,) = _SIGNED.unpack_from(body)
        at += 8
    result = 0
    if record.type == layout.TYPE_EXIT and at < words * 8:
        (result,) = _SIGNED.unpack_from(body, at)
        at += 8
    count = min(record.nr >> layout.NR_ARGS_SHIFT & layout.NR_ARGS_MASK, words - at // 8)
    registers = _REGISTERS[count].unpack_from(body, at)
    return _Body(number, result, registers, _items(body, at + 8 * count))


def _items(body: bytes, at: int) -> dict[int, tuple[Item, ...]]:
    items: dict[int, tuple[Item, ...]] = {}
    while at + layout.ITEM.size <= len(body):
        arg, kind, copied, size = layout.ITEM.unpack_from(body, at)
        at += layout.ITEM.size
        item = Item(
            sub=arg >> layout.ITEM_SUB_SHIFT,
            kind=kind & layout.KIND_MASK,
            data=body[at : at + copied],
            size=size,
            more=bool(kind & layout.ITEM_MORE),
            fault=bool(kind & layout.ITEM_FAULT),
            out=bool(kind & layout.ITEM_OUT),
        )
        index = arg & layout.ITEM_ARG_MASK
        items[index] = (*items.get(index, ()), item)
        at += copied + -copied % layout.POSITION_UNIT
    return items
