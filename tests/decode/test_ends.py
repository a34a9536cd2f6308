# SPDX-License-Identifier: Apache-2.0
"""The end of what is longer than an item: from its records to every format, with what was left out marked."""

from __future__ import annotations

import json

import pytest
from recorded_cgroups import returned
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.arguments.capture import rules
from traceloop_decode.events import events
from traceloop_decode.model import Call, Item
from traceloop_decode.selection.paths import Paths
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text import classic, jsonl, records, short, strace
from traceloop_decode.values.options import Options

WRITE, OPEN, WRITEV = 1, 2, 20
STRING, BUFFER = layout.KIND_STRING, layout.KIND_BUFFER
MORE, TAIL, FAULT = layout.ITEM_MORE, layout.ITEM_TAIL, layout.ITEM_FAULT


def ends(arg: int, kind: int, size: int, head: bytes, *tail: bytes, sub: int = 0, flags: int = 0) -> bytes:
    """The items of one memory of `size` bytes: its beginning, and its end in pieces. flags: of the last of them."""
    parts = [item(arg, kind, head, size=size, flags=MORE, sub=sub)]
    parts += [item(arg, kind, piece, size=size, flags=TAIL | flags, sub=sub) for piece in tail]
    return b"".join(parts)


def recorded(number: int, *registers: int, items: bytes) -> tuple[Call, Snapshot]:
    """A call that failed with ENOENT, and its snapshot."""
    ring = RingWriter()
    ring.enter(0, 7, number, *registers, items=items)
    ring.exit(0, 7, number, -2)
    snapshot = ring.snapshot()
    (call,) = returned(events(snapshot))
    return call, snapshot


def one(call: Call, arg: int) -> Item:
    """The one item of an argument."""
    (found,) = call.args[arg].items
    return found


def test_an_end_after_a_gap() -> None:
    call, _ = recorded(WRITE, 2, 4096, 100, items=ends(1, BUFFER, 100, b"head", b"ta", b"il"))
    assert one(call, 1) == Item(0, BUFFER, b"head", 100, more=True, fault=False, out=False, tail=b"tail")


def test_pieces_of_which_nothing_was_left_out_are_one() -> None:
    call, snapshot = recorded(WRITE, 2, 4096, 12, items=ends(1, BUFFER, 12, b"head", b" and", b" end"))
    assert one(call, 1) == Item(0, BUFFER, b"head and end", 12, more=False, fault=False, out=False)
    (line,) = short.lines([call], snapshot)
    assert line.endswith('write(fd=2, buf="head and end", count=12) = -1 ENOENT (No such file or directory)')


def test_an_end_that_could_not_be_read() -> None:
    call, _ = recorded(WRITE, 2, 4096, 100, items=ends(1, BUFFER, 100, b"head", b"part", flags=FAULT))
    assert one(call, 1) == Item(0, BUFFER, b"head", 100, more=True, fault=True, out=False)


def test_an_end_without_its_beginning() -> None:
    """An end alone is shown as some bytes of that memory."""
    call, _ = recorded(WRITE, 2, 4096, 100, items=item(1, BUFFER, b"tail", size=100, flags=TAIL))
    assert one(call, 1).data == b"tail"


def test_every_format_marks_the_gap() -> None:
    path = b"/beginning", b"name.txt"
    call, snapshot = recorded(OPEN, 4096, 0, 0, items=ends(0, STRING, 300, *path))
    (line,) = short.lines([call], snapshot)
    assert 'open(filename="/beginning"..."name.txt", flags=O_RDONLY) = ' in line
    (line,) = strace.lines([call], snapshot)
    assert 'open("/beginning"..."name.txt", O_RDONLY) ' in line
    (line,) = classic.lines([call], snapshot)
    assert 'open(filename=4096 "/beginning"..."name.txt", flags=0, mode=0) = ' in line
    (line,) = jsonl.lines([call], snapshot)
    shown = json.loads(line)["args"][0]
    assert (shown["data"], shown["tail"], shown["size"], shown["more"]) == ("/beginning", "name.txt", 300, True)
    assert shown["text"] == '"/beginning"..."name.txt"'
    assert any(" tail " in line for line in records.lines(snapshot))


def test_an_end_that_is_no_text() -> None:
    call, snapshot = recorded(WRITE, 2, 4096, 100, items=ends(1, BUFFER, 100, b"head", b"\xff"))
    (line,) = jsonl.lines([call], snapshot)
    assert json.loads(line)["args"][1]["tail_base64"] == "/w=="


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (Options(string_max=8, ends=True), '"0123"..."cdef"'),
        (Options(string_max=3, ends=True), '"01"..."f"'),
        (Options(string_max=1, ends=True), '"0"...'),
        (Options(string_max=0, ends=True), '""...'),
        (Options(string_max=99, ends=True), '"01234567"..."89abcdef"'),
        (Options(string_max=8), '"01234567"...'),
        (Options(string_max=4), '"0123"...'),
        (Options(string_max=11), '"01234567"..."def"'),
        (Options(string_max=99), '"01234567"..."89abcdef"'),
    ],
)
def test_how_much_of_both_is_shown(options: Options, shown: str) -> None:
    """-s counts from the beginning, as strace does, unless `ends` is set."""
    call, snapshot = recorded(WRITE, 2, 4096, 500, items=ends(1, BUFFER, 500, b"01234567", b"89abcdef"))
    (line,) = strace.lines([call], snapshot, options)
    assert f"write(2, {shown}, 500)" in line


def test_elements_of_a_vector() -> None:
    vector = (8192).to_bytes(8, "little") + (300).to_bytes(8, "little") + bytes(16)
    items = item(1, layout.KIND_IOVEC, vector, size=32) + ends(1, BUFFER, 300, b"head", b"tail")
    call, snapshot = recorded(WRITEV, 1, 4096, 2, items=items)
    (line,) = short.lines([call], snapshot)
    assert 'vec=[{iov_base="head"..."tail", iov_len=300}, {iov_base=NULL, iov_len=0}]' in line


def test_a_long_path_is_found() -> None:
    path = b"/a" * 200
    call, _ = recorded(OPEN, 4096, 0, 0, items=ends(0, STRING, len(path), path[:128], path[-128:]))
    assert Paths((path,)).has(call)
    assert not Paths((path + b"a",)).has(call)
    assert not Paths((b"/b" + path[2:],)).has(call)


def test_of_what_the_end_is_read() -> None:
    assert {rule.ends for rule in rules()["openat", ""].enter} == {layout.ENDS_BOTH}
    assert {rule.ends for rule in rules()["write", ""].enter} == {layout.ENDS_WRITE}
    assert {rule.ends for rule in rules()["sendto", ""].enter} == {layout.ENDS_HEAD}
