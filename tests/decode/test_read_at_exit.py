# SPDX-License-Identifier: Apache-2.0
"""Arguments that were read only when their call returned are marked in every format, and no others."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.descriptors.follow import known
from traceloop_decode.events import events
from traceloop_decode.model import Call, Event, Returned
from traceloop_decode.printers.core import READ_AT_EXIT
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text import classic, jsonl, short, strace

READ, WRITE, EXECVE, OPENAT, RENAME, IO_SETUP = 0, 1, 59, 257, 82, 206
FD = (1 << 64) - 100
STRING, BUFFER = layout.KIND_STRING, layout.KIND_BUFFER
FORMATS = (short, strace, classic)


def unread(arg: int, kind: int = STRING) -> bytes:
    return item(arg, kind, b"", flags=layout.ITEM_FAULT)


def opened(*, blocks: bool = False) -> Snapshot:
    """Returns an openat whose path is read again."""
    ring = RingWriter()
    ring.enter(0, 7, OPENAT, FD, 0x1000, 0, 0, items=unread(1))
    if blocks:
        ring.enter(0, 8, READ, 0, 0, 0)
    ring.exit(0, 7, OPENAT, 3, items=item(1, STRING, b"/tmp/x"))
    ring.enter(0, 7, WRITE, 3, 0x1000, 1, items=item(1, BUFFER, b"a"))
    ring.exit(0, 7, WRITE, 1)
    return ring.snapshot()


def calls(found: Iterator[Event]) -> list[Call]:
    return [
        event.call if isinstance(event, Returned) else event for event in found if isinstance(event, Call | Returned)
    ]


def lines(snapshot: Snapshot, name: str) -> list[str]:
    """Returns the lines of a call in the three formats for people."""
    return [line for module in FORMATS for line in module.lines(events(snapshot), snapshot) if name in line]


def objects(snapshot: Snapshot) -> list[dict[str, object]]:
    return [json.loads(line) for line in jsonl.lines(events(snapshot), snapshot)]


def test_a_path_that_was_read_again_is_marked() -> None:
    assert [line.partition("openat")[2] for line in lines(opened(), "openat")] == [
        '(dfd=AT_FDCWD, filename="/tmp/x" /* read at exit */, flags=O_RDONLY) = 3',
        '(AT_FDCWD, "/tmp/x" /* read at exit */, O_RDONLY) = 3',
        '(dfd=18446744073709551516, filename=4096 "/tmp/x" /* read at exit */, flags=0, mode=0) = 3',
    ]
    first, second = objects(opened())
    assert first["read_at_exit"] == ["filename"]
    assert "read_at_exit" not in second


def test_it_is_marked_where_the_call_returns_too() -> None:
    snapshot = opened(blocks=True)
    (text,) = [line for line in short.lines(events(snapshot), snapshot) if "...openat" in line]
    assert text.endswith('...openat(filename="/tmp/x" /* read at exit */) = 3')


def test_what_a_call_gave_out_is_not_marked() -> None:
    ring = RingWriter()
    ring.enter(0, 7, READ, 0, 0x1000, 9)
    ring.exit(0, 7, READ, 3, items=item(1, BUFFER, b"out", flags=layout.ITEM_OUT))
    assert calls(events(ring.snapshot()))[0].read_at_exit == frozenset()
    assert not any(READ_AT_EXIT in line for line in lines(ring.snapshot(), "read"))


@pytest.mark.parametrize("entry", [item(1, BUFFER, b"old"), item(1, BUFFER, b"")])
def test_what_was_read_at_entry_is_not_marked_although_it_was_read_again(entry: bytes) -> None:
    """The argument is not marked: a call that blocked and failed is read again only in case its entry is lost."""
    ring = RingWriter()
    ring.enter(0, 7, WRITE, 1, 2, 3, items=entry)
    ring.exit(0, 7, WRITE, -32, 1, 2, 3, items=item(1, BUFFER, b"new"))
    assert calls(events(ring.snapshot()))[0].read_at_exit == frozenset()


def test_an_argument_that_could_not_be_read_at_exit_either_is_not_marked() -> None:
    ring = RingWriter()
    ring.enter(0, 7, RENAME, 1, 2, items=unread(0) + unread(1))
    ring.exit(0, 7, RENAME, -14, items=unread(0) + item(1, STRING, b""))
    (call,) = calls(events(ring.snapshot()))
    assert call.read_at_exit == {1}  # the empty string


def test_all_of_a_call_that_seccomp_refused_is_marked() -> None:
    ring = RingWriter()
    ring.exit(0, 7, RENAME, -1, 0x1000, 0x2000, items=item(0, STRING, b"/a") + item(1, STRING, b"/b"))
    marks = [line.count(READ_AT_EXIT) for line in lines(ring.snapshot(), "rename")]
    assert marks == [2, 2, 2]
    assert objects(ring.snapshot())[0]["read_at_exit"] == ["oldname", "newname"]


def test_what_the_new_program_was_given_is_not_marked() -> None:
    ring = RingWriter()
    ring.enter(0, 7, EXECVE, 1, 2, 3, items=unread(0) + unread(1, layout.KIND_ARGV))
    argv = item(1, BUFFER, b"a\0b\0", flags=layout.ITEM_OUT)
    ring.exit(0, 7, EXECVE, 0, items=item(0, STRING, b"/bin/a", flags=layout.ITEM_OUT) + argv)
    (call,) = calls(events(ring.snapshot()))
    assert call.items[0][0].data == b"/bin/a"
    assert call.read_at_exit == frozenset()


def test_no_descriptor_gets_its_name_from_it() -> None:
    made, _ = calls(known(events(opened())))
    assert made.files is not None
    assert made.files.result is None
    assert not any("<" in line for line in strace.lines(known(events(opened())), opened()))


def test_a_rename_of_such_a_name_may_be_of_any_file() -> None:
    ring = RingWriter()
    ring.enter(0, 7, OPENAT, FD, 0x1000, 0, 0, items=item(1, STRING, b"/tmp/x"))
    ring.exit(0, 7, OPENAT, 3)
    ring.enter(0, 7, RENAME, 1, 2, items=unread(0) + item(1, STRING, b"/tmp/z"))
    ring.exit(0, 7, RENAME, 0, items=item(0, STRING, b"/tmp/y"))
    ring.enter(0, 7, WRITE, 3, 0x1000, 0)
    ring.exit(0, 7, WRITE, 0)
    shown = list(strace.lines(known(events(ring.snapshot())), ring.snapshot()))
    assert "</tmp/x>" in shown[0]
    assert "write(3, " in shown[2]
