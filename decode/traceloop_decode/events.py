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
which may change the table. Any other also fits where nothing has been lost since the call began: a tracer has changed
the number in the registers in mid-call, and the kernel goes on with what was called. An execve in a thread that is not
its process's leader returns in the leader's thread.

A signal that ends a process without a core dump is recorded when it is sent; what is delivered then is a SIGKILL that
knows nothing, at every thread. The first is the event, in the place of the second at the thread that it was sent to;
where that never came, before the process's end.

Streaming: memory holds the calls in flight, not the trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from struct import Struct
from typing import Final

from traceloop_decode import layout
from traceloop_decode.model import Call, Entered, Event, Item, Lost, Returned, Sender, Signal, TaskExit
from traceloop_decode.ring import Record, Ring
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import Abi, abis

_NO_NUMBER: Final = -1
_NAMES_MAX: Final = 4096
_EXEC: Final = frozenset(("execve", "execveat"))
_SIGKILL: Final = 9
_BY_PROCESSES: Final = (0, -1, -6)  # SI_USER, SI_QUEUE, SI_TKILL: others have no sender, or the kernel
_NO_ITEMS: Final[Mapping[int, tuple[Item, ...]]] = {}
_OUT: Final = Item._fields.index("out")
_NONE: Final[frozenset[int]] = frozenset()
_Items = Mapping[int, tuple[Item, ...]]
_Head = tuple[Abi, int, str, int, Callable[[bytes], tuple[int, ...]], bool]
_SUB_SHIFT, _ARG_MASK = layout.ITEM_SUB_SHIFT, layout.ITEM_ARG_MASK  # looked up less far
_FLAGS: Final = tuple(
    (flags & layout.KIND_MASK, *(flags & bit != 0 for bit in (layout.ITEM_MORE, layout.ITEM_FAULT, layout.ITEM_OUT)))
    for flags in range(256)
)
"""An item's kind as recorded -> its kind, more, fault, out."""


def events(snapshot: Snapshot) -> Iterator[Event]:
    """The events of a snapshot in the order of time. Total: damaged bytes give fewer events, and Lost ones."""
    open_calls: dict[int, Call] = {}
    execs: dict[int, int] = {}  # process -> the first of its threads that are in an execve, or was
    fatal: dict[int, Record] = {}  # process -> the SIGNAL_SENT that ends it
    held: Call | None = None  # the last record, if it was an ENTER
    heads = _Heads(snapshot)
    calls = enters, exits = layout.TYPE_ENTER, layout.TYPE_EXIT
    wide = layout.NR_WIDE
    new = tuple.__new__  # Call() itself takes twice as long
    ring, ts_ns = Ring(snapshot), 0
    lost_ns = ring.overwritten_until_ns()  # nothing is missing behind this
    for record in ring.records():
        if isinstance(record, Lost):
            lost_ns = max(lost_ns, ts_ns)
            if held is not None:
                yield new(Entered, (held,))
                held = None
            yield record
            continue
        ts_ns, cpu, pid, tid, comm, kind, nr, body = record
        if kind in calls:
            abi, number, name, size, unpack, executes = heads[kind, nr]
            if len(body) < size:
                continue
            words = unpack(body)
            if number == wide:
                number, words = words[0], words[1:]
                name = _name(number, abi)
            items = _items(body, size) if len(body) > size else _NO_ITEMS
        if kind == enters:
            if held is not None:
                yield new(Entered, (held,))
            begun = (
                ts_ns,
                cpu,
                pid,
                tid,
                comm,
                abi,
                number,
                name,
                words,
                items,
                None,
                None,
                None,
                None,
                False,
                None,
                _NONE,
            )
            held = open_calls[tid] = new(Call, begun)
            if executes and not is_exec(open_calls.get(execs.get(pid, 0)), pid):
                execs[pid] = tid
            continue
        if kind == exits:
            result = words[0]
            call = open_calls.pop(tid, None)
            if call is None:
                call = _exec_of_another_thread(open_calls, execs, pid, tid, result) if execs else None
            elif number != call.number and not (_fits(call, number, result) or call.ts_ns > lost_ns):
                call = None
            if call is not None:
                if items:
                    items, again = _merge(call.items, items)
                else:
                    items, again = call.items, _NONE
                if result == 0 and call.name in _EXEC:
                    items = {index: _executed(its) for index, its in items.items()}
                ended = new(Call, call[:9] + (items, result, ts_ns, cpu, comm, False, None, again))  # noqa: RUF005 - faster
            else:
                alone = (ts_ns, cpu, pid, tid, comm, abi, number, name, words[1:], items)
                again = frozenset([index for index, its in items.items() if _inputs(its)])
                ended = new(Call, (*alone, result, ts_ns, cpu, comm, True, None, again))
            if held is not None:
                if call is held:
                    held = None
                    yield ended
                    continue
                yield new(Entered, (held,))
                held = None
            yield new(Returned, (ended,))
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


