# SPDX-License-Identifier: Apache-2.0
"""Reads the records of signals: who sent one, what it did, and whether a thread ended by it.

A signal that ends a process without a core dump is recorded when it is sent; then each thread receives a SIGKILL
without details. The event has the details of the former and is placed where the latter reaches the thread that the
signal was sent to or, if that is not recorded, before the end of the process. Threads also receive such a SIGKILL when
their program exits, executes another one or dumps core: nobody sent it, and it is no event. If the record of the sent
signal is missing, one such SIGKILL per process is an event, provided that the thread ends by it.

An interrupted call is restarted, or fails with EINTR, or its thread is ended before it learns the result. The thread's
next record tells which, so up to `_AHEAD_MAX` following records are looked at first.

The record of who sent a signal from outside of the container comes before that of its delivery, and has the same
siginfo. Until then it is kept by process and number, as a signal may be blocked for long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain, islice, repeat, takewhile
from struct import Struct
from typing import Final

from traceloop_decode import layout
from traceloop_decode.model import Fault, Frame, Level, Lost, Sender, Signal
from traceloop_decode.ring_reader import Record

_SIGKILL: Final = 9
_OF_SENDERS: Final = (layout.TYPE_SENDER, layout.TYPE_OOM)
_KILL_SENT: Final = layout.TYPE_SIGNAL_SENT, _SIGKILL
_SENDERS_MAX: Final = 64
_LIMIT_MAX: Final = 1 << 62  # PAGE_COUNTER_MAX of include/linux/page_counter.h, in bytes, is near 2^63
_NEGATIVE: Final = 1 << 63
_BY_BUILD_ID: Final = 1  # enum bpf_stack_build_id_status of linux/bpf.h
_ADDRESS: Final = Struct("<Q")
_NO_PLACE: Final = 0, b"", 0
_AHEAD_MAX: Final = 512
_BY_PROCESSES: Final = (0, -1, -6)  # SI_USER, SI_QUEUE, SI_TKILL: with other codes the kernel is the sender, or nobody


class Details:
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
            its.setdefault(record.nr, deque(maxlen=_SENDERS_MAX)).append(sent_by(body))

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


def killing(sent: Record, at: Record, details: Details) -> Signal:
    """Returns a signal with the details of its sending and without a handler, at the record where it took effect."""
    siginfo, sender = sent_by(sent.body)
    code = int.from_bytes(siginfo[8:12], "little", signed=True)
    by = sender if code in _BY_PROCESSES else None
    memory = details.memory(at.pid) if sent.nr == _SIGKILL else ()
    fault = fault_of(at.body) if at.type == layout.TYPE_SIGNAL else None
    return Signal(at.ts_ns, at.cpu, at.pid, at.tid, at.comm, sent.nr, siginfo, 0, 0, by, "", memory, fault)


def sent_by(body: bytes) -> tuple[bytes, Sender]:
    """Returns siginfo and sender of a struct tl_signal_sent without its header."""
    siginfo, pid, _, comm = layout.SIGNAL_SENT.unpack_from(body)
    return siginfo, Sender(pid, comm.partition(b"\0")[0].decode("utf-8", "backslashreplace"))


def fault_of(body: bytes) -> Fault | None:
    """Returns where a thread was when it made a signal of its own; None if the TL_SIGNAL does not say it."""
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


def _level(usage_bytes: int, limit_bytes: int) -> Level:
    return Level(usage_bytes, limit_bytes if limit_bytes < _LIMIT_MAX else None)


def receives(tid: int, sent: Record | None) -> bool:
    """Returns whether a thread is told of another signal than SIGKILL. A tracer sees its call return first."""
    return sent is not None and sent.tid == tid and sent.nr != _SIGKILL


def ends(tid: int, following: Iterator[Record | Lost]) -> bool:
    """Returns whether a thread's end comes next, or what leads to it.

    The kernel wakes a thread before it tells of the signal (__send_signal_locked of kernel/signal.c), so what another
    CPU recorded of the sender may come after the return.
    """
    record = next_of(tid, following)
    while record is not None and (record.type in _OF_SENDERS or (record.type, record.nr) == _KILL_SENT):
        record = next_of(tid, following)
    return record is not None and (
        record.type == layout.TYPE_TASK_EXIT or (record.type == layout.TYPE_SIGNAL and record.nr == _SIGKILL)
    )


def is_killed(record: Record | None) -> bool:
    """Returns whether it is the end of a thread whose process SIGKILL ended."""
    if record is None or record.type != layout.TYPE_TASK_EXIT or len(record.body) < layout.TASK_EXIT.size:
        return False
    return bool(layout.TASK_EXIT.unpack_from(record.body)[0] == _SIGKILL)


def next_of(tid: int, following: Iterator[Record | Lost]) -> Record | None:
    """Returns the next record of a thread, if it is among the next ones."""
    for record in islice(following, _AHEAD_MAX):
        if not isinstance(record, Lost) and record.tid == tid and record.type != layout.TYPE_CAPABILITY:
            return record
    return None
