# SPDX-License-Identifier: Apache-2.0
"""Entries and exits are paired into calls, by thread, whatever comes between them: on rings written in Python."""

from __future__ import annotations

from struct import pack

import pytest
from recorded_cgroups import entered, raw, returned
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.events import events
from traceloop_decode.model import (
    Call,
    Entered,
    Event,
    Frame,
    Ignored,
    Item,
    Lost,
    Returned,
    Sender,
    Signal,
    TaskExit,
)
from traceloop_decode.out_of_memory import short_level

READ, WRITE, RT_SIGRETURN, CLONE, EXECVE, EXIT, GETPPID, OPENAT = 0, 1, 15, 56, 59, 60, 110, 257
IA32_EXECVE = 11
STRING, BUFFER = layout.KIND_STRING, layout.KIND_BUFFER


def kinds(found: list[Event]) -> list[type]:
    return [type(event) for event in found]


def test_a_call_undisturbed() -> None:
    ring = RingWriter()
    ring.enter(0, 7, OPENAT, 0xFFFF_FF9C, 4096, 0, 0, items=item(1, STRING, b"/etc/passwd"))
    ring.exit(1, 7, OPENAT, 3)
    (call,) = events(ring.snapshot())
    assert isinstance(call, Call)
    assert (call.name, call.number, call.result, call.entry_lost, call.compat) == ("openat", OPENAT, 3, False, False)
    assert (call.ts_ns, call.end_ns, call.cpu, call.end_cpu) == (1_001_000, 1_002_000, 0, 1)
    assert (call.pid, call.tid, call.comm, call.end_comm) == (7, 7, "t7", "t7")
    assert [arg.name for arg in call.args] == ["dfd", "filename", "flags", "mode"]
    assert raw(call) == (0xFFFF_FF9C, 4096, 0, 0)
    path = Item(sub=0, kind=STRING, data=b"/etc/passwd", size=11, more=False, fault=False, out=False)
    assert [arg.items for arg in call.args] == [(), (path,), (), ()]


def test_threads_do_not_mix() -> None:
    ring = RingWriter()
    for tid in range(10, 20):
        ring.enter(tid % 2, tid, WRITE, tid, 0, 0)
    for tid in reversed(range(10, 20)):
        ring.exit(0, tid, WRITE, -tid)
    found = list(events(ring.snapshot()))
    # The last to enter is the first to return, with nothing in between.
    assert kinds(found) == [Entered] * 9 + [Call] + [Returned] * 9
    assert [(call.tid, call.args[0].raw, call.result) for call in returned(found)] == [
        (tid, tid, -tid) for tid in reversed(range(10, 20))
    ]
    assert [call.result for call in entered(found)[:9]] == [None] * 9


def test_what_stands_between_is_an_event() -> None:
    ring = RingWriter()
    ring.enter(0, 7, READ, 0, 0, 0)
    ring.signal(0, 7, 10)
    ring.exit(0, 7, READ, -4)
    assert kinds(list(events(ring.snapshot()))) == [Entered, Signal, Returned]


def test_output_stands_behind_input() -> None:
    ring = RingWriter()
    ring.enter(0, 7, 7, 1, 1, 0, items=item(0, BUFFER, b"in......"))
    ring.exit(0, 7, 7, 1, items=item(0, BUFFER, b"out.....", flags=layout.ITEM_OUT))
    (call,) = returned(events(ring.snapshot()))
    assert [(part.data, part.out) for part in call.args[0].items] == [(b"in......", False), (b"out.....", True)]


def test_read_again_at_exit_replaces_what_could_not_be_read() -> None:
    ring = RingWriter()
    items = item(0, STRING, b"", flags=layout.ITEM_FAULT) + item(1, STRING, b"second")
    ring.enter(0, 7, 82, 1, 2, items=items)
    ring.exit(0, 7, 82, 0, items=item(0, STRING, b"first"))
    (call,) = returned(events(ring.snapshot()))
    assert [[part.data for part in arg.items] for arg in call.args] == [[b"first"], [b"second"]]


