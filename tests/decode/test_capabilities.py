# SPDX-License-Identifier: Apache-2.0
"""Capabilities that a call asked for are shown with it; those of a container's whole life come from the ring's header."""

from __future__ import annotations

import json
from struct import pack

import pytest
from ringwriter import RingWriter

from traceloop_decode import layout
from traceloop_decode.capabilities import Capabilities, mask_of, numbers_in
from traceloop_decode.capability_names import name_of, short_name
from traceloop_decode.events import events
from traceloop_decode.model import Asked, Call, Entered, Event, Returned
from traceloop_decode.needed_capabilities import NotToldError, needed_capabilities
from traceloop_decode.ring_reader import RingReader
from traceloop_decode.text import classic, jsonl, records, short, strace

MOUNT, UMOUNT, GETPID, BIND, SOCKETCALL = 165, 166, 39, 49, 102
CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, NET_BIND, SYS_ADMIN = 0, 1, 2, 10, 21
EPERM, EACCES = -1, -13
COMPAT = layout.NR_COMPAT


def returned(found: list[Event]) -> list[Call]:
    return [one if isinstance(one, Call) else one.call for one in found if isinstance(one, Call | Returned)]


def calls(ring: RingWriter) -> list[Call]:
    return returned(list(events(ring.snapshot())))


def refused_umount() -> RingWriter:
    ring = RingWriter()
    ring.enter(0, 7, UMOUNT, 0, 0)
    ring.ask(0, 7, UMOUNT, SYS_ADMIN, granted=False)
    ring.exit(0, 7, UMOUNT, EPERM, 0, 0)
    return ring


def test_a_question_belongs_to_the_call_that_its_thread_is_in() -> None:
    ring = RingWriter()
    ring.enter(0, 7, UMOUNT, 0, 0)
    ring.enter(1, 8, GETPID)
    ring.ask(0, 7, UMOUNT, SYS_ADMIN, granted=False)
    ring.exit(1, 8, GETPID, 8)
    ring.exit(0, 7, UMOUNT, EPERM, 0, 0)
    ring.enter(0, 7, UMOUNT, 0, 0)
    ring.returns(0, EPERM)
    assert [(call.name, call.tid, call.asked) for call in calls(ring)] == [
        ("getpid", 8, ()),
        ("umount2", 7, (Asked(SYS_ADMIN, granted=False),)),
        ("umount2", 7, ()),
    ]


def test_it_does_not_part_a_call_from_its_return() -> None:
    (event,) = events(refused_umount().snapshot())
    assert isinstance(event, Call)
    assert event.missed == (SYS_ADMIN,)


def test_a_call_is_in_flight_with_what_it_asked_for_so_far() -> None:
    ring = RingWriter()
    ring.enter(0, 7, UMOUNT, 0, 0)
    ring.ask(0, 7, UMOUNT, SYS_ADMIN, granted=True)
    (event,) = events(ring.snapshot())
    assert isinstance(event, Entered)
    assert event.call.asked == (Asked(SYS_ADMIN, granted=True),)


def test_a_question_of_a_call_whose_entry_is_lost_is_its_returns() -> None:
    ring = RingWriter()
    ring.ask(0, 7, UMOUNT, SYS_ADMIN, granted=False)
    ring.exit(0, 7, UMOUNT, EPERM)
    (call,) = calls(ring)
    assert (call.entry_lost, call.missed) == (True, (SYS_ADMIN,))


def test_a_question_of_a_call_that_is_lost_is_no_others() -> None:
    ring = RingWriter()
    ring.ask(0, 7, UMOUNT, SYS_ADMIN, granted=False)
    ring.enter(0, 7, MOUNT, 0, 0, 0, 0, 0)
    ring.ask(0, 7, UMOUNT, CHOWN, granted=False)
    ring.exit(0, 7, MOUNT, 0)
    ring.record(0, 7, layout.TYPE_ENTER, UMOUNT | COMPAT, bytes(8))
    ring.record(0, 7, layout.TYPE_EXIT, UMOUNT | COMPAT, bytes(8))
    assert [call.asked for call in calls(ring)] == [(), ()]


