# SPDX-License-Identifier: Apache-2.0
"""Pairs each call's entry with its exit, by thread, whatever lies between them: records become events.

Theory of operation. A thread is in at most one call, so the open calls are a table by thread::

    record      the thread's open call    event
    ENTER       any                       held back for one record; an older open call never returned
    EXIT        the one just held back    Call
    EXIT        fits                      Returned
    EXIT        none, or another          Returned, alone: its entry was lost, or never was (a child's clone)
    EXIT        none; registers in it     Call, which seccomp answered: the kernel asks seccomp before the call begins
    SIGNAL      any                       Signal
    SIGNAL_SENT any                       none yet: see `signal_records`
    SENDER, OOM any                       none: details of a SIGNAL that follows
    IGNORED     any                       Ignored
    TASK_EXIT   any                       TaskExit; an open call never returned

An exit fits if its number is the call's. Two exits fit with another number: rt_sigreturn's, which has none (-1), and
execve's, which may change the table. Any other exit also fits if nothing was lost since the call began: then a tracer
has changed the number in the registers during the call, and the kernel carried on with the original call. An execve in
a thread that does not lead its process returns in the leader's thread.

A request of io_uring is in flight beside its thread's call; `submitted` pairs its records. If the process is in an
io_uring_enter meanwhile, and no other event comes between, that call stays one event and its requests follow it.

A capability that was asked for belongs to its thread's open call. Where a call is kept by its return alone, the
question comes before it.

The function streams: memory grows with the calls in flight, not with the trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from functools import lru_cache
from itertools import tee
from struct import Struct
from typing import Final

from traceloop_decode import executed, layout, multiplexed
from traceloop_decode import requests as uring
from traceloop_decode.items import NO_ITEMS, Items, has_input, items_in, with_ended
from traceloop_decode.model import (
    LEFT,
    Asked,
    Call,
    Entered,
    Event,
    Ignored,
    Lost,
    Returned,
    Signal,
    TaskExit,
)
from traceloop_decode.multiplexed_calls import kernel_number
from traceloop_decode.ring_reader import Record
from traceloop_decode.signal_records import Details, ends, fault_of, is_killed, killing, next_of, receives, sent_by
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.submitted import Requests, first_item
from traceloop_decode.syscalls import EXECS, Abi, abis

_NONE: Final[frozenset[int]] = frozenset()
_NO_NUMBER: Final = -1
_SIGKILL: Final = 9
_NO_RESULT: Final = layout.NO_RESULT
_NAMES_MAX: Final = 4096
_EXECVE: Final = "execve"
_EXECVEAT: Final = "execveat"
_UNKNOWN_POINTERS: Final = (0, 0)  # to a program's name and arguments, which it has itself
_SUBMITS: Final = "io_uring_enter"
_INSIDE_MAX: Final = 1024
_RESTARTS: Final = frozenset(range(-516, -511))  # ERESTART_RESTARTBLOCK to ERESTARTSYS of include/linux/errno.h
_EXECUTES, _MULTIPLEXED = 1, 2  # kinds of calls
_MULTIPLEXERS: Final = frozenset(("socketcall", "ipc"))
_ASKED_MAX, _WAITING_MAX = 128, 4096
_Questions = tuple[int, tuple[Asked, ...]]
_Head = tuple[Abi, int, str, int, Callable[[bytes], tuple[int, ...]], int]


def paired(snapshot: Snapshot, records: Iterator[Record | Lost], lost_ns: float) -> Iterator[Event]:
    """Yields the events of one source's records, which are in the order of time.

    lost_ns: nothing is missing after this time.
    """
    open_calls: dict[int, Call] = {}
    execs: dict[int, int] = {}  # process -> the first of its threads that is, or was, in an execve
    fatal: dict[int, Record] = {}  # process -> the SIGNAL_SENT that ends it
    details = Details()
    begun_ns: dict[int, int] = {}  # thread -> when it last entered a call
    before: dict[int, _Questions] = {}  # thread -> what a call has asked for that is not known yet
    told: set[int] = set()  # processes whose end by a signal is an event already
    held: Call | None = None  # the last record, if it was an ENTER
    inside: list[Event] = []  # the requests that were submitted and completed since, if it is an io_uring_enter
    heads = _Heads(snapshot)
    calls = enters, exits = layout.TYPE_ENTER, layout.TYPE_EXIT
    wide = layout.NR_WIDE
    new = tuple.__new__  # Call() itself takes twice as long
    requests = Requests(snapshot.arch)
    ts_ns = 0
    (stream,) = tee(records, 1)  # a copy of it looks ahead
    for record in stream:
        if isinstance(record, Lost):
            lost_ns = max(lost_ns, ts_ns)
            if held is not None:
                yield new(Entered, (held,))
                yield from _taken(inside)
                held = None
            requests.forget()
            yield record
            continue
        ts_ns, cpu, pid, tid, comm, kind, nr, body = record
        if kind in calls:
            abi, number, name, size, unpack, executes = heads[kind, nr]
            if len(body) < size:
                continue
            if abi.requests:
                submitted, event = _request(requests, record, size)
                if held is not None and submitted is held:
                    yield event.call
                    held = None
                elif held is not None and held.name == _SUBMITS and held.pid == pid and len(inside) < _INSIDE_MAX:
                    last = inside[-1] if inside else None
                    if isinstance(last, Entered) and last.call is submitted:
                        inside[-1] = event.call
                    else:
                        inside.append(event)
                else:
                    if held is not None:
                        yield new(Entered, (held,))
                        yield from _taken(inside)
                    held = event.call if isinstance(event, Entered) else None
                    if held is None:
                        yield event
                continue
            words = unpack(body)
            if number == wide:
                number, words = words[0], words[1:]
                name = _name(number, abi)
            items = items_in(body, size) if len(body) > size else NO_ITEMS
        if kind == enters:
            if executes == _MULTIPLEXED:
                within = multiplexed.split(number, words, items)
                if within is not None:
                    number, name, words, items = within
            if held is not None:
                yield new(Entered, (held,))
                if inside:
                    yield from _taken(inside)
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
                False,
                None,
                False,
                "",
                _asked(before, tid, nr) if before else (),
            )
            held = open_calls[tid] = new(Call, begun)
            begun_ns[tid] = ts_ns
            if executes == _EXECUTES and not is_exec(open_calls.get(execs.get(pid, 0)), pid):
                execs[pid] = tid
            continue
        if kind == exits:
            result = words[0]
            call = open_calls.pop(tid, None)
            if call is None:
                call = _exec_of_another_thread(open_calls, execs, pid, tid, result) if execs else None
            elif number != call.number and not (_fits(call, number, result) or call.ts_ns > lost_ns):
                call = None
            unlearnt = result in _RESTARTS and not receives(tid, fatal.get(pid)) and ends(tid, copy(stream))
            if executes == _MULTIPLEXED:
                begun_call = call
                call, number, name, words, items = _within(call, number, name, words, items)
                result = words[0]
                if begun_call is held:
                    held = call
            if call is not None:
                if items:
                    if number != call.number and result == 0 and call.name == _EXECVEAT and name == _EXECVE:
                        items = executed.as_execveat(items)
                    items, again = with_ended(call.items, items)
                else:
                    items, again = call.items, _NONE
                if result == 0 and call.name in EXECS:
                    directory = _signed_int(call.registers[0]) if call.name == _EXECVEAT and call.registers else None
                    items = executed.arguments(items, directory)
                rest = (items, result, ts_ns, cpu, comm, False, None, again, unlearnt, None, False, "", call.asked)
                ended = new(Call, call[:9] + rest)
            elif result == _NO_RESULT or (words[1:] and number != _NO_NUMBER and begun_ns.get(tid, -1) > lost_ns):
                if held is not None:
                    yield new(Entered, (held,))
                    held = None
                yield _by_seccomp((ts_ns, cpu, pid, tid, comm, abi, number, name), words, items)
                continue
            else:
                registers = words[1:]
                if result == 0 and not registers and name == _EXECVE and (known := executed.alone(items)):
                    registers, items = _UNKNOWN_POINTERS, known
                alone = (ts_ns, cpu, pid, tid, comm, abi, number, name, registers, items)
                again = frozenset([index for index, its in items.items() if has_input(its)])
                asked = _asked(before, tid, nr) if before else ()
                outcome = (result, ts_ns, cpu, comm, True, None, again, unlearnt, None, False, "", asked)
                ended = new(Call, (*alone, *outcome))
            if held is not None:
                if call is held:
                    held = None
                    yield ended
                    if inside:
                        yield from _taken(inside)
                    continue
                yield new(Entered, (held,))
                if inside:
                    yield from _taken(inside)
                held = None
            yield new(Returned, (ended,))
            continue
        if kind == layout.TYPE_CAPABILITY:
            if len(body) >= layout.CAPABILITY.size:
                call = _with_question(open_calls.get(tid), before, record)
                if call is not None:
                    held = call if held is open_calls[tid] else held
                    open_calls[tid] = call
            continue
        if kind == layout.TYPE_SIGNAL_SENT:
            if len(body) >= layout.SIGNAL_SENT.size:
                fatal[pid] = record
            continue
        if kind in details.kinds:
            details.add(record)
            continue
        if kind == layout.TYPE_SIGNAL and nr == _SIGKILL and (pid not in fatal or fatal[pid].tid != tid):
            if pid in fatal or pid in told or not is_killed(next_of(tid, copy(stream))):
                continue
            told.add(pid)
        if held is not None:
            yield Entered(held)
            yield from _taken(inside)
            held = None
        if kind == layout.TYPE_LEFT:
            lost_ns = ts_ns
            yield Lost(ts_ns, cpu, 0, 0, LEFT)
        elif kind == layout.TYPE_TASK_EXIT:
            open_calls.pop(tid, None)
            begun_ns.pop(tid, None)
            before.pop(tid, None)
            if len(body) >= layout.TASK_EXIT.size:
                code, group_dead = layout.TASK_EXIT.unpack_from(body)
                if group_dead and pid in fatal:
                    yield killing(fatal.pop(pid), record, details)
                if group_dead:
                    told.discard(pid)
                    details.forget(pid)
                by = execs.get(pid, 0) if tid == pid else 0
                if by and not is_exec(open_calls.get(by), pid):
                    by = 0
                oom = bool(group_dead & layout.OUT_OF_MEMORY)
                yield TaskExit(ts_ns, cpu, pid, tid, comm, code, bool(group_dead), by, out_of_memory=oom)
        elif kind == layout.TYPE_SIGNAL_IGNORED:
            if len(body) >= layout.SIGNAL_SENT.size:
                siginfo, sender = sent_by(body)
                yield Ignored(ts_ns, cpu, pid, tid, comm, nr, siginfo, sender)
        elif len(body) >= layout.SIGNAL.size:
            if nr == _SIGKILL and pid in fatal:
                told.add(pid)
                yield killing(fatal.pop(pid), record, details)
            else:
                siginfo, handler, flags = layout.SIGNAL.unpack_from(body)
                memory = details.memory(pid) if nr == _SIGKILL else ()
                more = details.sender(pid, nr, siginfo), "", memory, fault_of(body)
                yield Signal(ts_ns, cpu, pid, tid, comm, nr, siginfo, handler, flags, *more)
    if held is not None:
        yield Entered(held)
        yield from _taken(inside)
    for sent in fatal.values():  # the processes had not received the signal yet
        yield killing(sent, sent, details)


def _by_seccomp(begun: tuple[int, int, int, int, str, Abi, int, str], words: tuple[int, ...], items: Items) -> Call:
    # A call without arguments has a register in its record all the same. An error or a value may come from another
    # process, which read the arguments before they were read here.
    ts_ns, cpu, _, _, comm, abi, number, _ = begun
    result, *registers = words
    syscall = abi.lookup(number)
    count = len(syscall.params) if syscall is not None and syscall.known else len(registers)
    called = Call(*begun, tuple(registers[:count]), items, None, ts_ns, cpu, comm, by_seccomp=True)
    if result == _NO_RESULT:
        return called
    again = frozenset(index for index, its in items.items() if has_input(its))
    return called._replace(result=result, read_at_exit=again)


def _with_question(call: Call | None, before: dict[int, _Questions], record: Record) -> Call | None:
    # The thread's open call with what it asked for; None if it is another's than the open one.
    number, granted = layout.CAPABILITY.unpack_from(record.body)
    asked, nr, compat = Asked(number, granted != 0), record.nr & layout.NR_MASK, record.nr & layout.NR_COMPAT != 0
    if call is not None and (kernel_number(call.number), call.compat) == (nr, compat):
        return (
            call if asked in call.asked or len(call.asked) >= _ASKED_MAX else call._replace(asked=(*call.asked, asked))
        )
    key, earlier = before.get(record.tid, (0, ()))
    if key != _kind_of(record.nr):
        earlier = ()
    if len(earlier) < _ASKED_MAX and len(before) < _WAITING_MAX:
        before[record.tid] = _kind_of(record.nr), (*earlier, asked)
    return None


def _kind_of(nr: int) -> int:
    return nr & (layout.NR_MASK | layout.NR_COMPAT)


def _asked(before: dict[int, _Questions], tid: int, nr: int) -> tuple[Asked, ...]:
    # What a thread's call asked for before it was known.
    kind, asked = before.pop(tid, (0, ()))
    return asked if kind == _kind_of(nr) else ()


def _request(requests: Requests, record: Record, size: int) -> tuple[Call | None, Entered | Returned]:
    # The event of a request's record, and the request as it was submitted if this is its completion. size: of the body
    # before its items.
    items = items_in(record.body, size)
    if record.type == layout.TYPE_ENTER:
        return None, Entered(requests.submitted(record, items))
    call, begun = requests.completed(record, items)
    return begun, Returned(call)


def _taken(inside: list[Event]) -> list[Event]:
    taken = inside[:]
    inside.clear()
    return taken


@lru_cache(maxsize=_NAMES_MAX)  # programs may call any number
def _name(number: int, abi: Abi) -> str:
    return abi.call_name(number)


def _exec_of_another_thread(
    open_calls: dict[int, Call], execs: dict[int, int], pid: int, tid: int, result: int
) -> Call | None:
    # A successful execve ended the leader and made its caller the leader.
    if tid != pid or result != 0 or pid not in execs:
        return None
    other = execs.pop(pid)
    return open_calls.pop(other) if is_exec(open_calls.get(other), pid) else None


def is_exec(call: Call | None, pid: int) -> bool:
    """Tells whether a call is an execve by a thread of this process."""
    return call is not None and call.pid == pid and call.name in EXECS


def _signed_int(register: int) -> int:
    return (register & 0xFFFFFFFF ^ 0x80000000) - 0x80000000


def _within(
    call: Call | None, number: int, name: str, words: tuple[int, ...], items: Items
) -> tuple[Call | None, int, str, tuple[int, ...], Items]:
    # Of the end of a socketcall or ipc: the call within, with its result first among the words.
    if call is not None and call.number != number and kernel_number(call.number) != number:
        return call, number, name, words, items  # it began under another number
    if call is not None and call.number != number:  # its entry said which
        result = multiplexed.result_of(call.number, items, words[0])
        return call, number, name, (result, *words[1:]), multiplexed.placed(call.number, items)
    registers = call.registers if call is not None else words[1:]
    found = multiplexed.split(number, registers, items)  # the array could not be read before, or there was no entry
    if found is None:
        return call, number, name, words, items
    result = multiplexed.result_of(found.number, items, words[0])
    if call is not None:
        call = call._replace(
            number=found.number,
            name=found.name,
            registers=found.registers,
            items=multiplexed.placed(found.number, call.items),
        )
    return call, found.number, found.name, (result, *found.registers), found.items


def _fits(call: Call, number: int, result: int) -> bool:
    if number == kernel_number(call.number):
        return True
    return number == _NO_NUMBER or (call.name in EXECS and result == 0)


def _no_words(_body: bytes) -> tuple[int, ...]:
    return ()


class _Heads(dict[tuple[int, int], _Head]):
    """Maps a record's type and nr to its call: table, number, name, size and parser of its words, is it an execve.

    The words precede the items: the number, if it does not fit into nr (NR_WIDE); an exit's result; registers (of an
    exit, if its entry may not exist).

    The last element is `_EXECUTES`, `_MULTIPLEXED` or 0.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._abis = abis(snapshot.arch, snapshot.syscalls)
        self._requests = uring.abi(snapshot.arch)

    def __missing__(self, key: tuple[int, int]) -> _Head:
        kind, nr = key
        if nr & layout.REQUEST == layout.REQUEST:
            self[key] = self._requests, 0, "", first_item(kind, nr), _no_words, 0
            return self[key]
        abi, number = self._abis[nr & layout.NR_COMPAT != 0], nr & layout.NR_MASK
        recorded = count = nr >> layout.NR_ARGS_SHIFT & layout.NR_ARGS_MASK
        if number in abi.later:  # unknown to the recorder, which then recorded as many registers as a call may have
            count = min(count, len(abi.later[number].params))
        signed = (number == layout.NR_WIDE) + (kind == layout.TYPE_EXIT)
        words = Struct(f"<{signed}q{count}Q{8 * (recorded - count)}x")
        name = _name(number, abi)
        kind_of_call = _EXECUTES if name in EXECS else _MULTIPLEXED if abi.within and name in _MULTIPLEXERS else 0
        self[key] = abi, number, name, words.size, words.unpack_from, kind_of_call
        return self[key]
