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
    SIGNAL_SENT any                       none yet: see below
    SENDER, OOM any                       none: details of a SIGNAL that follows
    IGNORED     any                       Ignored
    TASK_EXIT   any                       TaskExit; an open call never returned

An exit fits if its number is the call's. Two exits fit with another number: rt_sigreturn's, which has none (-1), and
execve's, which may change the table. Any other exit also fits if nothing was lost since the call began: then a tracer
has changed the number in the registers during the call, and the kernel carried on with the original call. An execve in
a thread that does not lead its process returns in the leader's thread.

A signal that ends a process without a core dump is recorded when it is sent; then each thread receives a SIGKILL
without details. The event has the details of the former and is placed where the latter reaches the thread that the
signal was sent to or, if that is not recorded, before the end of the process. Threads also receive such a SIGKILL when
their program exits, executes another one or dumps core: nobody sent it, and it is no event. If the record of the sent
signal is missing, one such SIGKILL per process is an event, provided that the thread ends by it.

An interrupted call is restarted, or fails with EINTR, or its thread is ended before it learns the result. The thread's
next record tells which, so up to `_AHEAD_MAX` following records are looked at first.

A request of io_uring is in flight beside its thread's call; `submitted` pairs its records. If the process is in an
io_uring_enter meanwhile, and no other event comes between, that call stays one event and its requests follow it.

The record of who sent a signal from outside of the container comes before that of its delivery, and has the same
siginfo. Until then it is kept by process and number, as a signal may be blocked for long.
A capability that was asked for belongs to its thread's open call. Where a call is kept by its return alone, the
question comes before it.

The function streams: memory grows with the calls in flight, not with the trace.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from copy import copy
from dataclasses import replace
from functools import lru_cache
from heapq import merge
from itertools import chain, islice, repeat, takewhile, tee
from operator import itemgetter
from struct import Struct
from typing import Any, Final

from traceloop_decode import executed, layout, multiplexed
from traceloop_decode import requests as uring
from traceloop_decode.areas import FIRSTS, RUNTIME, Area, Found, found_in, records_of, return_of
from traceloop_decode.forgotten import FIRSTS as FIRSTS_OVERWRITTEN
from traceloop_decode.forgotten import FIRSTS_DROPPED, NO_CPU, told
from traceloop_decode.forgotten import RUNTIME as RUNTIME_OVERWRITTEN
from traceloop_decode.model import (
    LEFT,
    NEWER,
    Asked,
    Call,
    Entered,
    Event,
    Fault,
    Frame,
    Ignored,
    Item,
    Level,
    Lost,
    Returned,
    Sender,
    Signal,
    TaskExit,
)
from traceloop_decode.multiplexed_calls import kernel_number
from traceloop_decode.ring_reader import NEWEST_TYPE, Record, RingReader
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.submitted import Requests, first_item
from traceloop_decode.syscalls import EXECS, Abi, abis

