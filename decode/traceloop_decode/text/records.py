# SPDX-License-Identifier: Apache-2.0
"""The records of a ring as they lie in it, for those who debug the recorder: one line a record, by position.

::

    ring version=1 arch=x86_64 ring_size=1048576 chunk_size=16384 cookie=0x5eed head=0x8000 left_out=0 forgotten=0 ...
    cpu cpu=0 pos=0x40e8 end=0x8000 records=812 events=406 dropped=0 busy=0 late=0x0-0x0@0x0
    0x00004000 40 chunk cpu=0 records=790 events=395
    0x00004028 40 base tid=814 pid=814 ts_ns=61234 comm="bash"
    0x00004050 56 enter tid=814 delta_ns=0 nr=79 0x7ffd10 0x1000
    0x00004088 48 exit tid=814 delta_ns=512 nr=79 result=9 item arg=0 sub=0 kind=1 copied=8 size=8 out 2f657463...
    0x000040b8 48 rejected
    0x00007fb0 80 rest

The position is in hexadecimal, the length after it in bytes; names are those of record.h. ``rejected``: bytes that no
reader believes, because their stamp is wrong or a program that was lapped by the ring may have written over them.
``rest``: the end of a full chunk, where the next record did not fit (or is rejected). Chunks that are missing were
overwritten, or are rejected as a whole. Total: any bytes give lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from traceloop_decode import layout
from traceloop_decode.ring import Headers, Ring, stamp_key, unrecorded
from traceloop_decode.safe_text import printable, quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from traceloop_decode.snapshot import Snapshot

_TYPES: Final = {
    layout.TYPE_CHUNK: "chunk",
    layout.TYPE_BASE: "base",
    layout.TYPE_ENTER: "enter",
    layout.TYPE_EXIT: "exit",
    layout.TYPE_SIGNAL: "signal",
    layout.TYPE_TASK_EXIT: "task_exit",
    layout.TYPE_SIGNAL_SENT: "signal_sent",
}
_ITEM_FLAGS: Final = ((layout.ITEM_OUT, "out"), (layout.ITEM_MORE, "more"), (layout.ITEM_FAULT, "fault"))
_WORD: Final = 8


def lines(snapshot: Snapshot) -> Iterator[str]:
    """The ring's headers, then every chunk that can be read, in the order of positions."""
    yield from _headers(snapshot)
    ring = Ring(snapshot)
    for start, limit in sorted(ring.chunks()):
        yield from _chunk(snapshot, ring, start, limit)


def _headers(snapshot: Snapshot) -> Iterator[str]:
    headers, missing = Headers.parse(snapshot.headers[0], snapshot.cpus), unrecorded(snapshot)
    yield (
        f"ring version={snapshot.record_version} arch={printable(snapshot.arch)} ring_size={snapshot.ring_size} "
        f"chunk_size={snapshot.chunk_size} cookie={headers.cookie:#x} head={headers.head:#x} "
        f"left_out={missing.cgroups} forgotten={missing.rereads} io_urings={missing.io_urings} "
        f"started_ns={snapshot.started_ns} taken_ns={snapshot.taken_ns}"
    )
    for number, cpu in enumerate(headers.cpus):
        if cpu.pos or cpu.dropped:
            late = "".join(f" late={start:#x}-{to:#x}@{head:#x}" for start, to, head in cpu.late if head)
            yield (
                f"cpu cpu={number} pos={cpu.pos:#x} end={cpu.end:#x} records={cpu.records} events={cpu.events} "
                f"dropped={cpu.dropped} busy={cpu.busy:#x}{late}"
            )


