# SPDX-License-Identifier: Apache-2.0
"""Writes a ring as writer.bpf.h does, but step by step and anywhere: what `record.h` says, in Python.

`record` is what a program does for one record. `begin` and `finish` are its two halves: what comes between them
happens while the program stalls.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import pack

from traceloop_decode import layout
from traceloop_decode.snapshot import Snapshot

_PREFIX = layout.CHUNK.size + layout.BASE.size


@dataclass
class Cpu:
    """struct tl_cpu."""

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

    def pack(self) -> bytes:
        late = b"".join(layout.LATE_ENTRY.pack(*entry) for entry in self.late)
        numbers = (self.pos, self.end, self.records, self.events, self.busy, self.base_ns, self.tid, self.renames)
        return layout.CPU.pack(*numbers, self.dropped, late, self.late_count, 0, 0, 0)


@dataclass(frozen=True)
class Started:
    """A record between `begin` and `finish`. start: the first position written for it."""

    cpu: int
    start: int
    pos: int
    tid: int
    now_ns: int


class RingWriter:
    """A ring in memory. `now_ns` is its clock, and moves on by 1,000 ns a record."""

    def __init__(
        self, ring_size: int = 1 << 15, chunk_size: int = 1 << 12, cpus: int = 2, cookie: int = 0x5EED
    ) -> None:
        self.ring_size, self.chunk_size, self.cookie = ring_size, chunk_size, cookie
        self.head, self.renames, self.now_ns = 0, 0, 1_000_000
        self.left_out = self.forgotten = self.io_urings = 0
        self.data = bytearray(ring_size)
        self.cpus = [Cpu() for _ in range(cpus)]
        self.names: dict[int, tuple[int, str]] = {}

    def name(self, tid: int, pid: int, comm: str) -> None:
        """Renames a thread; without it, a thread is its own process, named like t7."""
        self.names[tid] = pid, comm
        self.renames += 1

    def enter(self, cpu: int, tid: int, nr: int, *registers: int, items: bytes = b"") -> int:
        """A TL_ENTER; its position."""
        wide = pack("<q", nr) if not 0 <= nr < layout.NR_WIDE else b""
        short = (layout.NR_WIDE if wide else nr) | len(registers) << layout.NR_ARGS_SHIFT
        body = wide + pack(f"<{len(registers)}Q", *registers) + items
        return self.record(cpu, tid, layout.TYPE_ENTER, short, body)

    def exit(self, cpu: int, tid: int, nr: int, result: int, *registers: int, items: bytes = b"") -> int:
        """A TL_EXIT; its position."""
        wide = pack("<q", nr) if not 0 <= nr < layout.NR_WIDE else b""
        short = (layout.NR_WIDE if wide else nr) | len(registers) << layout.NR_ARGS_SHIFT
        body = wide + pack(f"<q{len(registers)}Q", result, *registers) + items
        return self.record(cpu, tid, layout.TYPE_EXIT, short, body)

    def signal(self, cpu: int, tid: int, number: int) -> int:
        """A TL_SIGNAL; its position."""
        return self.record(cpu, tid, layout.TYPE_SIGNAL, number, layout.SIGNAL.pack(bytes(48), 0, 0))

    def signal_sent(self, cpu: int, tid: int, number: int, code: int, *, sender: int, comm: str) -> int:
        """A TL_SIGNAL_SENT; its position."""
        siginfo = pack("<iii4xi", number, 0, code, 5)
        return self.record(
            cpu, tid, layout.TYPE_SIGNAL_SENT, number, layout.SIGNAL_SENT.pack(siginfo, sender, sender, comm.encode())
        )

    def task_exit(self, cpu: int, tid: int, code: int, group_dead: int = 1) -> int:
        """A TL_TASK_EXIT; its position."""
        return self.record(cpu, tid, layout.TYPE_TASK_EXIT, 0, layout.TASK_EXIT.pack(code, group_dead))

    def record(self, cpu: int, tid: int, type_: int, nr: int, body: bytes) -> int:
        """One record, undisturbed; its position."""
        started = self.begin(cpu, tid, layout.HEADER.size + len(body))
        self.finish(started, type_, nr, body)
        return started.pos

    def begin(self, number: int, tid: int, size: int) -> Started:
        """As reserve() and begin_in() of writer.bpf.h."""
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
        """As finish() of writer.bpf.h."""
        cpu, end = self.cpus[started.cpu], started.pos + layout.HEADER.size + len(body)
        self._put(started.pos, type_, body, nr=nr, tid=started.tid, delta_ns=started.now_ns - cpu.base_ns)
        cpu.records += 1
        cpu.events += type_ not in (layout.TYPE_EXIT, layout.TYPE_SIGNAL_SENT)
        cpu.pos = end
        if self.head - started.start > self.ring_size - self.chunk_size:
            cpu.late[cpu.late_count % layout.LATE] = started.start, end, self.head
            cpu.late_count += 1
        cpu.busy = 0

    def headers(self) -> bytes:
        """struct tl_ring and the struct tl_cpu, as they are now."""
        counts = 0, self.left_out, self.forgotten, self.io_urings, 0
        rest = layout.RECORD_VERSION, 0, 0, 0, 0, 0, 0
        ring = layout.RING.pack(self.head, self.cookie, self.renames, 1, *counts, *rest)
        return ring + b"".join(cpu.pack() for cpu in self.cpus)

    def snapshot(self, before: bytes | None = None) -> Snapshot:
        """As Ring.snapshot takes it. before: the first copy of the headers, if it was taken earlier."""
        now = self.headers()
        return Snapshot(
            arch="x86_64",
            record_version=layout.RECORD_VERSION,
            ring_size=self.ring_size,
            chunk_size=self.chunk_size,
            cpus=len(self.cpus),
            boot_offset_ns=0,
            taken_ns=self.now_ns,
            started_ns=1_000_000,
            headers=(before or now, now, now),
            data=bytes(self.data[: self.head]),
        )

    def _put(self, pos: int, type_: int, body: bytes, *, nr: int = 0, tid: int = 0, delta_ns: int = 0) -> None:
        length = layout.HEADER.size + len(body)
        assert length % layout.POSITION_UNIT == 0
        stamp = (pos >> 3 ^ self.cookie) & 0xFFFF_FFFF
        header = layout.HEADER.pack(stamp, tid, delta_ns, nr, length >> 3 | type_ << layout.LENGTH_BITS)
        at = pos % self.ring_size
        self.data[at : at + length] = header + body


def item(arg: int, kind: int, data: bytes, *, size: int | None = None, flags: int = 0, sub: int = 0) -> bytes:
    """A struct tl_item with its bytes. size: len(data), if not given."""
    head = layout.ITEM.pack(
        arg | sub << layout.ITEM_SUB_SHIFT, kind | flags, len(data), len(data) if size is None else size
    )
    return head + data + bytes(-len(data) % layout.POSITION_UNIT)
