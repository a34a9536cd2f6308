# SPDX-License-Identifier: Apache-2.0
"""Entries and exits become calls, by thread, whatever comes between: on rings written in Python."""

from __future__ import annotations

from recorder import entered, raw, returned
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.events import events
from traceloop_decode.model import Call, Entered, Event, Item, Lost, Returned, Sender, Signal, TaskExit

READ, WRITE, RT_SIGRETURN, CLONE, EXECVE, EXIT, OPENAT = 0, 1, 15, 56, 59, 60, 257
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
    # The last to enter is the first to return: nothing came between.
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
    """A call that blocked and failed is read again, in case its entry is lost; its memory may have changed by then."""
    ring = RingWriter()
    ring.enter(0, 7, WRITE, 1, 2, 3, items=item(1, BUFFER, b"old"))
    ring.enter(0, 8, READ, 1, 2, 3)
    ring.exit(0, 7, WRITE, -32, 1, 2, 3, items=item(1, BUFFER, b"new"))
    assert [part.data for part in returned(events(ring.snapshot()))[0].args[1].items] == [b"old"]


def test_exit_alone() -> None:
    """A child's clone; and a call that seccomp refused, which brings its arguments along."""
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
    """The records between may be among those that were lost."""
    ring = RingWriter()
    ring.enter(0, 7, READ, 1, 2, 3)
    ring.exit(0, 7, WRITE, 5)
    ring.cpus[1].dropped = 2
    found = list(events(ring.snapshot()))
    assert kinds(found) == [Lost, Entered, Returned]
    assert (returned(found)[0].name, returned(found)[0].args, returned(found)[0].entry_lost) == ("write", (), True)


def test_an_exit_whose_number_a_tracer_changed() -> None:
    """Where nothing was lost since, it is the same call that returns."""
    ring = RingWriter()
    ring.enter(0, 7, READ, 1, 2, 3)
    ring.enter(0, 8, WRITE, 4, 5, 6)
    ring.exit(0, 7, WRITE, 5)
    found = list(events(ring.snapshot()))
    assert kinds(found) == [Entered, Entered, Returned]
    assert (returned(found)[0].name, raw(returned(found)[0]), returned(found)[0].result) == ("read", (1, 2, 3), 5)


def test_an_exit_of_another_number_behind_an_overwritten_beginning() -> None:
    """It fits if its call began when no CPU's records were overwritten any more."""
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
    call = returned(events(ring.snapshot()))[0]
    assert (call.name, call.result, call.tid, call.pid) == ("execve", 0, 71, 70)
    assert (call.comm, call.end_comm) == ("old", "true")
    assert call.args[0].items[0].data == b"/bin/true"


def test_execve_into_a_32_bit_program() -> None:
    """The number at exit is of the other table then (arch/x86/entry/common.c)."""
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
    ring.exit(0, 7, EXIT, 0)  # the number is reused by a new thread: not its exit
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
    ring.record(0, 7, layout.TYPE_ENTER, short, b"")
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
    call, worker, leader, *ends = events(ring.snapshot())
    assert kinds([call, *ends]) == [Call, TaskExit, TaskExit]
    assert isinstance(worker, Signal)
    assert isinstance(leader, Signal)
    assert (worker.tid, worker.number, worker.sender) == (8, SIGKILL, None)
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