def test_read_again_at_exit_does_not_replace_what_was_read() -> None:
    """Memory read at entry stays: a blocked call that failed is read again in case its entry is lost."""
    ring = RingWriter()
    ring.enter(0, 7, WRITE, 1, 2, 3, items=item(1, BUFFER, b"old"))
    ring.enter(0, 8, READ, 1, 2, 3)
    ring.exit(0, 7, WRITE, -32, 1, 2, 3, items=item(1, BUFFER, b"new"))
    assert [part.data for part in returned(events(ring.snapshot()))[0].args[1].items] == [b"old"]


def test_a_call_that_seccomp_answered() -> None:
    """An exit with arguments and without an entry, of a thread of which nothing is missing."""
    ring = RingWriter()
    ring.enter(0, 7, READ, 1, 2, 3)
    ring.exit(0, 7, READ, 0)
    ring.exit(1, 7, OPENAT, -1, 5, 6, 7, 8, items=item(1, STRING, b"/no"))
    ring.enter(0, 8, READ, 4, 5, 6)
    ring.exit(1, 7, GETPPID, 12, 9)
    refused, answered = (event for event in events(ring.snapshot()) if isinstance(event, Call) and event.by_seccomp)
    assert (refused.name, refused.result, refused.entry_lost, refused.read_at_exit) == ("openat", -1, False, {1})
    assert (raw(refused), refused.args[1].items[0].data) == ((5, 6, 7, 8), b"/no")
    assert (answered.name, answered.result, answered.args) == ("getppid", 12, ())


def test_a_call_that_seccomp_refused_without_a_result() -> None:
    """The kernel side knows that, whatever else is missing."""
    ring = RingWriter()
    ring.exit(0, 7, OPENAT, layout.NO_RESULT, 5, 6, 7, 8, items=item(1, STRING, b"/no"))
    ring.task_exit(0, 7, 31)
    refused, end = events(ring.snapshot())
    assert isinstance(refused, Call)
    assert isinstance(end, TaskExit)
    assert (refused.name, refused.result, refused.by_seccomp, raw(refused)) == ("openat", None, True, (5, 6, 7, 8))
    assert refused.read_at_exit == frozenset()


def test_a_call_that_may_have_been_in_flight_when_recording_began() -> None:
    ring = RingWriter()
    ring.exit(0, 7, READ, -4, 1, 2, 3)
    ring.enter(0, 7, READ, 1, 2, 3)
    ring.exit(0, 7, READ, -4, 1, 2, 3)
    first, second = returned(events(ring.snapshot()))
    assert (first.entry_lost, first.by_seccomp, raw(first)) == (True, False, (1, 2, 3))
    assert (second.entry_lost, second.by_seccomp) == (False, False)


def test_exit_alone() -> None:
    """An exit without an entry is a child's clone, or a call with arguments of a thread that was not seen before."""
    ring = RingWriter()
    ring.exit(0, 7, CLONE, 0)
    ring.exit(0, 7, OPENAT, -1, 5, 6, 7, 8, items=item(1, STRING, b"/no"))
    child, refused = events(ring.snapshot())
    assert isinstance(child, Returned)
    assert isinstance(refused, Returned)
    assert (child.call.name, child.call.result, child.call.args, child.call.entry_lost) == ("clone", 0, (), True)
    assert (refused.call.name, refused.call.result, refused.call.entry_lost) == ("openat", -1, True)
    assert raw(refused.call) == (5, 6, 7, 8)
    assert refused.call.args[1].items[0].data == b"/no"


def test_an_exit_does_not_fit_another_call() -> None:
    """An exit of another call's number is not paired if records were lost, which may include its entry."""
    ring = RingWriter()
    ring.enter(0, 7, READ, 1, 2, 3)
    ring.exit(0, 7, WRITE, 5)
    ring.cpus[1].dropped = 2
    found = list(events(ring.snapshot()))
    assert kinds(found) == [Lost, Entered, Returned]
    assert (returned(found)[0].name, returned(found)[0].args, returned(found)[0].entry_lost) == ("write", (), True)


