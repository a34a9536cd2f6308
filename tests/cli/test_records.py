# SPDX-License-Identifier: Apache-2.0
"""`show -o records`: every record of a ring with its position, and those that are rejected."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace
from functools import cache

import click
import pytest
from click.testing import CliRunner
from golden.record import HERE, NAMES
from ringwriter import RingWriter, item

from traceloop_cli.options import rendering
from traceloop_decode import layout
from traceloop_decode.ring_reader import Record, RingReader
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text import records

COMPAT = layout.NR_COMPAT
LINE = re.compile(r"0x(?P<at>[0-9a-f]{8,}) (?P<length>\d+) (?P<what>\w+)(?: (?P<rest>.*))?")
TYPES = {"enter": 3, "exit": 4, "signal": 5, "task_exit": 6, "signal_sent": 7}


def written() -> RingWriter:
    """Makes a ring with one record of each type, and each part that a call may have."""
    ring = RingWriter(ring_size=1 << 14, chunk_size=1 << 11)
    ring.left_out, ring.forgotten, ring.io_urings = 2, 3, 1
    ring.name(7, 5, 'a"\x1b')
    ring.enter(0, 7, 257, 0xFFFFFF9C, 0x7FFD10, items=item(1, layout.KIND_STRING, b"/etc", flags=layout.ITEM_MORE))
    ring.exit(0, 7, 257, -2, items=item(2, layout.KIND_BUFFER, b"", size=9, flags=0xA0, sub=3))
    ring.enter(1, 8, 99999, 1)
    ring.record(0, 7, layout.TYPE_ENTER, 4 | COMPAT, bytes(layout.ROOM.size))
    ring.signal(0, 7, 17)
    ring.signal_sent(0, 7, 15, 0, sender=814, comm="bash")
    ring.task_exit(0, 7, 15)
    ring.record(layout.TYPE_LEFT, 7, 0, 1, (4711).to_bytes(8, "little"))
    return ring


def test_lines() -> None:
    siginfo = "0f" + "00" * 15 + "05" + "00" * 31
    rest = "left_out=2 forgotten=3 io_urings=1 started_ns=1000000 taken_ns=1008000"
    path = "item arg=1 sub=0 kind=1 copied=4 size=4 more 2f657463"
    sent = f'sender_pid=814 sender_tid=814 sender_comm="bash" siginfo={siginfo}'
    assert list(records.lines(written().snapshot())) == [
        f"ring version=2 arch=x86_64 ring_size=16384 chunk_size=2048 cookie=0x5eed head=0x1000 {rest}",
        "cpu cpu=0 pos=0x198 end=0x800 records=7 events=4 dropped=0 busy=0x0",
        "cpu cpu=1 pos=0x878 end=0x1000 records=1 events=1 dropped=0 busy=0x0",
        "0x00000000 40 chunk cpu=0 records=0 events=0",
        r'0x00000028 40 base tid=7 pid=5 ts_ns=1001000 comm="a\"\33"',
        f"0x00000050 56 enter tid=7 delta_ns=0 nr=257 0xffffff9c 0x7ffd10 {path}",
        "0x00000088 32 exit tid=7 delta_ns=1000 nr=257 result=-2 item arg=2 sub=3 kind=2 copied=0 size=9 out fault",
        "0x000000a8 24 enter tid=7 delta_ns=3000 nr=4 compat",
        f"0x000000c0 80 signal tid=7 delta_ns=4000 nr=17 handler=0x0 flags=0x0 siginfo={'00' * 48}",
        f"0x00000110 88 signal_sent tid=7 delta_ns=5000 nr=15 {sent}",
        "0x00000168 24 task_exit tid=7 delta_ns=6000 code=0xf group_dead=1",
        "0x00000180 24 left tid=7 delta_ns=7000 cgroup=4711",
        "0x00000800 40 chunk cpu=1 records=0 events=0",
        '0x00000828 40 base tid=8 pid=8 ts_ns=1003000 comm="t8"',
        "0x00000850 40 enter tid=8 delta_ns=0 nr=4095 number=99999 0x1",
    ]


def test_details_of_signals() -> None:
    ring = RingWriter()
    ring.sender(0, 7, 10, sender=814, comm="bash")
    ring.sender(0, 7, 15, sender=814, comm="bash", ignored=True)
    ring.oom(0, 7, (3, 4))
    ring.fault(0, 7, 11, ip=5, frames=[])
    sent, ignored, oom, fault = list(records.lines(ring.snapshot()))[-4:]
    assert sent.split(" ", 2)[2].startswith(
        'sender tid=7 delta_ns=0 nr=10 sender_pid=814 sender_tid=814 sender_comm="bash"'
    )
    assert ignored.split(" ", 2)[2].startswith("signal_ignored tid=7 delta_ns=1000 nr=15 sender_pid=814")
    assert oom.split(" ", 2)[2].startswith("oom tid=7 delta_ns=2000 nr=0 03000000000000000400000000000000")
    assert " fault=0500000000000000" in fault


def test_a_return_in_the_record_of_its_entry() -> None:
    ring = RingWriter()
    ring.enter(0, 7, 39)
    ring.returns(0, -2)
    ring.enter(0, 7, 0, 3)
    ring.returns(0, 4, items=item(1, layout.KIND_BUFFER, b"abcd", flags=layout.ITEM_OUT))
    written = "item arg=1 sub=0 kind=2 copied=4 size=4 out 61626364"
    assert list(records.lines(ring.snapshot()))[-2:] == [
        "0x00000050 24 call tid=7 delta_ns=0 duration_ns=1000 result=-2 nr=39",
        f"0x00000068 56 call_out tid=7 delta_ns=2000 duration_ns=1000 nr=0 0x3 result=4 {written}",
    ]


def test_what_has_no_stamp_is_rejected() -> None:
    snapshot = written().snapshot()
    data = bytearray(snapshot.data)
    data[0x50] ^= 1
    data[0x168] ^= 1
    found = list(records.lines(replace(snapshot, data=bytes(data))))
    assert "0x00000050 56 rejected" in found
    assert "0x00000168 24 rejected" in found
    assert len(found) == len(list(records.lines(snapshot)))


def test_what_a_lapped_program_may_have_written_over_is_rejected() -> None:
    ring = RingWriter(ring_size=1 << 13, chunk_size=1 << 11, cpus=2)
    for _ in range(3):
        ring.enter(1, 9, 39)
    stalled = ring.begin(1, 9, layout.HEADER.size + layout.ROOM.size)
    lapped = ring.ring_size + stalled.start
    while ring.cpus[0].pos <= lapped + 2 * (layout.HEADER.size + layout.ROOM.size):
        ring.enter(0, 7, 39)
    data = ring.snapshot().data  # all stamps in it are right
    ring.finish(stalled, layout.TYPE_ENTER, 39, bytes(layout.ROOM.size))
    found = list(records.lines(replace(ring.snapshot(), data=data)))
    assert re.search(r"^cpu cpu=1 .* late=0x98-0xb0@0x\w+$", "\n".join(found), re.MULTILINE)
    assert f"{lapped:#010x} 24 rejected" in found


@cache
def kept(name: str) -> Snapshot:
    return Snapshot.decode(zlib.decompress((HERE / f"{name}.snapshot").read_bytes()))


@pytest.mark.parametrize("name", NAMES)
def test_they_are_the_records_that_the_ring_reader_believes(name: str) -> None:
    """An independent reader without positions finds the same records: cpu, thread, type and time of each."""
    snapshot, found, end = kept(name), [], 0
    cpu = base_ns = 0
    for line in records.lines(snapshot):
        if line.startswith(("ring ", "cpu ")):
            continue
        match = LINE.fullmatch(line)
        assert match is not None, line
        at, fields = int(match["at"], 16), dict(re.findall(r"(\w+)=(-?\w+)", match["rest"] or ""))
        assert at >= end
        end = at + int(match["length"])
        if match["what"] == "chunk":
            cpu = int(fields["cpu"])
        elif match["what"] == "rest":
            continue
        elif match["what"] == "base":
            base_ns = int(fields["ts_ns"])
        else:
            found.append((base_ns + int(fields["delta_ns"]), cpu, int(fields["tid"]), TYPES[match["what"]]))
    read = [(r.ts_ns, r.cpu, r.tid, r.type) for r in RingReader(snapshot).records() if isinstance(r, Record)]
    assert len(read) > 10
    assert sorted(found) == sorted(read)


def shown(*argv: str) -> rendering.Rendering:
    """Parses the options of `show` into a rendering."""
    made: list[rendering.Rendering] = []

    @click.command
    @rendering.rendering_options
    def show(**options: object) -> None:
        made.append(rendering.Rendering(**options))

    result = CliRunner().invoke(show, ["-o", "records", *argv], standalone_mode=False)
    if result.exception:
        raise result.exception
    made[0].check()
    return made[0]


def test_the_last_lines_and_the_newest_first() -> None:
    snapshot = written().snapshot()
    whole = list(records.lines(snapshot))
    assert list(shown().lines(snapshot)) == whole
    assert list(shown("-n", "2", "-r").lines(snapshot)) == whole[:-3:-1]
    assert not shown().is_for_people


@pytest.mark.parametrize(
    "option",
    [("-e", "read"), ("-P", "/x"), ("-z",), ("-Z",), ("-c",), ("-C",), ("-y",), ("-S", "-1h"), ("-U", "now")],
    ids=lambda option: option[0],
)
def test_options_that_choose_events_are_refused(option: tuple[str, ...]) -> None:
    with pytest.raises(click.UsageError, match=f"^{option[0]} works with every format except -o records.$"):
        shown(*option)