RING: Final = ""
"""The source of what the ring's data has; the others are named as their areas."""
SOURCES: Final = (RING, FIRSTS, RUNTIME)
_ts_ns: Final = itemgetter(0)
_NO_NUMBER: Final = -1
_NO_RESULT: Final = layout.NO_RESULT
_NAMES_MAX: Final = 4096
_EXECVE: Final = "execve"
_SIGRETURN: Final = "rt_sigreturn"
_EXECVEAT: Final = "execveat"
_UNKNOWN_POINTERS: Final = (0, 0)  # to a program's name and arguments, which it has itself
_SUBMITS: Final = "io_uring_enter"
_INSIDE_MAX: Final = 1024
_SIGKILL: Final = 9
_OF_SENDERS: Final = (layout.TYPE_SENDER, layout.TYPE_OOM)
_KILL_SENT: Final = layout.TYPE_SIGNAL_SENT, _SIGKILL
_SENDERS_MAX: Final = 64
_LIMIT_MAX: Final = 1 << 62  # PAGE_COUNTER_MAX of include/linux/page_counter.h, in bytes, is near 2^63
_NEGATIVE: Final = 1 << 63
_BY_BUILD_ID: Final = 1  # enum bpf_stack_build_id_status of linux/bpf.h
_ADDRESS: Final = Struct("<Q")
_NO_PLACE: Final = 0, b"", 0
_RESTARTS: Final = frozenset(range(-516, -511))  # ERESTART_RESTARTBLOCK to ERESTARTSYS of include/linux/errno.h
_AHEAD_MAX: Final = 512
_EXECUTES, _MULTIPLEXED = 1, 2  # kinds of calls
_MULTIPLEXERS: Final = frozenset(("socketcall", "ipc"))
_BY_PROCESSES: Final = (0, -1, -6)  # SI_USER, SI_QUEUE, SI_TKILL: with other codes the kernel is the sender, or nobody
_NO_ITEMS: Final[Mapping[int, tuple[Item, ...]]] = {}
_OUT: Final = Item._fields.index("out")
_NONE: Final[frozenset[int]] = frozenset()
_ASKED_MAX, _WAITING_MAX = 128, 4096
_Questions = tuple[int, tuple[Asked, ...]]
_Items = Mapping[int, tuple[Item, ...]]
_Head = tuple[Abi, int, str, int, Callable[[bytes], tuple[int, ...]], int]
_SUB_SHIFT, _ARG_MASK, _TAIL = layout.ITEM_SUB_SHIFT, layout.ITEM_ARG_MASK, layout.ITEM_TAIL  # locals of the module
_FLAGS: Final = tuple(
    (flags & layout.KIND_MASK, *(flags & bit != 0 for bit in (layout.ITEM_MORE, layout.ITEM_FAULT, layout.ITEM_OUT)))
    for flags in range(256)
)
"""An item's kind byte as recorded -> its kind, more, fault, out."""


def events(snapshot: Snapshot, sources: Collection[str] = SOURCES) -> Iterator[Event]:
    """Yields the events of a snapshot in the order of time. Total: damaged bytes give fewer events, and Lost ones.

    sources: where they are taken from (SOURCES). A call that several have is the ring's.
    """
    ring = RingReader(snapshot)
    apart = _apart(snapshot, ring, sources)
    by_name = {
        name: list(_with_source(name, _paired(snapshot, iter(sorted(records, key=_ts_ns)), 0)))
        for name, records in apart.items()
    }
    kept = list(by_name.values())
    if RING not in sources:
        return merge(*kept, key=_time_of)
    found = _paired(snapshot, ring.records(), ring.overwritten_until_ns())
    if not kept:
        return found
    return merge(*kept, told(found, snapshot, by_name.get(FIRSTS, ())), key=_time_of)  # the totals count no runtime's


def _apart(snapshot: Snapshot, ring: RingReader, sources: Collection[str]) -> dict[str, list[Record | Lost]]:
    # The records of each source beside the ring, without those that the ring still has. Of the runtime's calls the ring
    # itself has those before the program began.
    apart: dict[str, list[Record | Lost]] = {}
    if RUNTIME in sources:
        apart[RUNTIME] = [
            record._replace(ts_ns=ts_ns, type=kind, nr=nr, body=body)
            for record in ring.of_start()
            for ts_ns, kind, nr, body in return_of(record.ts_ns, record.nr, record.body)
        ]
    begin, since_ns = snapshot.ring_length, ring.begins_ns() if RING in sources else {}
    until_ns = ring.overwritten_until_ns() if RING in sources else math.inf
    for area in snapshot.areas:
        if area.name in sources:
            there = list(found_in(area, snapshot.data, begin, ring.headers.cookie))
            records: list[Record | Lost] = list(_losses(area, there, begin, snapshot.taken_ns, until_ns))
            if area.name == FIRSTS:
                there = [found for found in there if found.ts_ns < since_ns.get(found.cpu, math.inf)]
            records += _newer(there)
            records += [
                Record(ts_ns, found.cpu, found.pid, found.tid, found.comm, kind, nr, body)
                for found in there
                if found.type <= NEWEST_TYPE
                for ts_ns, kind, nr, body in records_of(found, snapshot.data)
            ]
            apart.setdefault(area.name, []).extend(records)
        begin += area.length
    return {name: records for name, records in apart.items() if records}