def test_an_exit_whose_number_a_tracer_changed() -> None:
    """An exit with another number is paired with the entry before it if nothing was lost in between."""
    ring = RingWriter()
    ring.enter(0, 7, READ, 1, 2, 3)
    ring.enter(0, 8, WRITE, 4, 5, 6)
    ring.exit(0, 7, WRITE, 5)
    found = list(events(ring.snapshot()))
    assert kinds(found) == [Entered, Entered, Returned]
    assert (returned(found)[0].name, raw(returned(found)[0]), returned(found)[0].result) == ("read", (1, 2, 3), 5)


def test_an_exit_of_another_number_behind_an_overwritten_beginning() -> None:
    """An exit with another number is paired if its call began after the last record that was overwritten on any CPU."""
    ring = RingWriter()
    for _ in range(1000):
        ring.enter(1, 9, READ, 1, 2, 3)
        ring.exit(1, 9, READ, 0)
    ring.enter(0, 7, READ, 1, 2, 3)
    ring.exit(0, 7, WRITE, 5)
    assert returned(events(ring.snapshot()))[-1].name == "read"
    ring.enter(0, 7, READ, 1, 2, 3)
    for _ in range(1000):
        ring.enter(1, 9, READ, 1, 2, 3)
        ring.exit(1, 9, READ, 0)
    ring.exit(0, 7, WRITE, 6)
    ended = returned(events(ring.snapshot()))[-1]
    assert (ended.name, ended.entry_lost) == ("write", True)


def test_an_entry_ends_the_one_before() -> None:
    ring = RingWriter()
    ring.enter(0, 7, READ, 1, 2, 3)
    ring.enter(0, 7, WRITE, 4, 5, 6)
    ring.exit(0, 7, WRITE, 0)
    found = list(events(ring.snapshot()))
    assert kinds(found) == [Entered, Call]
    assert returned(found)[0].name == "write"


def test_rt_sigreturn_has_no_number_when_it_returns() -> None:
    ring = RingWriter()
    ring.enter(0, 7, RT_SIGRETURN)
    ring.exit(0, 7, -1, -4)
    (call,) = events(ring.snapshot())
    assert isinstance(call, Call)
    assert (call.name, call.result, call.entry_lost) == ("rt_sigreturn", -4, False)


def test_execve_of_another_thread_than_the_leader() -> None:
    ring = RingWriter()
    ring.name(70, 70, "old")
    ring.name(71, 70, "old")
    ring.name(81, 80, "other")
    ring.enter(0, 81, EXECVE, 9, 9, 9)
    ring.enter(0, 71, EXECVE, 1, 2, 3, items=item(0, STRING, b"/bin/true"))
    ring.task_exit(1, 70, 0, group_dead=0)
    ring.name(70, 70, "true")
    ring.exit(1, 70, EXECVE, 0)
    found = list(events(ring.snapshot()))
    assert [end.superseded_by for end in found if isinstance(end, TaskExit)] == [71]
    call = returned(found)[0]
    assert (call.name, call.result, call.tid, call.pid) == ("execve", 0, 71, 70)
    assert (call.comm, call.end_comm) == ("old", "true")
    assert call.args[0].items[0].data == b"/bin/true"


def test_execve_into_a_32_bit_program() -> None:
    """The exit's number is of the other table in this case (arch/x86/entry/common.c)."""
    ring = RingWriter()
    ring.enter(0, 7, EXECVE, 1, 2, 3)
    ring.record(0, 7, layout.TYPE_EXIT, IA32_EXECVE | layout.NR_COMPAT, bytes(8))
    (call,) = returned(events(ring.snapshot()))
    assert (call.name, call.result, call.entry_lost) == ("execve", 0, False)


def test_a_failed_execve_is_not_taken_for_another() -> None:
    ring = RingWriter()
    ring.name(71, 70, "old")
    ring.enter(0, 71, EXECVE, 1, 2, 3)
    ring.exit(0, 70, EXECVE, -2)
    found = list(events(ring.snapshot()))
    assert kinds(found) == [Entered, Returned]
    assert returned(found)[0].entry_lost


def test_a_call_that_never_returns() -> None:
    ring = RingWriter()
    ring.enter(0, 7, EXIT, 3)
    ring.task_exit(0, 7, 3 << 8)
    ring.exit(0, 7, EXIT, 0)  # a new thread with the same number: not the exit of that call
    found = list(events(ring.snapshot()))
    assert kinds(found) == [Entered, TaskExit, Returned]
    assert returned(found)[0].entry_lost
    end = found[1]
    assert isinstance(end, TaskExit)
    assert (end.code, end.group_dead) == (768, True)