@lru_cache(maxsize=_NAMES_MAX)  # programs may call any number
def _name(number: int, abi: Abi) -> str:
    return abi.call_name(number)


def _exec_of_another_thread(
    open_calls: dict[int, Call], execs: dict[int, int], pid: int, tid: int, result: int
) -> Call | None:
    # A successful execve has ended the leader, and made its caller the leader.
    if tid != pid or result != 0 or pid not in execs:
        return None
    other = execs.pop(pid)
    return open_calls.pop(other) if is_exec(open_calls.get(other), pid) else None


def is_exec(call: Call | None, pid: int) -> bool:
    """Is it an execve of a thread of this process?"""
    return call is not None and call.pid == pid and call.name in _EXEC


def _fits(call: Call, number: int, result: int) -> bool:
    return number == _NO_NUMBER or (call.name in _EXEC and result == 0)


def _merge(begun: _Items, ended: _Items) -> tuple[_Items, frozenset[int]]:
    # What was read again replaces what could not be read at entry, and that alone: memory may have changed since. Where
    # it does is the second of the two. Output comes behind input.
    merged, replaced = dict(begun), _NONE
    for index, items in ended.items():
        before = merged.get(index, ())
        if not before and len(items) == 1 and items[0][_OUT]:  # as nearly always
            merged[index] = items
            continue
        again, output = (tuple(item for item in items if item.out is out) for out in (False, True))
        readable = before and not any(item.fault for item in before)
        if again and not readable:
            before = again
            replaced |= {index} if _inputs(again) else _NONE
        merged[index] = before + output
    return merged, replaced


def _inputs(items: tuple[Item, ...]) -> bool:
    # Is there something among them, read at an exit, that was there at entry?
    return any(not item.out and (item.data or not item.fault) for item in items)


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


class _Heads(dict[tuple[int, int], _Head]):
    """By a record's type and nr: its call's table, number and name; how many bytes are before its items, in what words.

    The last of it: is it an execve?

    The words: the number, where nr has none (NR_WIDE); of an exit the result; registers (of an exit, where its entry
    may not exist).
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._abis = abis(snapshot.arch, snapshot.syscalls)

    def __missing__(self, key: tuple[int, int]) -> _Head:
        kind, nr = key
        abi, number = self._abis[nr & layout.NR_COMPAT != 0], nr & layout.NR_MASK
        recorded = count = nr >> layout.NR_ARGS_SHIFT & layout.NR_ARGS_MASK
        if number in abi.later:  # not known to the recorder, which then took as many registers as a call may have
            count = min(count, len(abi.later[number].params))
        signed = (number == layout.NR_WIDE) + (kind == layout.TYPE_EXIT)
        words = Struct(f"<{signed}q{count}Q{8 * (recorded - count)}x")
        name = _name(number, abi)
        self[key] = abi, number, name, words.size, words.unpack_from, name in _EXEC
        return self[key]


def _items(body: bytes, at: int) -> dict[int, tuple[Item, ...]]:
    # By argument.
    items: dict[int, tuple[Item, ...]] = {}
    lists: dict[int, list[Item]] | None = None  # of those that have several
    unpack, item_size, unit, size = layout.ITEM.unpack_from, layout.ITEM.size, layout.POSITION_UNIT, len(body)
    while at + item_size <= size:
        arg, flags, copied, length = unpack(body, at)
        at += item_size
        kind, more, fault, out = _FLAGS[flags]
        item = tuple.__new__(Item, (arg >> _SUB_SHIFT, kind, body[at : at + copied], length, more, fault, out))
        index = arg & _ARG_MASK
        if index not in items:
            items[index] = (item,)
        else:
            lists = lists or {}
            lists.setdefault(index, list(items[index])).append(item)
        at += copied + -copied % unit
    if lists is not None:
        items |= {index: tuple(found) for index, found in lists.items()}
    return items
