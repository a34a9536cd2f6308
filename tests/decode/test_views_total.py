# SPDX-License-Identifier: Apache-2.0
"""Views and conditions answer any calls, whatever their registers and the memory that was read."""

from __future__ import annotations

from functools import partial
from random import Random

import pytest
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.descriptors.follow import known
from traceloop_decode.events import events
from traceloop_decode.model import Call
from traceloop_decode.selection.conditions import Comparison, Every, Opposite, predicate
from traceloop_decode.selection.fields import FIELDS, Kind, Seen
from traceloop_decode.selection.select import STATUSES, Selection, selected
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import table
from traceloop_decode.views.files import files
from traceloop_decode.views.net import net
from traceloop_decode.views.processes import processes
from traceloop_decode.views.slow import slow
from traceloop_decode.views.stdio import stdio
from traceloop_decode.views.summary import BY, summary
from traceloop_decode.views.table import Unit

NAMED = [
    *("read", "write", "writev", "sendfile", "splice", "openat", "open", "openat2", "rename", "unlink", "symlinkat"),
    *("socket", "connect", "bind", "listen", "accept4", "getsockopt", "sendto", "recvfrom", "close", "dup2", "pipe2"),
    *("fork", "vfork", "clone", "clone3", "execve", "execveat", "mq_timedsend", "recvmsg", "chdir"),
]
NUMBERS = {call.name: number for number, call in table(compat=False).items()}
EDGES = (0, 1, 2, 3, 4, 5, 7, 0o100, 16, 4095, (1 << 31) - 1, 1 << 31, (1 << 32) - 100, (1 << 64) - 100, (1 << 64) - 1)
DATA = (
    b"",
    b"/",
    b"a",
    b"/etc/hosts",
    b"\xff\0\n\x1b",
    b"\2\0\0\x35\x7f\0\0\1" + bytes(8),
    b"\1\0@x",
    bytes(48),
    b"\n\n",
)
KINDS = (layout.KIND_STRING, layout.KIND_BUFFER, layout.KIND_IOVEC, layout.KIND_ARGV, layout.KIND_MSG)


def recorded(seed: int) -> Snapshot:
    random, ring = Random(seed), RingWriter(1 << 20, 1 << 14)
    numbers = [NUMBERS[name] for name in NAMED]

    def items() -> bytes:
        return b"".join(
            item(
                random.randrange(6),
                random.choice(KINDS),
                data := random.choice(DATA),
                size=max(len(data), random.choice((0, len(data), 300))),
                flags=random.choice((0, 0, layout.ITEM_OUT, layout.ITEM_MORE, layout.ITEM_FAULT)),
                sub=random.randrange(3),
            )
            for _ in range(random.randrange(4))
        )

    for _ in range(120):
        tid, cpu = random.randrange(7, 11), random.randrange(2)
        number = random.choice(numbers) if random.random() < 0.8 else random.randrange(500)
        registers = [random.choice(EDGES) for _ in range(6)]  # a record has all of its call
        result = random.choice((0, 1, 3, 5, 8, 4096, -2, -4, -11, -115, -512, -4095, 1 << 62))
        what = random.random()
        if what < 0.8:
            ring.enter(cpu, tid, number, *registers, items=items())
        if what < 0.7 or what > 0.9:
            ring.exit(cpu, tid, number, result, *(registers if what > 0.9 else ()), items=items())
        if what > 0.97:
            ring.task_exit(cpu, tid, random.choice((0, 9, 256, 0x8B)), random.randrange(2))
        if 0.95 < what <= 0.97:
            ring.signal(cpu, tid, random.randrange(1, 65))
    return ring.snapshot()


@pytest.mark.parametrize("seed", range(20))
def test_any_calls_make_tables(seed: int) -> None:
    snapshot = recorded(seed)
    for view in (*(partial(summary, by=by) for by in BY), files, net, stdio, slow):
        found = known(events(snapshot), sockets=True)
        made = view(selected(found, Selection(statuses=STATUSES), by_return=True), snapshot)
        for row in made.rows:
            assert len(row) == len(made.columns)
            for column, value in zip(made.columns, row, strict=True):
                assert isinstance(value, str if column.unit is Unit.TEXT else int | None)
                assert column.unit is Unit.TEXT or value is None or value >= 0
    everyone = processes(events(snapshot), snapshot).rows
    assert {row[0] for row in everyone} == {getattr(getattr(e, "call", e), "pid", 7) for e in events(snapshot)}


@pytest.mark.parametrize("seed", range(20))
def test_any_calls_have_values_of_the_fields_kinds(seed: int) -> None:
    snapshot = recorded(seed)
    condition = Every(
        tuple(
            Opposite(Comparison(name, "==", ("no such value",)))
            for name, field in FIELDS.items()
            if field.kind is not Kind.FLAG
        )
    )
    fulfils = predicate(condition, snapshot.started_ns)
    for event in known(events(snapshot), sockets=True):
        assert fulfils(event, snapshot.taken_ns)
        call = event if isinstance(event, Call) else getattr(event, "call", None)
        seen = Seen(event, call, snapshot.taken_ns, snapshot.started_ns)
        for field in FIELDS.values():
            texts = field.kind in (Kind.TEXT, Kind.CALL)
            assert all(isinstance(value, str if texts else int) for value in field.values(seen))
