# SPDX-License-Identifier: Apache-2.0
"""Calls that the tables lack but the kernel named are stored in snapshots, and printed by their arguments' C types."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ringwriter import RingWriter

from traceloop_decode.events import events
from traceloop_decode.later_calls import lacking, params
from traceloop_decode.model import DecodeError
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import I386, X86_64, Param, Syscall
from traceloop_decode.text import classic, jsonl, short, strace

NEW = 500
CALL = Syscall("brand_new", (Param("fd", "int"), Param("buf", "const char *"), Param("flags", "unsigned int")))
FORMAT = """\
name: sys_enter_cachestat
ID: 123
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:int __syscall_nr;	offset:8;	size:4;	signed:1;
	field:unsigned int fd;	offset:16;	size:8;	signed:0;
	field:struct cachestat_range * cstat_range;	offset:24;	size:8;	signed:0;
	field:const char *const * argv;	offset:32;	size:8;	signed:0;

print fmt: "fd: 0x%08lx", ((unsigned long)(REC->fd))
"""


def snapshot(number=NEW, **more):
    ring = RingWriter()
    ring.enter(0, 7, number, 0xFFFF_FFFF, 0x1000, 5, 6, 7, 8)
    ring.exit(0, 7, number, -9)
    return replace(ring.snapshot(), syscalls={number: CALL}, **more)


def shown(output, given):
    travelled = Snapshot.decode(given.encode())
    assert travelled == given
    (line,) = output.lines(events(travelled), travelled)
    return line


def test_a_later_call_has_its_name_and_types_in_every_format():
    text = "brand_new(-1, 0x1000, 5) = -1 EBADF (Bad file descriptor)"
    assert " ".join(shown(strace, snapshot()).split()) == f"7 {text}"
    assert shown(short, snapshot()).endswith("brand_new(fd=-1, buf=0x1000, flags=5) = -1 EBADF (Bad file descriptor)")
    assert "brand_new(fd=4294967295, buf=4096, flags=5) = " in shown(classic, snapshot())
    found = json.loads(shown(jsonl, snapshot()))
    assert (found["syscall"], [(arg["name"], arg["value"]) for arg in found["args"]]) == (
        "brand_new",
        [("fd", -1), ("buf", 4096), ("flags", 5)],
    )


def test_the_table_comes_first():
    assert "close(" in shown(strace, snapshot(number=3))


def test_another_machines_table_lacks_it_too():
    assert "brand_new(-1, 0x1000, 5)" in shown(strace, snapshot(arch="aarch64"))


def test_snapshots_without_have_no_field():
    given = replace(snapshot(), syscalls={})
    assert b"syscalls" not in given.encode()
    assert "syscall_0x1f4(0xffffffff, 0x1000, 0x5, 0x6, 0x7, 0x8)" in shown(strace, given)


@pytest.mark.parametrize(
    "damaged",
    [
        [],
        {"x": ["a", []]},
        {"500": "a"},
        {"500": ["a"]},
        {"500": ["a", [["b"]]]},
        {"500": ["a\x1b[31m", []]},
        {"500": ["a", [["b", "int\n"]]]},
        {"500": ["a", [["b", 7]]]},
        {"500": ["a", [[f"b{n}", "int"] for n in range(7)]]},
        {str(n): ["a", []] for n in range(500, 800)},
        None,
        7,
    ],
)
def test_damaged_ones_are_refused_in_one_line(damaged):
    text = json.dumps({"syscalls": damaged})
    encoded = snapshot().encode()
    length = int.from_bytes(encoded[8:12], "little")
    fields = json.loads(encoded[12 : 12 + length]) | json.loads(text)
    body = json.dumps(fields).encode()
    with pytest.raises(DecodeError, match=r"^damaged snapshot: syscalls: [^\n]*$"):
        Snapshot.decode(encoded[:8] + len(body).to_bytes(4, "little") + body + encoded[12 + length :])


def test_what_tracefs_says_of_a_call():
    assert params(FORMAT) == (
        Param("fd", "unsigned int"),
        Param("cstat_range", "struct cachestat_range *"),
        Param("argv", "const char *const *"),
    )


def test_functions_with_another_name_than_their_call_are_known():
    assert lacking(("newstat", "umount", "read", "brand_new", "olduname"), (X86_64, I386)) == ["brand_new"]