def _losses(area: Area, there: list[Found], begin: int, taken_ns: int, until_ns: float) -> Iterator[Lost]:
    # What an area does not have any more, between what is never overwritten and the rest, or never had. until_ns: the
    # ring has all firsts after this time.
    first = max((found.ts_ns for found in there if found.at - begin < area.kept), default=0)
    if area.limit > area.size and (area.name != FIRSTS or first < until_ns):
        rest = (found.ts_ns for found in there if found.at - begin >= area.kept)
        reason = FIRSTS_OVERWRITTEN if area.name == FIRSTS else RUNTIME_OVERWRITTEN
        yield Lost(min(rest, default=taken_ns), NO_CPU, 0, 0, reason)
    if area.dropped and area.name == FIRSTS and until_ns:
        yield Lost(taken_ns, NO_CPU, 0, area.dropped, FIRSTS_DROPPED)


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
    return {"number": number, "name": _name(number, abi), "registers": (), "items": _NO_ITEMS}


def _time_of(event: Event) -> int:
    # By when it is shown: a call that returned later is shown by the time of its return.
    if isinstance(event, Returned):
        return event.call.end_ns or event.call.ts_ns
    return event.call.ts_ns if isinstance(event, Entered) else event.ts_ns


def _paired(snapshot: Snapshot, records: Iterator[Record | Lost], lost_ns: float) -> Iterator[Event]:
    # lost_ns: nothing is missing after this time.
    open_calls: dict[int, Call] = {}
    execs: dict[int, int] = {}  # process -> the first of its threads that is, or was, in an execve
    fatal: dict[int, Record] = {}  # process -> the SIGNAL_SENT that ends it
    details = _Details()
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
            items = _items(body, size) if len(body) > size else _NO_ITEMS
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
            unlearnt = result in _RESTARTS and not _receives(tid, fatal.get(pid)) and _ends(tid, copy(stream))
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
                    items, again = _merge(call.items, items)
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
                again = frozenset([index for index, its in items.items() if _inputs(its)])
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
            if pid in fatal or pid in told or not _killed(_next(tid, copy(stream))):
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
                    yield _killing(fatal.pop(pid), record, details)
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
                siginfo, sender = _sent(body)
                yield Ignored(ts_ns, cpu, pid, tid, comm, nr, siginfo, sender)
        elif len(body) >= layout.SIGNAL.size:
            if nr == _SIGKILL and pid in fatal:
                told.add(pid)
                yield _killing(fatal.pop(pid), record, details)
            else:
                siginfo, handler, flags = layout.SIGNAL.unpack_from(body)
                memory = details.memory(pid) if nr == _SIGKILL else ()
                more = details.sender(pid, nr, siginfo), "", memory, _fault(body)
                yield Signal(ts_ns, cpu, pid, tid, comm, nr, siginfo, handler, flags, *more)
    if held is not None:
        yield Entered(held)
        yield from _taken(inside)
    for sent in fatal.values():  # the processes had not received the signal yet
        yield _killing(sent, sent, details)


