# SPDX-License-Identifier: Apache-2.0
"""Explaining is total: any call with any registers, and any damaged ring, gives a report."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from madeevents import STARTED_NS, item
from ringwriter import RingWriter
from ringwriter import item as ring_item

from traceloop_cli.display.why_lines import lines
from traceloop_decode import layout
from traceloop_decode.causes.excerpt import ends
from traceloop_decode.causes.explain import explain
from traceloop_decode.causes.lookups import unresolved
from traceloop_decode.causes.objects import Clock, report_object
from traceloop_decode.causes.ranking import ranked
from traceloop_decode.causes.story import Story
from traceloop_decode.causes.waits import waits
from traceloop_decode.descriptors.follow import known
from traceloop_decode.events import events
from traceloop_decode.model import Call, Entered, Returned
from traceloop_decode.syscalls import ABIS, Abi
from traceloop_decode.trace_facts import TraceFacts

FACTS = TraceFacts("n_x", status=1 << 8)
REGISTERS = ((), (1,), (1, 1 << 63, 4, 1, 0, 2), (0xFFFFFFFF,) * 6)


@pytest.mark.parametrize("abi", ABIS, ids=lambda abi: f"{abi.arch}-{abi.compat}")
def test_any_call(abi: Abi) -> None:
    chance = random.Random(1)
    story = Story()
    made: list[Call | Entered | Returned] = []
    for number, syscall in abi.table().items():
        for registers in REGISTERS:
            data = chance.choice((b"", b"/etc/a.conf", b"\x02\x00\x00\x35\x7f\x00\x00\x01" + bytes(8), b"\xff" * 48))
            items = {n: (item(data, chance.choice((1, 2, 6)), out=chance.random() < 0.5),) for n in range(6)}
            head = STARTED_NS + len(made), 0, 7, 7, "x", abi, number, syscall.name, registers, items
            result = chance.choice((0, 3, -2, -13, -28, -111, -4095, None))
            call = Call(*head, result, STARTED_NS + len(made), by_seccomp=chance.random() < 0.1)
            made.append(chance.choice((call, Entered(call), Returned(call._replace(entry_lost=True)))))
    story.watch(known(made, sockets=True))
    assert len(story.failures) > 100
    assert [*ranked(story, {7})]
    assert all(wait.waited_ns >= 0 for wait in waits(story, None))
    assert all(finding.kind == "name-unresolved" for finding in unresolved(story))


def ring(rounds: int = 2) -> RingWriter:
    writer, chance = RingWriter(ring_size=1 << 15, chunk_size=1 << 11), random.Random(2)
    for step in range(200 * rounds):
        tid = 7 + chance.randrange(3)
        path = ring_item(1, layout.KIND_STRING, b"/etc/app.conf"[: chance.randrange(14)])
        writer.enter(step % 2, tid, chance.choice((257, 1, 59, 42, 231)), 1, 2, 3, 4, items=path)
        writer.exit(step % 2, tid, chance.choice((257, 1, 59, 42)), chance.choice((0, -2, -13)))
        if step % 50 == 0:
            writer.signal(step % 2, tid, chance.choice((9, 11, 15, 17)))
            writer.task_exit(step % 2, tid, chance.choice((0, 256, 9, 139)))
    return writer


def test_any_ring() -> None:
    snapshot, chance = ring().snapshot(), random.Random(3)
    clock = Clock(snapshot.started_ns, snapshot.boot_offset_ns)
    for _ in range(100):
        damaged = bytearray(snapshot.data)
        for _ in range(chance.choice((0, 1, 30))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        facts = replace(FACTS, status=chance.choice((None, 0, 256, 9, 139)))
        report = explain(replace(snapshot, data=bytes(damaged)), facts)
        assert report_object(report, clock)["schema"] == 1
        assert all(line.isascii() and line.isprintable() for line in lines(report, facts, clock, "n_x"))
        assert len([*lines(report, facts, clock, "n_x", width=80)]) <= 40


def test_the_ends_of_a_ring_are_read() -> None:
    for rounds in (1, 3):  # the second ring has wrapped
        snapshot = ring(rounds).snapshot()
        whole = [event for event in events(snapshot) if isinstance(event, Call)]
        excerpt = ends(snapshot, 1 << 12, 1 << 13)
        assert len(excerpt.data) == len(snapshot.data)
        cut = [event for event in events(excerpt) if isinstance(event, Call)]
        assert 0 < len(cut) < len(whole) / 2
        assert (cut[0], cut[-1]) == (whole[0], whole[-1])
