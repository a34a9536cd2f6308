# SPDX-License-Identifier: Apache-2.0
"""Reads a ring's headers, and from them and its chunks' heads how much was recorded and lost.

The programs in the kernel alone write what is read here: nothing of it comes from traced programs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from traceloop_decode import layout
from traceloop_decode.snapshot import Snapshot


class Cpu(NamedTuple):
    """struct tl_cpu."""

    pos: int
    end: int
    records: int
    events: int
    busy: int
    dropped: int
    late: tuple[tuple[int, int, int], ...]
    reread: int
    unread: int
    open: int
    keeping: int


class Unrecorded(NamedTuple):
    """Counts of what no record can report.

    io_urings: instances of io_uring that the container set up while requests were not recorded.
    cgroups: cgroups below the container's own that found no place in the recorder's table, whenever they were made.
    rereads: calls whose arguments could not be read at entry, and found no place to be remembered until their exit.
    """

    io_urings: int
    cgroups: int
    rereads: int


def unrecorded(snapshot: Snapshot) -> Unrecorded:
    """Returns the counts of what no record of a snapshot's ring reports."""
    return Headers.parse(snapshot.headers[-1], snapshot.cpus).unrecorded


@dataclass(frozen=True, slots=True)
class Headers:
    """struct tl_ring and the struct tl_cpu after it.

    out_of_memory: the kernel ended the first process because memory was short. oom_kills: of how many processes that is
    known. oom_by_limit: how many of them because a limit was reached, not because the node had no memory left.
    """

    head: int
    cookie: int
    version: int
    unrecorded: Unrecorded
    init_pid: int
    exited: bool
    exit_ns: int
    exit_code: int
    out_of_memory: bool
    oom_kills: int
    oom_by_limit: int
    cpus: tuple[Cpu, ...]

    @classmethod
    def parse(cls, headers: bytes, cpus: int) -> Headers:
        """Parses bytes as the kernel laid them out; `headers` has at least layout.headers_size(cpus) bytes."""
        head, cookie, _renames, _parts, _below, left_out, forgotten, io_urings, before, *rest = layout.RING.unpack_from(
            headers
        )
        ooms, version, init_pid, _retries, exited, exit_ns, exit_code, _withheld = rest
        out_of_memory = exit_code & layout.EXIT_OUT_OF_MEMORY
        kills = ooms & (1 << layout.OOM_BY_LIMIT) - 1, (ooms & ~layout.NOTES_CAPABILITIES) >> layout.OOM_BY_LIMIT
        how = init_pid, bool(exited), exit_ns, exit_code & ~out_of_memory, bool(out_of_memory), *kills
        unrecorded = Unrecorded(io_urings, left_out + before, forgotten)
        return cls(head, cookie, version, unrecorded, *how, tuple(_cpus(headers, cpus)))


def _cpus(headers: bytes, cpus: int) -> Iterator[Cpu]:
    for at in range(layout.RING.size, layout.headers_size(cpus), layout.CPU.size):
        pos, end, records, events, busy, _base, _tid, _renames, dropped, late, *rest = layout.CPU.unpack_from(
            headers, at
        )
        _late_count, _open_tid, reread, unread, open_, keeping = rest
        entries = tuple(layout.LATE_ENTRY.iter_unpack(late))
        yield Cpu(pos, end, records, events, busy, dropped, entries, reread, unread, open_, keeping)


class Count(NamedTuple):
    """Number of records and events that one ring has recorded, and how many of them it no longer holds."""

    records: int
    events: int
    lost_records: int
    lost_events: int


def count(headers: Headers, chunk_heads: Iterable[bytes]) -> Count:
    """Counts a ring's records from its headers and the struct tl_chunk at each chunk's place, without the records.

    The daemon uses this: it reads nothing that traced programs wrote.
    """
    oldest: dict[int, tuple[int, int]] = {}
    form = layout.FORMS.get(headers.version, layout.FORMS[layout.RECORD_VERSION])
    for head in chunk_heads:
        _, _, _, _, length_type, records, events, cpu, _ = layout.CHUNK.unpack(head)
        if length_type >> form.length_bits == layout.TYPE_CHUNK and cpu < len(headers.cpus):
            oldest[cpu] = min(oldest.get(cpu, (records, events)), (records, events))
    records = events = lost_records = lost_events = 0
    for number, cpu in enumerate(headers.cpus):
        before = oldest.get(number, (cpu.records, cpu.events))
        records += cpu.records + cpu.dropped
        events += cpu.events + cpu.dropped
        lost_records += before[0] + cpu.dropped
        lost_events += before[1] + cpu.dropped
    return Count(records, events, lost_records, lost_events)