class _Details:
    """Details of signals that are delivered later: who sent them, and the memory that was short."""

    kinds: Final = frozenset((layout.TYPE_SENDER, layout.TYPE_OOM))

    def __init__(self) -> None:
        self._senders: dict[int, dict[int, deque[tuple[bytes, Sender]]]] = {}  # by process and signal
        self._memory: dict[int, tuple[Level, ...]] = {}

    def add(self, record: Record) -> None:
        """Keeps a record of `kinds`."""
        pid, body = record.pid, record.body
        if record.type == layout.TYPE_OOM:
            whole = body[: len(body) - len(body) % layout.LEVEL.size]
            self._memory[pid] = tuple(_level(*pair) for pair in layout.LEVEL.iter_unpack(whole) if any(pair))
        elif len(body) >= layout.SIGNAL_SENT.size:
            its = self._senders.setdefault(pid, {})
            its.setdefault(record.nr, deque(maxlen=_SENDERS_MAX)).append(_sent(body))

    def sender(self, pid: int, number: int, siginfo: bytes) -> Sender | None:
        """Returns who sent a signal that is delivered now, if it was recorded."""
        sent = self._senders.get(pid, {}).get(number)
        while sent:
            said, sender = sent.popleft()
            if said == siginfo:
                return sender
        return None

    def memory(self, pid: int) -> tuple[Level, ...]:
        """Returns the memory of a process that the kernel chose to end, as a Signal has it."""
        return self._memory.get(pid, ())

    def forget(self, pid: int) -> None:
        """Drops the details of a process that has ended."""
        self._senders.pop(pid, None)
        self._memory.pop(pid, None)


def _level(usage_bytes: int, limit_bytes: int) -> Level:
    return Level(usage_bytes, limit_bytes if limit_bytes < _LIMIT_MAX else None)


def _sent(body: bytes) -> tuple[bytes, Sender]:
    siginfo, pid, _, comm = layout.SIGNAL_SENT.unpack_from(body)
    return siginfo, Sender(pid, comm.partition(b"\0")[0].decode("utf-8", "backslashreplace"))


def _fault(body: bytes) -> Fault | None:
    at = layout.SIGNAL.size
    if len(body) < at + layout.FAULT.size:
        return None
    ip, sp, trap, error_code, begin, end, packed = layout.FAULT.unpack_from(body, at)
    rest = body[at + layout.FAULT.size :]
    places = list(layout.STACK_FRAME.iter_unpack(rest[: len(rest) - len(rest) % layout.STACK_FRAME.size]))
    addresses = list(takewhile(bool, (one for (one,) in _ADDRESS.iter_unpack(packed)))) or [ip]
    stack = [
        # The kernel takes an address in front of a mapping for one in it, at a negative distance (find_vma in
        # kernel/bpf/stackmap.c).
        Frame(address, build_id.hex(), offset) if status == _BY_BUILD_ID and offset < _NEGATIVE else Frame(address)
        for address, (status, build_id, offset) in zip(addresses, chain(places, repeat(_NO_PLACE)), strict=False)
    ]
    return Fault(ip, sp, trap, error_code, (begin, end), tuple(stack))


def _by_seccomp(begun: tuple[int, int, int, int, str, Abi, int, str], words: tuple[int, ...], items: _Items) -> Call:
    # A call without arguments has a register in its record all the same. An error or a value may come from another
    # process, which read the arguments before they were read here.
    ts_ns, cpu, _, _, comm, abi, number, _ = begun
    result, *registers = words
    syscall = abi.lookup(number)
    count = len(syscall.params) if syscall is not None and syscall.known else len(registers)
    called = Call(*begun, tuple(registers[:count]), items, None, ts_ns, cpu, comm, by_seccomp=True)
    if result == _NO_RESULT:
        return called
    again = frozenset(index for index, its in items.items() if _inputs(its))
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
    items = _items(record.body, size)
    if record.type == layout.TYPE_ENTER:
        return None, Entered(requests.submitted(record, items))
    call, begun = requests.completed(record, items)
    return begun, Returned(call)


def _taken(inside: list[Event]) -> list[Event]:
    taken = inside[:]
    inside.clear()
    return taken


def _killing(sent: Record, at: Record, details: _Details) -> Signal:
    # The signal with the details of its sending and without a handler, at the record where it took effect.
    siginfo, sender = _sent(sent.body)
    code = int.from_bytes(siginfo[8:12], "little", signed=True)
    by = sender if code in _BY_PROCESSES else None
    memory = details.memory(at.pid) if sent.nr == _SIGKILL else ()
    return Signal(at.ts_ns, at.cpu, at.pid, at.tid, at.comm, sent.nr, siginfo, 0, 0, by, "", memory)


