# SPDX-License-Identifier: Apache-2.0
"""Raw dump of a ring for debugging the recorder: one line per record, in the order of positions.

::

    ring version=1 arch=x86_64 ring_size=1048576 chunk_size=16384 cookie=0x5eed head=0x8000 left_out=0 forgotten=0 ...
    cpu cpu=0 pos=0x40e8 end=0x8000 records=812 events=406 dropped=0 busy=0 late=0x0-0x0@0x0
    0x00004000 40 chunk cpu=0 records=790 events=395
    0x00004028 40 base tid=814 pid=814 ts_ns=61234 comm="bash"
    0x00004050 56 enter tid=814 delta_ns=0 nr=79 0x7ffd10 0x1000
    0x00004088 48 exit tid=814 delta_ns=512 nr=79 result=9 item arg=0 sub=0 kind=1 copied=8 size=8 out 2f657463...
    0x000040b8 48 rejected
    0x00007fb0 80 rest

The position is in hexadecimal, followed by the length in bytes; names are record.h's. ``rejected``: bytes that readers
skip, because their stamp is wrong or because a lapped writer may have overwritten them. ``rest``: the end of a full
chunk, where the next record did not fit (or is rejected). Missing chunks were overwritten, or are rejected as a whole.
The dump is total: any bytes give lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from traceloop_decode import layout
from traceloop_decode.ring_headers import Headers, unrecorded
from traceloop_decode.ring_reader import RingReader, stamp_key
from traceloop_decode.safe_text import printable, quote
from traceloop_decode.submitted import first_item

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
    layout.TYPE_LEFT: "left",
    layout.TYPE_SIGNAL_IGNORED: "signal_ignored",
    layout.TYPE_SENDER: "sender",
    layout.TYPE_OOM: "oom",
    layout.TYPE_CALL: "call",
    layout.TYPE_CALL_OUT: "call_out",
    layout.TYPE_CAPABILITY: "capability",
    layout.TYPE_RETURN: "return",
}
_SENT: Final = (layout.TYPE_SIGNAL_SENT, layout.TYPE_SIGNAL_IGNORED, layout.TYPE_SENDER)
_ITEM_FLAGS: Final = (
    *((layout.ITEM_OUT, "out"), (layout.ITEM_MORE, "more"), (layout.ITEM_FAULT, "fault")),
    (layout.ITEM_TAIL, "tail"),
)
_WORD: Final = 8


def lines(snapshot: Snapshot) -> Iterator[str]:
    """Yields the ring's headers, then every chunk that can be read, in the order of positions."""
    yield from _headers(snapshot)
    ring = RingReader(snapshot)
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


def _chunk(snapshot: Snapshot, ring: RingReader, start: int, limit: int) -> Iterator[str]:
    offset = start & snapshot.ring_size - 1
    key, distance = stamp_key(start, offset, ring.headers.cookie), start - offset
    at = rejected = offset
    form = layout.FORMS[snapshot.record_version]
    until = limit - distance
    while at + layout.HEADER.size <= until:
        stamp, tid, delta_ns, nr, length_type = layout.HEADER.unpack_from(snapshot.data, at)
        kind, length = length_type >> form.length_bits, (length_type & form.length_mask) * layout.POSITION_UNIT
        if length > until - at and kind in (layout.TYPE_CALL, layout.TYPE_CALL_OUT):
            kind, length = layout.TYPE_ENTER, until - at  # its return was recorded after the cut
        believed = stamp == at >> 3 ^ key and layout.HEADER.size <= length <= until - at
        if not believed or ring.may_be_damaged(at + distance, length):
            at += layout.POSITION_UNIT
            continue
        if rejected < at:
            yield f"{rejected + distance:#010x} {at - rejected} rejected"
        record = snapshot.data[at : at + length]
        text = _record(kind, tid, delta_ns, nr, record, room=form.room)
        yield f"{at + distance:#010x} {length} {text}"
        at = rejected = at + length
    if rejected < until:
        full = limit == start + snapshot.chunk_size
        yield f"{rejected + distance:#010x} {until - rejected} {'rest' if full else 'rejected'}"


def _record(kind: int, tid: int, delta_ns: int, nr: int, record: bytes, *, room: int) -> str:
    begun = kind in (layout.TYPE_ENTER, layout.TYPE_CALL, layout.TYPE_CALL_OUT)
    first = layout.HEADER.size + (room if begun and nr & layout.REQUEST != layout.REQUEST else 0)
    body = record[first:]
    if kind in (layout.TYPE_CALL, layout.TYPE_CALL_OUT) and len(record) >= first:
        return _completed(kind, tid, delta_ns, nr, record)
    if kind == layout.TYPE_CHUNK and len(record) >= layout.CHUNK.size:
        *_, records, events, cpu, _pad = layout.CHUNK.unpack_from(record)
        return f"chunk cpu={cpu} records={records} events={events}"
    if kind == layout.TYPE_BASE and len(record) >= layout.BASE.size:
        *_, ts_ns, comm = layout.BASE.unpack_from(record)
        return f"base tid={tid} pid={delta_ns} ts_ns={ts_ns} comm={_name(comm)}"
    return f"{_TYPES.get(kind, f'type{kind}')} tid={tid} delta_ns={delta_ns} {_body(kind, nr, body)}".rstrip()


