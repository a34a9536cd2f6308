# SPDX-License-Identifier: Apache-2.0
"""Records -> events: pairs each call's entry with its exit, by thread, whatever came between.

Theory of operation. A thread is in at most one call, so the open calls are a table by thread::

    record      the thread's open call    event
    ENTER       any                       held back for one record; an older open call never returned
    EXIT        the one just held back    Call
    EXIT        fits                      Returned
    EXIT        none, or another          Returned, alone: its entry was lost, or never was (a child's clone, seccomp)
    SIGNAL      any                       Signal
    SIGNAL_SENT any                       none yet: see below
    TASK_EXIT   any                       TaskExit; an open call never returned

An exit fits by its number. Two fit although their numbers differ: rt_sigreturn, whose exit has none (-1), and execve,
which may change the table. An execve in a thread that is not its process's leader returns in the leader's thread.

A signal that ends a process without a core dump is recorded when it is sent; what is delivered then is a SIGKILL that
knows nothing, at every thread. The first is the event, in the place of the second at the thread that it was sent to;
where that never came, before the process's end.

Streaming: memory holds the calls in flight, not the trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from struct import Struct
from typing import Final

from traceloop_decode import layout
from traceloop_decode.model import Call, Entered, Event, Item, Lost, Returned, Sender, Signal, TaskExit
from traceloop_decode.ring import Record, Ring
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import Abi, abis

_NO_NUMBER: Final = -1
_EXEC: Final = frozenset(("execve", "execveat"))
_SIGKILL: Final = 9
_BY_PROCESSES: Final = (0, -1, -6)  # SI_USER, SI_QUEUE, SI_TKILL: others have no sender, or the kernel
_SIGNED: Final = Struct("<q")
_NO_ITEMS: Final[Mapping[int, tuple[Item, ...]]] = {}
_Items = Mapping[int, tuple[Item, ...]]
_SUB_SHIFT, _KIND_MASK = layout.ITEM_SUB_SHIFT, layout.KIND_MASK  # looked up less far
_MORE, _FAULT, _OUT = layout.ITEM_MORE, layout.ITEM_FAULT, layout.ITEM_OUT
_REGISTERS: Final = tuple(Struct(f"<{count}Q") for count in range(layout.NR_ARGS_MASK + 1))


def events(snapshot: Snapshot) -> Iterator[Event]:
    """The events of a snapshot in the order of time. Total: damaged bytes give fewer events, and Lost ones."""
    open_calls: dict[int, Call] = {}
    fatal: dict[int, Record] = {}  # process -> the SIGNAL_SENT that ends it
    held: Call | None = None  # the last record, if it was an ENTER
    later = snapshot.syscalls
    native, compat = abis(snapshot.arch, later)
    enters, exits, new = layout.TYPE_ENTER, layout.TYPE_EXIT, tuple.__new__  # Call() itself takes twice as long
    for record in Ring(snapshot).records():
        if isinstance(record, Lost):
            if held is not None:
                yield Entered(held)
                held = None
            yield record
            continue
        ts_ns, cpu, pid, tid, comm, kind, nr, body = record
        if kind == enters:
            if held is not None:
                yield Entered(held)
            number, _, registers, items = _parse(kind, nr, body)
            abi = compat if nr & layout.NR_COMPAT else native
            if later:
                registers = _own(registers, number, abi)
            begun = (ts_ns, cpu, pid, tid, comm, abi, number, _name(number, abi), registers, items)
            held = open_calls[tid] = new(Call, (*begun, None, None, None, None, False, None))
            continue
        if kind == exits:
            number, result, registers, items = _parse(kind, nr, body)
            call = open_calls.pop(tid, None)
            if call is None:
                call = _exec_of_another_thread(open_calls, pid, tid, result)
            elif number != call.number and not _fits(call, number, result):
                call = None
            if call is not None:
                items = _merge(call.items, items) if items else call.items
                if result == 0 and call.name in _EXEC:
                    items = {index: _executed(its) for index, its in items.items()}
                ended = new(Call, (*call[:9], items, result, ts_ns, cpu, comm, False, None))
            else:
                abi = compat if nr & layout.NR_COMPAT else native
                if later:
                    registers = _own(registers, number, abi)
                begun = (ts_ns, cpu, pid, tid, comm, abi, number, _name(number, abi), registers, items)
                ended = new(Call, (*begun, result, ts_ns, cpu, comm, True, None))
            if held is not None:
                if call is held:
                    held = None
                    yield ended
                    continue
                yield Entered(held)
                held = None
            yield Returned(ended)
            continue
        if kind == layout.TYPE_SIGNAL_SENT:
            if len(body) >= layout.SIGNAL_SENT.size:
                fatal[pid] = record
            continue
        if held is not None:
            yield Entered(held)
            held = None
        if kind == layout.TYPE_TASK_EXIT:
            open_calls.pop(tid, None)
            if len(body) >= layout.TASK_EXIT.size:
                code, group_dead = layout.TASK_EXIT.unpack_from(body)
                if group_dead and pid in fatal:
                    yield _killing(fatal.pop(pid), record)
                yield TaskExit(ts_ns, cpu, pid, tid, comm, code, bool(group_dead))
        elif len(body) >= layout.SIGNAL.size:
            if nr == _SIGKILL and pid in fatal and fatal[pid].tid == tid:
                yield _killing(fatal.pop(pid), record)
            else:
                yield Signal(ts_ns, cpu, pid, tid, comm, nr, *layout.SIGNAL.unpack_from(body))
    if held is not None:
        yield Entered(held)
    for sent in fatal.values():  # to processes that have not come to know it
        yield _killing(sent, sent)


def _killing(sent: Record, at: Record) -> Signal:
    # A signal without a handler, as it was sent, where it took effect.
    siginfo, pid, _, comm = layout.SIGNAL_SENT.unpack_from(sent.body)
    code = int.from_bytes(siginfo[8:12], "little", signed=True)
    sender = (
        Sender(pid, comm.partition(b"\0")[0].decode("utf-8", "backslashreplace")) if code in _BY_PROCESSES else None
    )
    return Signal(at.ts_ns, at.cpu, at.pid, at.tid, at.comm, sent.nr, siginfo, 0, 0, sender)


@cache
def _name(number: int, abi: Abi) -> str:
    return abi.call_name(number)


def _own(registers: tuple[int, ...], number: int, abi: Abi) -> tuple[int, ...]:
    # Of a call that the recorder did not know, it took as many registers as a call may have.
    return registers[: len(abi.later[number].params)] if number in abi.later else registers


def _exec_of_another_thread(open_calls: dict[int, Call], pid: int, tid: int, result: int) -> Call | None:
    # A successful execve has ended the leader, and made its caller the leader.
    if tid == pid and result == 0:
        for other, call in open_calls.items():
            if call.pid == pid and call.name in _EXEC:
                return open_calls.pop(other)
    return None


def _fits(call: Call, number: int, result: int) -> bool:
    return number == _NO_NUMBER or (call.name in _EXEC and result == 0)


def _merge(begun: _Items, ended: _Items) -> _Items:
    # What was read again replaces what could not be read at entry, and that alone: memory may have changed since.
    # Output comes behind input.
    merged = dict(begun)
    for index, items in ended.items():
        before = merged.get(index, ())
        if not before and len(items) == 1:  # as nearly always
            merged[index] = items
            continue
        again, output = (tuple(item for item in items if item.out is out) for out in (False, True))
        readable = before and not any(item.fault for item in before)
        merged[index] = (before if readable else again or before) + output
    return merged


def _executed(items: tuple[Item, ...]) -> tuple[Item, ...]:
    # The file's name or argv as execve was given it, or, where that could not be read, as the new program found it.
    begun = tuple(item for item in items if not item.out)
    found = next((item for item in items if item.out), None)
    if found is None or found.fault or not any(item.fault for item in begun):
        return begun
    if found.kind == layout.KIND_STRING:
        return (found._replace(out=False),)
    strings = found.data.split(b"\0")
    if not found.more:
        strings.pop()  # what stands behind the last NUL
    kept = found._replace(kind=layout.KIND_STRING, more=False, out=False)
    new = [kept._replace(sub=n, data=data, size=len(data)) for n, data in enumerate(strings)]
    if found.more and new:
        new[-1] = new[-1]._replace(more=True)
    return (*new, found._replace(sub=len(new), kind=layout.KIND_ARGV, data=b"", size=len(new), out=False))


def _parse(kind: int, nr: int, body: bytes) -> tuple[int, int, tuple[int, ...], _Items]:
    # Number, result (of an EXIT), registers (of an EXIT: where its entry may not exist), items by argument.
    number, at, size = nr & layout.NR_MASK, 0, len(body)
    if number == layout.NR_WIDE and size >= 8:
        (number,) = _SIGNED.unpack_from(body)
        at = 8
    result = 0
    if kind == layout.TYPE_EXIT and at + 8 <= size:
        (result,) = _SIGNED.unpack_from(body, at)
        at += 8
    count = nr >> layout.NR_ARGS_SHIFT & layout.NR_ARGS_MASK
    if count:
        count = min(count, (size - at) // 8)
        registers = _REGISTERS[count].unpack_from(body, at)
        at += 8 * count
    else:
        registers = ()
    if at + layout.ITEM.size > size:
        return number, result, registers, _NO_ITEMS
    items: dict[int, tuple[Item, ...]] = {}
    while at + layout.ITEM.size <= size:
        arg, flags, copied, length = layout.ITEM.unpack_from(body, at)
        at += layout.ITEM.size
        read = body[at : at + copied]
        item = tuple.__new__(
            Item,
            (
                arg >> _SUB_SHIFT,
                flags & _KIND_MASK,
                read,
                length,
                flags & _MORE != 0,
                flags & _FAULT != 0,
                flags & _OUT != 0,
            ),
        )
        index = arg & layout.ITEM_ARG_MASK
        items[index] = (*items[index], item) if index in items else (item,)
        at += copied + -copied % layout.POSITION_UNIT
    return number, result, registers, items