def _next(tid: int, following: Iterator[Record | Lost]) -> Record | None:
    for record in islice(following, _AHEAD_MAX):
        if not isinstance(record, Lost) and record.tid == tid and record.type != layout.TYPE_CAPABILITY:
            return record
    return None


def _receives(tid: int, sent: Record | None) -> bool:
    # Is the thread told of another signal than SIGKILL? A tracer sees its call return first.
    return sent is not None and sent.tid == tid and sent.nr != _SIGKILL


def _ends(tid: int, following: Iterator[Record | Lost]) -> bool:
    # Does the thread's end come next, or what leads to it? The kernel wakes a thread before it tells of the signal
    # (__send_signal_locked of kernel/signal.c), so what another CPU recorded of the sender may come after the return.
    record = _next(tid, following)
    while record is not None and (record.type in _OF_SENDERS or (record.type, record.nr) == _KILL_SENT):
        record = _next(tid, following)
    return record is not None and (
        record.type == layout.TYPE_TASK_EXIT or (record.type == layout.TYPE_SIGNAL and record.nr == _SIGKILL)
    )


def _killed(record: Record | None) -> bool:
    # Is it the end of a thread whose process SIGKILL ended?
    if record is None or record.type != layout.TYPE_TASK_EXIT or len(record.body) < layout.TASK_EXIT.size:
        return False
    return bool(layout.TASK_EXIT.unpack_from(record.body)[0] == _SIGKILL)


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
    call: Call | None, number: int, name: str, words: tuple[int, ...], items: _Items
) -> tuple[Call | None, int, str, tuple[int, ...], _Items]:
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


def _merge(begun: _Items, ended: _Items) -> tuple[_Items, frozenset[int]]:
    # Items read again at exit replace only items that faulted at entry, because the memory may have changed since. The
    # second result has the arguments with such replacements. Output follows input.
    merged, replaced = dict(begun), _NONE
    for index, items in ended.items():
        before = merged.get(index, ())
        if not before and len(items) == 1 and items[0][_OUT]:  # nearly always
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
    # Tells whether some of these items, read at an exit, are input.
    return any(not item.out and (item.data or not item.fault) for item in items)


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


def _with_end(begun: Item, end: Item) -> Item:
    # What follows `begun` in the memory that both are of; all of an end, or nothing of it, is known.
    if end.fault or begun.fault:
        return begun._replace(fault=True, tail=b"")
    tail = begun.tail + end.data
    if len(begun.data) + len(tail) == end.size:
        return begun._replace(data=begun.data + tail, size=end.size, more=False, tail=b"")
    return begun._replace(size=end.size, tail=tail)


def _items(body: bytes, at: int) -> dict[int, tuple[Item, ...]]:
    # Items by argument.
    items: dict[int, tuple[Item, ...]] = {}
    lists: dict[int, list[Item]] | None = None  # arguments with several items
    unpack, item_size, unit, size = layout.ITEM.unpack_from, layout.ITEM.size, layout.POSITION_UNIT, len(body)
    while at + item_size <= size:
        arg, flags, copied, length = unpack(body, at)
        at += item_size
        kind, more, fault, out = _FLAGS[flags]
        item = tuple.__new__(Item, (arg >> _SUB_SHIFT, kind, body[at : at + copied], length, more, fault, out, b""))
        index = arg & _ARG_MASK
        if flags & _TAIL and index in items:
            if lists is not None and index in lists:
                lists[index][-1] = _with_end(lists[index][-1], item)
            else:
                items[index] = (_with_end(items[index][0], item),)
        elif index not in items:
            items[index] = (item,)
        else:
            lists = lists or {}
            lists.setdefault(index, list(items[index])).append(item)
        at += copied + -copied % unit
    if lists is not None:
        items |= {index: tuple(found) for index, found in lists.items()}
    return items