def test_the_last_entry_is_shown() -> None:
    ring = RingWriter()
    ring.enter(0, 7, READ, 1, 2, 3)
    assert kinds(list(events(ring.snapshot()))) == [Entered]


def test_numbers_that_no_table_has() -> None:
    ring = RingWriter()
    for number in (9999, -1, 0xDEAD_BEEF, 4095, 4094):
        ring.enter(0, 7, number, 1, 2, 3, 4, 5, 6)
        ring.exit(0, 7, number, -38)
    found = returned(events(ring.snapshot()))
    assert [(call.number, call.name) for call in found] == [
        (9999, "syscall_0x270f"),
        (-1, "syscall_0xffffffffffffffff"),
        (0xDEAD_BEEF, "syscall_0xdeadbeef"),
        (4095, "syscall_0xfff"),
        (4094, "syscall_0xffe"),
    ]
    assert {raw(call) for call in found} == {(1, 2, 3, 4, 5, 6)}


def test_compat_calls_have_names_of_their_own() -> None:
    ring = RingWriter()
    short = 20 | layout.NR_COMPAT
    ring.record(0, 7, layout.TYPE_ENTER, short, bytes(layout.ROOM.size))
    ring.record(0, 7, layout.TYPE_EXIT, short, bytes(8))
    (call,) = returned(events(ring.snapshot()))
    assert (call.name, call.compat) == ("getpid", True)


def test_a_loss_stands_in_its_place() -> None:
    ring = RingWriter()
    for number in range(100):
        ring.enter(0, 7, READ, number, 0, 0)
        ring.exit(0, 7, READ, 0)
        if number == 60:
            ring.name(7, 7, "t7")
    ring.data[4096 - 200 : 4096 - 192] = bytes(8)
    found = list(events(ring.snapshot()))
    (at,) = (n for n, event in enumerate(found) if isinstance(event, Lost))
    before, after = found[at - 1], found[at + 1]
    lost = found[at]
    assert isinstance(lost, Lost)
    assert isinstance(before, (Call, Entered))
    assert sum(isinstance(event, (Call, Entered)) for event in found) + lost.events == 100
    assert lost.ts_ns <= (after.call.end_ns if isinstance(after, Returned) else after.ts_ns)


SIGTERM, SIGKILL, SI_USER, SI_KERNEL = 15, 9, 0, 0x80


def test_a_fatal_signal_is_shown_where_its_thread_hears_of_it() -> None:
    ring = RingWriter()
    ring.name(8, 7, "worker")
    ring.enter(0, 7, READ, 0, 0, 0)
    ring.signal_sent(1, 7, SIGTERM, SI_USER, sender=99, comm="killer")
    ring.exit(0, 7, READ, -512)
    ring.signal(0, 8, SIGKILL)
    ring.signal(0, 7, SIGKILL)
    ring.task_exit(0, 8, SIGTERM, group_dead=0)
    ring.task_exit(0, 7, SIGTERM)
    call, leader, *ends = events(ring.snapshot())
    assert kinds([call, *ends]) == [Call, TaskExit, TaskExit]
    assert isinstance(call, Call)
    assert not call.unlearnt  # a tracer sees the call return, then SIGTERM
    assert isinstance(leader, Signal)
    assert (leader.tid, leader.number, leader.sender) == (7, SIGTERM, Sender(99, "killer"))
    assert leader.siginfo[:4] == SIGTERM.to_bytes(4, "little")


def test_a_fatal_signal_that_its_thread_did_not_live_to_hear() -> None:
    ring = RingWriter()
    ring.name(8, 7, "worker")
    ring.task_exit(0, 7, 0, group_dead=0)
    ring.signal_sent(1, 7, SIGKILL, SI_KERNEL, sender=99, comm="whoever ran then")
    ring.task_exit(0, 8, SIGKILL)
    _, signal, end = events(ring.snapshot())
    assert isinstance(signal, Signal)
    assert (signal.tid, signal.number, signal.sender) == (8, SIGKILL, None)
    assert isinstance(end, TaskExit)