def _completed(kind: int, tid: int, delta_ns: int, nr: int, record: bytes) -> str:
    # An entry whose return is in the same record.
    duration_ns, its = layout.ROOM.unpack_from(record, layout.HEADER.size)
    first = layout.HEADER.size + layout.ROOM.size
    end = its if kind == layout.TYPE_CALL_OUT and first <= its <= len(record) else len(record)
    said = f"{_TYPES[kind]} tid={tid} delta_ns={delta_ns} duration_ns={duration_ns}"
    begun = _call(layout.TYPE_ENTER, nr, record[first:end])
    if kind == layout.TYPE_CALL:
        return f"{said} result={its} {begun}"
    result = " ".join((f"result={_signed(record[end : end + _WORD])}", *_items(record, end + _WORD)))
    return f"{said} {begun} {result}"


def _capability(nr: int, body: bytes) -> str:
    number, granted = layout.CAPABILITY.unpack_from(body)
    compat = " compat" if nr & layout.NR_COMPAT else ""
    return f"nr={nr & layout.NR_MASK}{compat} capability={number} granted={granted}"


def _body(kind: int, nr: int, body: bytes) -> str:
    if kind in (layout.TYPE_ENTER, layout.TYPE_EXIT, layout.TYPE_RETURN):
        return _call(kind, nr, body)
    if kind == layout.TYPE_CAPABILITY and len(body) >= layout.CAPABILITY.size:
        return _capability(nr, body)
    if kind == layout.TYPE_SIGNAL and len(body) >= layout.SIGNAL.size:
        siginfo, handler, flags = layout.SIGNAL.unpack_from(body)
        fault = f" fault={body[layout.SIGNAL.size :].hex()}" if len(body) > layout.SIGNAL.size else ""
        return f"nr={nr} handler={handler:#x} flags={flags:#x} siginfo={siginfo.hex()}{fault}"
    if kind in _SENT and len(body) >= layout.SIGNAL_SENT.size:
        siginfo, pid, tid, comm = layout.SIGNAL_SENT.unpack_from(body)
        return f"nr={nr} sender_pid={pid} sender_tid={tid} sender_comm={_name(comm)} siginfo={siginfo.hex()}"
    if kind == layout.TYPE_TASK_EXIT and len(body) >= layout.TASK_EXIT.size:
        code, group_dead = layout.TASK_EXIT.unpack_from(body)
        return f"code={code:#x} group_dead={group_dead}"
    return f"cgroup={int.from_bytes(body[:_WORD], 'little')}" if kind == layout.TYPE_LEFT else f"nr={nr} {body.hex()}"


def _call(kind: int, nr: int, body: bytes) -> str:
    # The order of record.h: [number], an exit's result, registers, items.
    if nr & layout.REQUEST == layout.REQUEST:
        return _request(kind, nr, body)
    said = [f"nr={nr & layout.NR_MASK}"]
    if nr & layout.NR_COMPAT:
        said.append("compat")
    at = 0
    if nr & layout.NR_MASK == layout.NR_WIDE:
        said.append(f"number={_signed(body[:_WORD])}")
        at += _WORD
    if kind != layout.TYPE_ENTER:
        result = _signed(body[at : at + _WORD])
        said.append(f"result={'none' if result == layout.NO_RESULT else result}")
        at += _WORD
    for _ in range(nr >> layout.NR_ARGS_SHIFT & layout.NR_ARGS_MASK):
        said.append(f"{int.from_bytes(body[at : at + _WORD], 'little'):#x}")
        at += _WORD
    return " ".join((*said, *_items(body, at)))


def _request(kind: int, nr: int, body: bytes) -> str:
    # The order of requests.h.
    at, opcode = first_item(kind, nr), nr & layout.REQUEST_OPCODE_MASK
    if len(body) < at:
        return f"nr={nr} {body.hex()}"
    if kind == layout.TYPE_EXIT:
        request, instance, user_data, result, flags = layout.REQUEST_DONE.unpack_from(body)
        more = f"result={result} flags={flags:#x}{' again' if nr & layout.REQUEST_AGAIN else ''}"
        return " ".join((f"opcode={opcode}", *_ids(request, instance, user_data), more, *_items(body, at)))
    request, instance, user_data, flags, slot = layout.REQUEST_HEAD.unpack_from(body)
    words = range(layout.REQUEST_HEAD.size, at, _WORD)
    said = [f"flags={flags:#x} slot={slot:#x}{' refused' if nr & layout.REQUEST_REFUSED else ''}"]
    said += [f"{int.from_bytes(body[word : word + _WORD], 'little'):#x}" for word in words]
    return " ".join((f"opcode={opcode}", *_ids(request, instance, user_data), *said, *_items(body, at)))


def _ids(request: int, instance: int, user_data: int) -> tuple[str, str, str]:
    return f"request={request:#x}", f"instance={instance:#x}", f"user_data={user_data:#x}"


def _items(body: bytes, at: int) -> Iterator[str]:
    while at + layout.ITEM.size <= len(body):
        arg, what, copied, size = layout.ITEM.unpack_from(body, at)
        at += layout.ITEM.size
        flags = "".join(f" {name}" for bit, name in _ITEM_FLAGS if what & bit)
        yield (
            f"item arg={arg & layout.ITEM_ARG_MASK} sub={arg >> layout.ITEM_SUB_SHIFT} kind={what & layout.KIND_MASK} "
            f"copied={copied} size={size}{flags} {body[at : at + copied].hex()}".rstrip()
        )
        at += -(-copied // layout.POSITION_UNIT) * layout.POSITION_UNIT


def _name(comm: bytes) -> str:
    return quote(comm.partition(b"\0")[0])


def _signed(word: bytes) -> int:
    return int.from_bytes(word, "little", signed=True)
