# SPDX-License-Identifier: Apache-2.0
"""Writes a ring in Python as writer.bpf.h does by the definitions of `record.h`, but step by step and at any place.

`record` writes one record as a program in the kernel does. `begin` and `finish` are its two halves: what a test does
between them happens while that program is stalled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import pack

from traceloop_decode import layout
from traceloop_decode.areas import FIRSTS, Area
from traceloop_decode.capabilities import mask_of
from traceloop_decode.ring_reader import NO_EVENTS
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.totals import Totals

_PREFIX = layout.CHUNK.size + layout.BASE.size
_SLACK = 4096


@dataclass
class Cpu:
    """The fields of struct tl_cpu."""

    pos: int = 0
    end: int = 0
    records: int = 0
    events: int = 0
    busy: int = 0
    base_ns: int = 0
    tid: int = 0
    renames: int = 0
    dropped: int = 0
    late: list[tuple[int, int, int]] = field(default_factory=lambda: [(0, 0, 0)] * layout.LATE)
    late_count: int = 0
    open: int = 0
    open_end: int = 0
    granted: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)

    def pack(self) -> bytes:
        pads = [0] * layout.LATE
        pads[layout.GRANTED], pads[layout.REFUSED] = mask_of(self.granted), mask_of(self.refused)
        late = b"".join(pack("<QQQQ", *entry, pad) for entry, pad in zip(self.late, pads, strict=True))
        numbers = (self.pos, self.end, self.records, self.events, self.busy, self.base_ns, self.tid, self.renames)
        return layout.CPU.pack(*numbers, self.dropped, late, self.late_count, 0, 0, 0, self.open, 0)


@dataclass(frozen=True)
class Started:
    """A record between `begin` and `finish`. start: the first position written for it."""

    cpu: int
    start: int
    pos: int
    tid: int
    now_ns: int


class RingWriter:
    """A ring in memory. `now_ns` is its clock, which advances by 1,000 ns per record."""

    def __init__(
        self,
        ring_size: int = 1 << 15,
        chunk_size: int = 1 << 12,
        cpus: int = 2,
        cookie: int = 0x5EED,
        *,
        version: int = layout.RECORD_VERSION,
        firsts_size: int = 0,
    ) -> None:
        self.version, self._form = version, layout.FORMS[version]
        self.ring_size, self.chunk_size, self.cookie = ring_size, chunk_size, cookie
        self.head, self.renames, self.now_ns = 0, 0, 1_000_000
        self.left_out = self.forgotten = self.io_urings = 0
        self.data = bytearray(ring_size)
        self.cpus = [Cpu() for _ in range(cpus)]
        self.names: dict[int, tuple[int, str]] = {}
        self.firsts_size, self.firsts_kept, self.firsts_head = firsts_size, firsts_size // 4 // 8 * 8, 0
        self.firsts = bytearray(firsts_size + _SLACK)
        self.totals: Totals | None = None
        self.notes_capabilities = False
        self.ooms = self.ooms_by_limit = 0

    def name(self, tid: int, pid: int, comm: str) -> None:
        """Renames a thread; an unnamed thread is its own process, with a name like t7."""
        self.names[tid] = pid, comm
        self.renames += 1

    def enter(self, cpu: int, tid: int, nr: int, *registers: int, items: bytes = b"") -> int:
        """Writes a TL_ENTER; returns its position."""
        wide = pack("<q", nr) if not 0 <= nr < layout.NR_WIDE else b""
        short = (layout.NR_WIDE if wide else nr) | len(registers) << layout.NR_ARGS_SHIFT
        body = bytes(self._form.room) + wide + pack(f"<{len(registers)}Q", *registers) + items
        pos = self.record(cpu, tid, layout.TYPE_ENTER, short, body)
        self.cpus[cpu].open, self.cpus[cpu].open_end = pos, self.cpus[cpu].pos
        return pos

    def returns(self, cpu: int, result: int, *, items: bytes = b"") -> None:
        """Completes the entry that was the CPU's last record, as complete() of writer.bpf.h does."""
        its = self.cpus[cpu]
        assert its.open, "no entry to complete"
        assert its.open_end == its.pos, "something was written after it"
        self.now_ns += 1000
        at, length = its.open % self.ring_size, its.pos - its.open
        stamp, tid, delta_ns, nr, _ = layout.HEADER.unpack_from(self.data, at)
        out = items or not -1 << 31 <= result < 1 << 31
        end = pack("<q", result) + items if out else b""
        room = layout.ROOM.pack(self.now_ns - its.base_ns - delta_ns, length if out else result)
        self.data[at + layout.HEADER.size : at + layout.HEADER.size + len(room)] = room
        self.data[at + length : at + length + len(end)] = end
        type_ = layout.TYPE_CALL_OUT if out else layout.TYPE_CALL
        length_type = length + len(end) >> 3 | type_ << self._form.length_bits
        self.data[at : at + layout.HEADER.size] = layout.HEADER.pack(stamp, tid, delta_ns, nr, length_type)
        its.pos += len(end)
        its.open = 0

    def exit(self, cpu: int, tid: int, nr: int, result: int, *registers: int, items: bytes = b"") -> int:
        """Writes a TL_EXIT; returns its position."""
        wide = pack("<q", nr) if not 0 <= nr < layout.NR_WIDE else b""
        short = (layout.NR_WIDE if wide else nr) | len(registers) << layout.NR_ARGS_SHIFT
        body = wide + pack(f"<q{len(registers)}Q", result, *registers) + items
        return self.record(cpu, tid, layout.TYPE_EXIT, short, body)

    def submit(
        self,
        cpu: int,
        tid: int,
        opcode: int,
        *registers: int,
        request: int = 1,
        user_data: int = 0,
        flags: int = 0,
        slot: int = 0,
        refused: bool = False,
        items: bytes = b"",
    ) -> int:
        """The TL_ENTER of a request of io_uring; its position."""
        nr = layout.REQUEST | len(registers) << layout.REQUEST_ARGS_SHIFT | layout.REQUEST_REFUSED * refused | opcode
        head = layout.REQUEST_HEAD.pack(request, 1, user_data, flags, slot)
        body = head + pack(f"<{len(registers)}Q", *(register & (1 << 64) - 1 for register in registers)) + items
        return self.record(cpu, tid, layout.TYPE_ENTER, nr, body)

    def complete(
        self,
        cpu: int,
        tid: int,
        opcode: int,
        result: int,
        *,
        request: int = 1,
        user_data: int = 0,
        flags: int = 0,
        again: bool = False,
        last: bool = False,
        items: bytes = b"",
    ) -> int:
        """The TL_EXIT of a request of io_uring; its position. again: it names none. last: the queue was full."""
        nr = layout.REQUEST | (layout.REQUEST_AGAIN if again else opcode) | layout.REQUEST_LAST * last
        body = layout.REQUEST_DONE.pack(0 if again else request, 1, user_data, result, flags)
        return self.record(cpu, tid, layout.TYPE_EXIT, nr, body + items)

    def signal(self, cpu: int, tid: int, number: int) -> int:
        """Writes a TL_SIGNAL; returns its position."""
        return self.record(cpu, tid, layout.TYPE_SIGNAL, number, layout.SIGNAL.pack(bytes(48), 0, 0))

    def signal_sent(self, cpu: int, tid: int, number: int, code: int, *, sender: int, comm: str) -> int:
        """Writes a TL_SIGNAL_SENT; returns its position."""
        siginfo = pack("<iii4xi", number, 0, code, 5)
        return self.record(
            cpu, tid, layout.TYPE_SIGNAL_SENT, number, layout.SIGNAL_SENT.pack(siginfo, sender, sender, comm.encode())
        )

    def sender(self, cpu: int, tid: int, number: int, *, sender: int, comm: str, ignored: bool = False) -> int:
        """Writes a TL_SENDER, or a TL_SIGNAL_IGNORED; returns its position."""
        kind = layout.TYPE_SIGNAL_IGNORED if ignored else layout.TYPE_SENDER
        body = layout.SIGNAL_SENT.pack(pack("<iii4xi", number, 0, 0, 0), sender, sender, comm.encode())
        return self.record(cpu, tid, kind, number, body)

    def oom(self, cpu: int, tid: int, *levels: tuple[int, int]) -> int:
        """Writes a TL_OOM of memory cgroups, each with its usage and limit in bytes; returns its position."""
        body = b"".join(layout.LEVEL.pack(*level) for level in levels)
        return self.record(cpu, tid, layout.TYPE_OOM, 0, body.ljust(layout.LEVELS * layout.LEVEL.size, b"\0"))

    def fault(
        self, cpu: int, tid: int, number: int, *, ip: int, frames: list[tuple[int, str, int]], at: int = 0
    ) -> int:
        """Writes the TL_SIGNAL of a fault at an address; frames: address, build id or "", offset. Its position."""
        siginfo = pack("<iii4xQ", number, 0, 1, at)
        stack = b"".join(layout.STACK_FRAME.pack(1 if name else 2, bytes.fromhex(name), at) for _, name, at in frames)
        addresses = pack(f"<{len(frames)}Q", *(address for address, _, _ in frames))
        fault = layout.FAULT.pack(ip, 0x7FFE0000, 14, 6, 0x401000, 0x402000, addresses) + stack
        return self.record(cpu, tid, layout.TYPE_SIGNAL, number, layout.SIGNAL.pack(siginfo, 0, 0) + fault)

    def task_exit(self, cpu: int, tid: int, code: int, group_dead: int = 1) -> int:
        """Writes a TL_TASK_EXIT; returns its position."""
        return self.record(cpu, tid, layout.TYPE_TASK_EXIT, 0, layout.TASK_EXIT.pack(code, group_dead))

    def ask(self, cpu: int, tid: int, nr: int, capability: int, *, granted: bool) -> int:
        """Writes a TL_CAPABILITY, and notes the capability in the headers; returns its position."""
        noted = self.cpus[cpu].granted if granted else self.cpus[cpu].refused
        noted.add(capability)
        return self.record(cpu, tid, layout.TYPE_CAPABILITY, nr, layout.CAPABILITY.pack(capability, granted))

    def apart(self, cpu: int, tid: int, nr: int, result: int, *registers: int, items: bytes = b"") -> int:
        """Writes a TL_RETURN; returns its position."""
        words = pack(f"<q{len(registers)}Q", result, *registers)
        return self.record(cpu, tid, layout.TYPE_RETURN, nr | len(registers) << layout.NR_ARGS_SHIFT, words + items)

    def keep(self, cpu: int, tid: int, type_: int, nr: int, body: bytes) -> int:
        """Writes a record and its base to the area of firsts, as keep() of areas.bpf.h does; returns its position."""
        self.now_ns += 1000
        pos, size, kept = self.firsts_head, self.firsts_size, self.firsts_kept
        pid, comm = self.names.get(tid, (tid, f"t{tid}"))
        written = b""
        base = pack("<Q16s", self.now_ns, comm.encode())
        for kind, number, delta_ns, content in ((layout.TYPE_BASE, cpu, pid, base), (type_, nr, 0, body)):
            length = layout.HEADER.size + len(content)
            stamp = (pos + len(written) >> 3 ^ self.cookie) & 0xFFFF_FFFF
            header = layout.HEADER.pack(stamp, tid, delta_ns, number, length >> 3 | kind << self._form.length_bits)
            written += header + content
        self.firsts_head += len(written)
        at = pos if pos < size else kept + (pos - kept) % (size - kept)
        self.firsts[at : at + len(written)] = written
        return pos

    def record(self, cpu: int, tid: int, type_: int, nr: int, body: bytes) -> int:
        """Writes one record without interruption; returns its position."""
        started = self.begin(cpu, tid, layout.HEADER.size + len(body))
        self.finish(started, type_, nr, body)
        return started.pos

    def begin(self, number: int, tid: int, size: int) -> Started:
        """Reserves space as reserve() and begin_in() of writer.bpf.h do."""
        cpu = self.cpus[number]
        assert not cpu.busy
        cpu.busy = cpu.pos + 1
        self.now_ns += 1000
        pos, fresh = cpu.pos, False
        if pos + size + _PREFIX > cpu.end or self.head - pos > self.ring_size // 2:
            pos, fresh = self.head, True
            self.head += self.chunk_size
            cpu.busy, cpu.pos, cpu.end = pos + 1, pos, pos + self.chunk_size
        start = pos
        if fresh:
            self._put(pos, layout.TYPE_CHUNK, pack("<QQII", cpu.records, cpu.events, number, 0))
            pos += layout.CHUNK.size
        if fresh or cpu.tid != tid or cpu.renames != self.renames or self.now_ns - cpu.base_ns > 0xFFFF_FFFF:
            pid, comm = self.names.get(tid, (tid, f"t{tid}"))
            cpu.tid, cpu.renames, cpu.base_ns = tid, self.renames, self.now_ns
            self._put(pos, layout.TYPE_BASE, pack("<Q16s", self.now_ns, comm.encode()), tid=tid, delta_ns=pid)
            pos += layout.BASE.size
        return Started(number, start, pos, tid, self.now_ns)

    def finish(self, started: Started, type_: int, nr: int, body: bytes) -> None:
        """Completes a record as finish() of writer.bpf.h does."""
        cpu, end = self.cpus[started.cpu], started.pos + layout.HEADER.size + len(body)
        self._put(started.pos, type_, body, nr=nr, tid=started.tid, delta_ns=started.now_ns - cpu.base_ns)
        cpu.records += 1
        cpu.events += type_ not in NO_EVENTS
        cpu.pos = end
        if self.head - started.start > self.ring_size - self.chunk_size:
            cpu.late[cpu.late_count % layout.LATE] = started.start, end, self.head
            cpu.late_count += 1
        cpu.busy = 0

    def headers(self) -> bytes:
        """Returns struct tl_ring and the struct tl_cpu array in their current state."""
        counts = 0, self.left_out, self.forgotten, self.io_urings, 0
        notes = layout.NOTES_CAPABILITIES * self.notes_capabilities
        ooms = self.ooms | self.ooms_by_limit << layout.OOM_BY_LIMIT
        rest = notes | ooms, self.version, 0, 0, 0, 0, 0, 0
        ring = layout.RING.pack(self.head, self.cookie, self.renames, 1, *counts, *rest)
        return ring + b"".join(cpu.pack() for cpu in self.cpus)

    def snapshot(self, before: bytes | None = None) -> Snapshot:
        """Takes a snapshot as Ring.snapshot does. before: an earlier copy of the headers, in place of the first one."""
        now, head, size, kept = self.headers(), self.firsts_head, self.firsts_size, self.firsts_kept
        length = head if head <= size else size + _SLACK
        area = Area(FIRSTS, size, kept, head, max(0, head - (size - kept)), 0, length)
        return Snapshot(
            arch="x86_64",
            record_version=self.version,
            ring_size=self.ring_size,
            chunk_size=self.chunk_size,
            cpus=len(self.cpus),
            boot_offset_ns=0,
            taken_ns=self.now_ns,
            started_ns=1_000_000,
            headers=(before or now, before or now, now, now),
            data=bytes(self.data[: self.head] + self.firsts[: length if size else 0]),
            areas=(area,) if size else (),
            totals=self.totals,
        )

    def _put(self, pos: int, type_: int, body: bytes, *, nr: int = 0, tid: int = 0, delta_ns: int = 0) -> None:
        length = layout.HEADER.size + len(body)
        assert length % layout.POSITION_UNIT == 0
        stamp = (pos >> 3 ^ self.cookie) & 0xFFFF_FFFF
        header = layout.HEADER.pack(stamp, tid, delta_ns, nr, length >> 3 | type_ << self._form.length_bits)
        at = pos % self.ring_size
        self.data[at : at + length] = header + body


def item(arg: int, kind: int, data: bytes, *, size: int | None = None, flags: int = 0, sub: int = 0) -> bytes:
    """Returns a struct tl_item with its bytes. size: len(data), if not given."""
    head = layout.ITEM.pack(
        arg | sub << layout.ITEM_SUB_SHIFT, kind | flags, len(data), len(data) if size is None else size
    )
    return head + data + bytes(-len(data) % layout.POSITION_UNIT)