def test_a_fatal_signal_that_has_not_arrived() -> None:
    ring = RingWriter()
    ring.enter(0, 7, READ, 0, 0, 0)
    ring.signal_sent(1, 7, SIGKILL, SI_USER, sender=99, comm="killer")
    begun, signal = events(ring.snapshot())
    assert isinstance(begun, Entered)
    assert isinstance(signal, Signal)
    assert (signal.tid, signal.sender) == (7, Sender(99, "killer"))


def test_the_sender_of_a_signal_that_is_delivered_later() -> None:
    """Each delivery finds the record of its own sending, also if one before it was never delivered."""
    ring = RingWriter()
    for number, sender in ((10, 98), (12, 50), (10, 99)):
        ring.sender(1, 7, number, sender=sender, comm="outside")
    body = layout.SIGNAL.pack(pack("<iii4xi", 10, 0, 0, 0), 0x400000, 0)
    ring.record(0, 7, layout.TYPE_SIGNAL, 10, body)
    ring.record(0, 7, layout.TYPE_SIGNAL, 10, body)
    ring.record(0, 7, layout.TYPE_SIGNAL, 10, body)  # by one inside
    ring.record(0, 8, layout.TYPE_SIGNAL, 12, layout.SIGNAL.pack(pack("<iii4xi", 12, 0, 0, 0), 0x400000, 0))
    ring.record(0, 7, layout.TYPE_SIGNAL, 12, layout.SIGNAL.pack(pack("<iii4xi", 12, 0, 0, 33), 0x400000, 0))
    found = list(events(ring.snapshot()))
    senders = [event.sender.pid if event.sender else 0 for event in found if isinstance(event, Signal)]
    assert senders == [98, 99, 0, 0, 0]
    assert len(found) == 5


def test_an_ignored_signal_stands_between_the_halves_of_a_call() -> None:
    ring = RingWriter()
    ring.enter(0, 7, READ, 0, 0, 0)
    ring.sender(1, 7, SIGTERM, sender=99, comm="killer", ignored=True)
    ring.exit(0, 7, READ, 0)
    begun, ignored, ended = events(ring.snapshot())
    assert kinds([begun, ignored, ended]) == [Entered, Ignored, Returned]
    assert isinstance(ignored, Ignored)
    assert (ignored.number, ignored.sender) == (SIGTERM, Sender(99, "killer"))


@pytest.mark.parametrize(
    ("levels", "limit", "above"),
    [
        ([(30 << 20, 30 << 20), (900 << 20, 1 << 63)], 30 << 20, False),
        ([(29 << 20, 1 << 63), (31 << 20, 32 << 20)], 32 << 20, False),  # the container's own is one above
        ([(29 << 20, 64 << 20), (127 << 20, 128 << 20)], 128 << 20, True),
        ([(29 << 20, 64 << 20), (900 << 20, 1 << 63)], None, False),
        ([(29 << 20, 1 << 63)], None, False),
    ],
)
def test_memory_that_was_short(levels: list[tuple[int, int]], limit: int | None, *, above: bool) -> None:
    ring = RingWriter()
    ring.signal_sent(1, 7, SIGKILL, SI_KERNEL, sender=99, comm="whoever ran then")
    ring.oom(1, 7, *levels)
    ring.signal(0, 7, SIGKILL)
    ring.task_exit(0, 7, SIGKILL, group_dead=1 | layout.OUT_OF_MEMORY)
    signal, end = events(ring.snapshot())
    assert isinstance(signal, Signal)
    assert isinstance(end, TaskExit)
    assert (end.group_dead, end.out_of_memory) == (True, True)
    assert len(signal.memory) == len(levels)
    short = short_level(signal.memory)
    assert (short.level.limit_bytes, short.above) == (limit, above) if short is not None else limit is None


def test_places_of_a_fault_that_the_kernel_mistook() -> None:
    """The kernel takes an address in front of a mapping for one in it."""
    ring = RingWriter()
    frames = [(0x1234, "cd" * 20, (1 << 64) - 0x5000), (0x7088, "cd" * 20, 0x88), (5, "", 5)]
    ring.fault(0, 7, 11, ip=0x1234, frames=frames)
    (signal,) = events(ring.snapshot())
    assert isinstance(signal, Signal)
    assert signal.fault is not None
    assert signal.fault.stack == (Frame(0x1234), Frame(0x7088, "cd" * 20, 0x88), Frame(5))