def _chunk(snapshot: Snapshot, ring: Ring, start: int, limit: int) -> Iterator[str]:
    offset = start & snapshot.ring_size - 1
    key, distance = stamp_key(start, offset, ring.headers.cookie), start - offset
    at = rejected = offset
    until = limit - distance
    while at + layout.HEADER.size <= until:
        stamp, tid, delta_ns, nr, length_type = layout.HEADER.unpack_from(snapshot.data, at)
        length = (length_type & layout.LENGTH_MASK) * layout.POSITION_UNIT
        believed = stamp == at >> 3 ^ key and layout.HEADER.size <= length <= until - at
        if not believed or ring.may_be_damaged(at + distance, length):
            at += layout.POSITION_UNIT
            continue
        if rejected < at:
            yield f"{rejected + distance:#010x} {at - rejected} rejected"
        record = snapshot.data[at : at + length]
        text = _record(length_type >> layout.LENGTH_BITS, tid, delta_ns, nr, record)
        yield f"{at + distance:#010x} {length} {text}"
        at = rejected = at + length
    if rejected < until:
        full = limit == start + snapshot.chunk_size
        yield f"{rejected + distance:#010x} {until - rejected} {'rest' if full else 'rejected'}"


def _record(kind: int, tid: int, delta_ns: int, nr: int, record: bytes) -> str:
    body = record[layout.HEADER.size :]
    if kind == layout.TYPE_CHUNK and len(record) >= layout.CHUNK.size:
        *_, records, events, cpu, _pad = layout.CHUNK.unpack_from(record)
        return f"chunk cpu={cpu} records={records} events={events}"
    if kind == layout.TYPE_BASE and len(record) >= layout.BASE.size:
        *_, ts_ns, comm = layout.BASE.unpack_from(record)
        return f"base tid={tid} pid={delta_ns} ts_ns={ts_ns} comm={_name(comm)}"
    return f"{_TYPES.get(kind, f'type{kind}')} tid={tid} delta_ns={delta_ns} {_body(kind, nr, body)}".rstrip()


def _body(kind: int, nr: int, body: bytes) -> str:
    if kind in (layout.TYPE_ENTER, layout.TYPE_EXIT):
        return _call(kind, nr, body)
    if kind == layout.TYPE_SIGNAL and len(body) >= layout.SIGNAL.size:
        siginfo, handler, flags = layout.SIGNAL.unpack_from(body)
        return f"nr={nr} handler={handler:#x} flags={flags:#x} siginfo={siginfo.hex()}"
    if kind == layout.TYPE_SIGNAL_SENT and len(body) >= layout.SIGNAL_SENT.size:
        siginfo, pid, tid, comm = layout.SIGNAL_SENT.unpack_from(body)
        return f"nr={nr} sender_pid={pid} sender_tid={tid} sender_comm={_name(comm)} siginfo={siginfo.hex()}"
    if kind == layout.TYPE_TASK_EXIT and len(body) >= layout.TASK_EXIT.size:
        code, group_dead = layout.TASK_EXIT.unpack_from(body)
        return f"code={code:#x} group_dead={group_dead}"
    return f"nr={nr} {body.hex()}"


def _call(kind: int, nr: int, body: bytes) -> str:
    # As record.h has it: [number], result of an exit, registers, items.
    said = [f"nr={nr & layout.NR_MASK}"]
    if nr & layout.NR_COMPAT:
        said.append("compat")
    at = 0
    if nr & layout.NR_MASK == layout.NR_WIDE:
        said.append(f"number={_signed(body[:_WORD])}")
        at += _WORD
    if kind == layout.TYPE_EXIT:
        said.append(f"result={_signed(body[at : at + _WORD])}")
        at += _WORD
    for _ in range(nr >> layout.NR_ARGS_SHIFT & layout.NR_ARGS_MASK):
        said.append(f"{int.from_bytes(body[at : at + _WORD], 'little'):#x}")
        at += _WORD
    while at + layout.ITEM.size <= len(body):
        arg, what, copied, size = layout.ITEM.unpack_from(body, at)
        at += layout.ITEM.size
        flags = "".join(f" {name}" for bit, name in _ITEM_FLAGS if what & bit)
        said.append(
            f"item arg={arg & layout.ITEM_ARG_MASK} sub={arg >> layout.ITEM_SUB_SHIFT} kind={what & layout.KIND_MASK} "
            f"copied={copied} size={size}{flags} {body[at : at + copied].hex()}".rstrip()
        )
        at += -(-copied // layout.POSITION_UNIT) * layout.POSITION_UNIT
    return " ".join(said)


def _name(comm: bytes) -> str:
    return quote(comm.partition(b"\0")[0])


def _signed(word: bytes) -> int:
    return int.from_bytes(word, "little", signed=True)