def test_a_call_within_socketcall_has_its_questions() -> None:
    ring = RingWriter()
    nr = SOCKETCALL | COMPAT
    ring.record(0, 7, layout.TYPE_ENTER, nr | 2 << layout.NR_ARGS_SHIFT, bytes(8) + pack("<QQ", 2, 0))
    ring.ask(0, 7, nr, NET_BIND, granted=False)
    ring.record(0, 7, layout.TYPE_EXIT, nr, pack("<q", EACCES))
    (call,) = calls(ring)
    assert call.missed == (NET_BIND,)


def test_one_among_the_firsts_comes_before_its_call_if_that_is_kept_by_its_return() -> None:
    ring = RingWriter(firsts_size=1 << 14)
    ring.keep(0, 7, layout.TYPE_CAPABILITY, UMOUNT, layout.CAPABILITY.pack(SYS_ADMIN, 0))
    ring.keep(0, 7, layout.TYPE_RETURN, UMOUNT | 2 << layout.NR_ARGS_SHIFT, pack("<qQQ", EPERM, 0, 0))
    (call,) = returned(list(events(ring.snapshot(), ("firsts",))))
    assert (call.name, call.missed, call.source) == ("umount2", (SYS_ADMIN,), "firsts")


@pytest.mark.parametrize("size", [0, 4])
def test_a_record_that_is_cut_is_none(size: int) -> None:
    ring = RingWriter()
    ring.enter(0, 7, UMOUNT, 0, 0)
    ring.record(0, 7, layout.TYPE_CAPABILITY, UMOUNT, bytes(size // 8 * 8))
    ring.exit(0, 7, UMOUNT, EPERM, 0, 0)
    assert [call.asked for call in calls(ring)] == [()]


def test_a_call_that_asks_often_has_a_bounded_number_of_questions() -> None:
    ring = RingWriter(1 << 17, 1 << 13)
    ring.enter(0, 7, UMOUNT, 0, 0)
    for number in range(1000):
        ring.record(0, 7, layout.TYPE_CAPABILITY, UMOUNT, layout.CAPABILITY.pack(number, 0))
    ring.exit(0, 7, UMOUNT, EPERM, 0, 0)
    (call,) = calls(ring)
    assert len(call.asked) == 128


def test_short_shows_what_a_failed_call_was_refused_and_strace_and_classic_stay_as_they_are() -> None:
    snapshot = refused_umount().snapshot()
    line = "umount2(name=NULL, flags=0) = -1 EPERM (Operation not permitted)  [CAP_SYS_ADMIN refused]"
    assert next(short.lines(events(snapshot), snapshot)).endswith(line)
    assert next(strace.lines(events(snapshot), snapshot)).endswith(" = -1 EPERM (Operation not permitted)")
    assert next(classic.lines(events(snapshot), snapshot)).endswith(f" = {(1 << 64) - 1}")


def test_a_call_that_succeeded_could_do_without() -> None:
    ring = RingWriter()
    ring.enter(0, 7, UMOUNT, 0, 0)
    ring.ask(0, 7, UMOUNT, DAC_READ_SEARCH, granted=False)
    ring.ask(0, 7, UMOUNT, DAC_OVERRIDE, granted=True)
    ring.exit(0, 7, UMOUNT, 0, 0, 0)
    snapshot = ring.snapshot()
    assert next(short.lines(events(snapshot), snapshot)).endswith("flags=0) = 0")
    (shown,) = map(json.loads, jsonl.lines(events(snapshot), snapshot))
    assert shown["capabilities"] == {"granted": ["CAP_DAC_OVERRIDE"], "refused": ["CAP_DAC_READ_SEARCH"]}


def test_calls_that_asked_for_nothing_have_no_field() -> None:
    ring = RingWriter()
    ring.enter(0, 7, GETPID)
    ring.returns(0, 7)
    snapshot = ring.snapshot()
    (shown,) = map(json.loads, jsonl.lines(events(snapshot), snapshot))
    assert "capabilities" not in shown


def test_the_record_as_it_lies_in_the_ring() -> None:
    (line,) = (line for line in records.lines(refused_umount().snapshot()) if " capability tid=" in line)
    assert line.endswith("nr=166 capability=21 granted=0")


def test_names() -> None:
    assert (name_of(SYS_ADMIN), short_name(NET_BIND), name_of(63)) == ("CAP_SYS_ADMIN", "NET_BIND_SERVICE", "CAP_63")
    assert numbers_in(mask_of((3, 40, 3))) == (3, 40)


# --- the whole life ---------------------------------------------------------------------------------------------------


def asked(*granted: int, refused: tuple[int, ...] = (), whole: bool = True) -> RingWriter:
    ring = RingWriter()
    ring.notes_capabilities = whole
    ring.cpus[0].granted.update(granted[:1])
    ring.cpus[1].granted.update(granted)
    ring.cpus[1].refused.update(refused)
    return ring


def test_the_header_has_those_of_all_cpus() -> None:
    snapshot = asked(NET_BIND, CHOWN, refused=(SYS_ADMIN,)).snapshot()
    assert Capabilities.of(snapshot) == Capabilities((CHOWN, NET_BIND), (SYS_ADMIN,), whole=True)
    assert Capabilities.of(asked(whole=True).snapshot()) == Capabilities((), (), whole=True)


@pytest.mark.parametrize("whole", [False, True])
def test_the_bit_and_the_counts_beside_it_leave_each_other_alone(*, whole: bool) -> None:
    ring = asked(CHOWN, whole=whole)
    ring.ooms, ring.ooms_by_limit = (1 << layout.OOM_BY_LIMIT) - 1, 5
    headers = RingReader(ring.snapshot()).headers
    assert (headers.oom_kills, headers.oom_by_limit) == (ring.ooms, 5)
    assert Capabilities.of(ring.snapshot()) == Capabilities((CHOWN,), (), whole=whole)


def test_an_older_recording_or_kernel_tells_nothing() -> None:
    killed = RingWriter()
    killed.ooms, killed.ooms_by_limit = 3, 2
    assert Capabilities.of(killed.snapshot()) is None
    assert Capabilities.of(RingWriter().snapshot()) is None
    assert Capabilities.of(RingWriter(version=1).snapshot()) is None


def test_what_containers_need_adds_up() -> None:
    one, other = asked(NET_BIND, refused=(SYS_ADMIN, CHOWN)), asked(CHOWN)
    one.enter(0, 7, UMOUNT, 0, 0)
    one.ask(0, 7, UMOUNT, SYS_ADMIN, granted=False)
    one.exit(0, 7, UMOUNT, EPERM, 0, 0)
    needs = needed_capabilities([("one", one.snapshot()), ("other", other.snapshot())])
    assert needs.text == (
        "--cap-drop=ALL --cap-add=CHOWN --cap-add=NET_BIND_SERVICE\n"
        "\n"
        "securityContext:\n"
        "  capabilities:\n"
        '    drop: ["ALL"]\n'
        '    add: ["CHOWN", "NET_BIND_SERVICE"]\n'
    )
    assert needs.notes == (
        "capabilities: what 2 traces used: one, other",
        "capabilities: needed: CAP_CHOWN",
        "capabilities: needed: CAP_NET_BIND_SERVICE",
        "capabilities: refused, and not added: CAP_SYS_ADMIN (umount2)",
    )


def test_a_container_that_needs_none() -> None:
    needs = needed_capabilities([("web", asked().snapshot())])
    assert needs.text == '--cap-drop=ALL\n\nsecurityContext:\n  capabilities:\n    drop: ["ALL"]\n'


def test_it_says_where_the_begin_is_missing() -> None:
    needs = needed_capabilities([("web", asked(CHOWN, whole=False).snapshot())])
    assert "capabilities: web: they were not noted from its first call on; some may be missing" in needs.notes


def test_where_nothing_is_known_nothing_is_made() -> None:
    with pytest.raises(NotToldError, match=r"web: nothing is known .* Linux 6.14"):
        needed_capabilities([("web", RingWriter().snapshot())])