def test_a_fault_whose_stack_could_not_be_read() -> None:
    ring = RingWriter()
    ring.fault(0, 7, 11, ip=0x1234, frames=[])
    (signal,) = events(ring.snapshot())
    assert isinstance(signal, Signal)
    assert signal.fault is not None
    assert signal.fault.stack == (Frame(0x1234),)


@pytest.mark.parametrize("status", [5 << 8, 0, 11 | 0x80])
def test_threads_that_the_kernel_ends_with_their_program_were_not_sent_sigkill(status: int) -> None:
    """The program exits, executes another one, or dumps core: each other thread is told SIGKILL, which nobody sent."""
    ring = RingWriter()
    ring.name(8, 7, "worker")
    ring.name(9, 7, "worker")
    ring.enter(0, 9, READ, 0, 0, 0)
    ring.signal(1, 8, SIGKILL)
    ring.signal(0, 9, SIGKILL)
    ring.task_exit(1, 8, status, group_dead=0)
    ring.task_exit(0, 9, status, group_dead=0)
    assert kinds(events(ring.snapshot())) == [Entered, TaskExit, TaskExit]


def test_a_process_whose_fatal_signal_was_overwritten_was_killed_once() -> None:
    ring = RingWriter()
    for tid in (7, 8):
        ring.name(tid, 7, "worker")
        ring.enter(0, tid, READ, 0, 0, 0)
    ring.signal(1, 8, SIGKILL)
    ring.signal(0, 7, SIGKILL)
    ring.task_exit(1, 8, SIGKILL, group_dead=0)
    ring.task_exit(0, 7, SIGKILL)
    *_, signal, first, last = events(ring.snapshot())
    assert kinds([signal, first, last]) == [Signal, TaskExit, TaskExit]
    assert kinds(events(ring.snapshot())).count(Signal) == 1


def test_a_result_that_a_thread_was_ended_before_it_learnt() -> None:
    ring = RingWriter()
    for tid in (7, 8, 9):
        ring.name(tid, 7, "worker")
        ring.enter(0, tid, READ, 0, 0, 0)
    for tid in (7, 8, 9):
        ring.exit(0, tid, READ, -512)
    ring.signal(0, 8, SIGKILL)  # in between stands what other threads did
    ring.signal(0, 7, 10)
    ring.task_exit(0, 9, 0, group_dead=0)
    found = {event.call.tid: event.call for event in events(ring.snapshot()) if isinstance(event, Returned)}
    assert {tid: (call.result, call.unlearnt) for tid, call in found.items()} == {
        7: (-512, False),
        8: (-512, True),
        9: (-512, True),
    }


def test_what_comes_of_a_result_is_looked_for_among_a_bounded_number_of_records() -> None:
    ring = RingWriter(1 << 20, 1 << 14)
    ring.enter(0, 7, READ, 0, 0, 0)
    ring.exit(0, 7, READ, -512)
    for _ in range(2000):
        ring.enter(0, 8, READ, 0, 0, 0)
        ring.exit(0, 8, READ, 0)
    ring.signal(0, 7, SIGKILL)
    found = list(events(ring.snapshot()))
    assert len(found) == 2001
    assert isinstance(found[0], Call)
    assert not found[0].unlearnt


@pytest.mark.parametrize(("number", "unlearnt"), [(9, True), (15, False)])
def test_a_signal_whose_sender_another_cpu_recorded_after_the_call_had_returned(number: int, *, unlearnt: bool) -> None:
    ring = RingWriter()
    ring.enter(0, 7, READ, 3)
    ring.exit(0, 7, READ, -512)
    ring.signal_sent(1, 7, number, 0, sender=814, comm="runc")
    ring.task_exit(0, 7, number)
    found = [event.call for event in events(ring.snapshot()) if isinstance(event, Returned)]
    found += [event for event in events(ring.snapshot()) if isinstance(event, Call)]
    assert [call.unlearnt for call in found] == [unlearnt]
