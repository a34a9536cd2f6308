# SPDX-License-Identifier: Apache-2.0
"""Fuzzes the decoder from a snapshot's bytes to every format's lines, guided by coverage; `README.md` explains how.

An input is an encoded snapshot. Blindly changed bytes hardly ever get past a record's stamp, so `mutate` mostly
extracts the records, changes calls, registers and the memory that pointers pointed at, and writes them into a new valid
ring.

The cost of an input is limited in proportion to its size (`budget`). Some inputs are also repeated 32 and 128 times, in
the same threads or in new ones: the larger one may take four times as long, but not sixteen.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from random import Random
from typing import Final
from zlib import crc32

import atheris

with atheris.instrument_imports(include=["traceloop_decode"]):
    from traceloop_decode import layout
    from traceloop_decode.areas import Area
    from traceloop_decode.descriptors.follow import known, protocols, unnamed
    from traceloop_decode.events import events
    from traceloop_decode.model import DecodeError
    from traceloop_decode.places import places
    from traceloop_decode.ring_reader import Record, RingReader
    from traceloop_decode.selection.select import Selection, selected
    from traceloop_decode.snapshot import Snapshot
    from traceloop_decode.syscalls import ABIS, Param, Syscall
    from traceloop_decode.tables.flags import TABLES
    from traceloop_decode.text import classic, jsonl, short, strace
    from traceloop_decode.totals import Total, Totals
    from traceloop_decode.values.options import Options

from budget import budget
from packing import pack
from ringwriter import RingWriter, item

OPTIONS: Final = (
    *(Options(), Options(string_max=0), Options(string_max=1 << 20, verbose=True), Options(escape=1, verbose=True)),
    *(Options(escape=2), Options(constants="raw"), Options(constants="verbose", verbose=True)),
)
_BLIND: Final = 0.1
_CPUS: Final = 2
_RECORDS_MAX: Final = 32
_DATA_MAX: Final = 300
_BODY_MAX: Final = 1536
_EDGES: Final = (0, 1, 2, 3, 8, 16, 100, 4095, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
_CONSTANTS: Final = tuple(sorted({value & (1 << 64) - 1 for _, values in TABLES.values() for value, _ in values}))
_ERRORS_MAX: Final = 600
_LATER: Final = 1000
_NUMBERS: Final = tuple(sorted({number for abi in ABIS for number in abi.prototypes} | {_LATER, 4094}))
_ARCHES: Final = ("x86_64", "x86_64", "aarch64", "of no table")
_SYSCALLS: Final = {_LATER: Syscall("later", (Param("fd", "int"), Param("buf", "const char *"), Param("n", "size_t")))}
_REPEATED: Final = (32, 128)
_REPEAT_ONE_IN: Final = 64
_GROWTH_MAX: Final = 9  # for an input 4 times as large
_GROWTH_S: Final = 0.2
_PATHS: Final = Selection(paths=(b"/etc/hosts", b"a", b""))
_COUNTED: Final = (layout.TYPE_ENTER, layout.TYPE_EXIT)
_Item = tuple[tuple[int, int, int], bytes]
"""A struct tl_item: its arg, kind and size, and its bytes."""
_FORMS: Final = (layout.TYPE_ENTER, layout.TYPE_EXIT, layout.TYPE_CALL, layout.TYPE_CALL_OUT, layout.TYPE_RETURN)
_TYPES: Final = (*_COUNTED, *_COUNTED, layout.TYPE_SIGNAL, layout.TYPE_TASK_EXIT, layout.TYPE_SIGNAL_SENT)


def check(encoded: bytes) -> None:
    """Checks that the bytes raise DecodeError, or give lines of printable ASCII in every format."""
    with budget(len(encoded)):
        snapshot = _check(encoded)
    if snapshot is not None and crc32(encoded) >> 16 & _REPEAT_ONE_IN - 1 == 0:
        _check_growth(snapshot, crc32(encoded) >> 8 & 1)


def _check_growth(snapshot: Snapshot, tids_apart: int) -> None:
    # Measures twice, as the machine may have been busy.
    records = [record for record in RingReader(snapshot).records() if isinstance(record, Record)][:_RECORDS_MAX]
    small, large = (_repeated(records, times, tids_apart, snapshot) for times in _REPEATED)
    for _ in range(2):
        small_s, large_s = _follow_s(small), _follow_s(large)
        if large_s < _GROWTH_MAX * small_s + _GROWTH_S:
            return
    raise AssertionError(f"{large_s:.2f} s, and {small_s:.2f} s for a quarter of it")


def _repeated(records: list[Record], times: int, tids_apart: int, snapshot: Snapshot) -> Snapshot:
    ring = RingWriter(1 << 22, 1 << 14, 1)
    for n in range(times):
        for record in records:
            tid, pid = ((one + n * tids_apart * 1000) & 0xFFFFFFFF for one in (record.tid, record.pid))
            if ring.names.get(tid) != (pid, record.comm[:16]):
                ring.name(tid, pid, record.comm[:16])
            ring.record(0, tid, record.type, record.nr, record.body[:_BODY_MAX])
    return replace(ring.snapshot(), arch=snapshot.arch, syscalls=snapshot.syscalls)


def _follow_s(snapshot: Snapshot) -> float:
    began_s = time.process_time()
    for _ in strace.lines(known(events(snapshot), sockets=True), snapshot):
        pass
    for _ in selected(known(events(snapshot)), _PATHS):
        pass
    return time.process_time() - began_s


def _check(encoded: bytes) -> Snapshot | None:
    try:
        snapshot = Snapshot.decode(encoded)
    except DecodeError:
        return None
    _check_places(snapshot)
    found = list(events(snapshot))
    which = crc32(encoded) >> 8 & 3
    if which == 1:
        found = list(protocols(found))
    elif which == 2:
        found = list(known(found, snapshot.open_files, sockets=True))
    elif which == 3:
        found = list(unnamed(selected(known(found, snapshot.open_files), _PATHS)))
    objects = list(jsonl.lines(found, snapshot))
    for line in objects:
        json.loads(line)
    options = OPTIONS[crc32(encoded) % len(OPTIONS)]
    for line in (
        *objects,
        *classic.lines(found, snapshot),
        *short.lines(found, snapshot, options),
        *strace.lines(found, snapshot, options),
    ):
        if not (line.isascii() and line.isprintable()):
            raise AssertionError(f"not printable: {line!r}")
    return snapshot


def _check_places(snapshot: Snapshot) -> None:
    its = places(snapshot)
    spans = list(zip(its.begins, its.ends, strict=True))
    if spans != sorted(spans) or not all(0 <= begin <= end <= len(snapshot.data) for begin, end in spans + its.runs):
        raise AssertionError(f"places outside of {len(snapshot.data)} bytes: {spans} {its.runs}")


def mutate(encoded: bytes, size_max: int, seed: int) -> bytes:
    """Mutates an input for libFuzzer."""
    chance = Random(seed)
    if chance.random() >= _BLIND:
        arch = chance.choice(_ARCHES)
        try:
            snapshot = Snapshot.decode(encoded)
        except DecodeError:
            records = []
        else:
            if chance.random() < 0.9:
                arch = snapshot.arch
            records = [record for record in RingReader(snapshot).records() if isinstance(record, Record)][:_RECORDS_MAX]
        for _ in range(chance.choice((1, 1, 2, 4, 8))):
            _change(chance, records)
        packed = pack(records, _CPUS, _kept(chance, records) if chance.random() < 0.4 else ())
        later = _SYSCALLS if chance.random() < 0.2 else {}
        totals = _totals(chance) if chance.random() < 0.2 else None
        areas = tuple(_described(chance, area) for area in packed.areas)
        changed = replace(packed, arch=arch, syscalls=later, areas=areas, totals=totals).encode()
        if len(changed) <= size_max:
            return changed
    return bytes(atheris.Mutate(encoded, size_max))


def _kept(chance: Random, records: list[Record]) -> list[Record]:
    # Calls among the firsts, in each of their forms: most have what that form has before the registers.
    kept = []
    for record in records * chance.choice((1, 1, 1, 4)):
        form = chance.choice(_FORMS)
        head = layout.ROOM.pack(chance.getrandbits(32), chance.choice((0, 24, 72, -2, 1 << 20)))
        its = record.body if form == record.type or chance.random() < 0.1 else head + record.body
        kept.append(record._replace(type=form if record.type in _COUNTED else record.type, body=its))
    return kept


def _described(chance: Random, area: Area) -> Area:
    # Mostly the truth; else one number of the description is another.
    name, *numbers = area.fields()
    if chance.random() < 0.2:
        numbers[chance.randrange(len(numbers))] = chance.choice((_number(chance) >> 1, chance.randrange(1 << 14)))
    return Area(str(name), *(int(str(number)) for number in numbers))


def _totals(chance: Random) -> Totals:
    counts = [{chance.choice(_NUMBERS): Total(_number(chance), chance.getrandbits(32)) for _ in range(3)} for _ in "ab"]
    return Totals(*counts, _number(chance), _number(chance))


def _change(chance: Random, records: list[Record]) -> None:
    if not records or (len(records) < _RECORDS_MAX and chance.random() < 0.1):
        records.insert(chance.randint(0, len(records)), Record(0, 0, 7, 7, "fuzz", chance.choice(_TYPES), 0, bytes(64)))
    at = chance.randrange(len(records))
    record = records[at]
    place = chance.random()
    if place < 0.05:
        del records[at]
    elif place < 0.1:
        records[at] = record._replace(
            cpu=chance.randrange(_CPUS),
            tid=chance.choice((7, 8)),
            type=chance.choice(_TYPES),
            pid=chance.choice((7, 8)),
        )
    elif place < 0.15:
        records.insert(chance.randint(0, len(records)), record)
    elif place < 0.3:
        _renumber(chance, records, record)
    elif record.type in _COUNTED:
        records[at] = _with_other_values(chance, record)
    else:
        body = _noise(chance, record.body).ljust(layout.SIGNAL_SENT.size, b"\0")
        records[at] = record._replace(nr=chance.randrange(70), body=body)


def _renumber(chance: Random, records: list[Record], like: Record) -> None:
    # Changes entry and exit alike, so that they remain one call. Mostly gives all registers, at times the 32-bit table.
    nr = chance.choice(_NUMBERS) | (chance.random() < 0.2) * layout.NR_COMPAT
    registers = chance.choice((0, 6, 6, 6))
    for n, record in enumerate(records):
        if record.type in _COUNTED and (record.tid, record.nr & layout.NR_MASK) == (like.tid, like.nr & layout.NR_MASK):
            words, items = _take_apart(record)
            if record.type == layout.TYPE_ENTER:
                words += [_number(chance) for _ in range(registers - len(words))]
            records[n] = _put_together(record._replace(nr=nr), words, items)


def _with_other_values(chance: Random, record: Record) -> Record:
    words, items = _take_apart(record)
    kind = chance.random()
    if kind < 0.02 and words:
        words.pop()
    elif kind < 0.4 and words:
        words[chance.randrange(len(words))] = _number(chance)
    elif kind < 0.8 and items:
        n = chance.randrange(len(items))
        (arg, flags, size), data = items[n]
        data = _noise(chance, data)
        items[n] = (arg, flags, len(data) if chance.random() < 0.9 else size), data
    elif items and kind < 0.85:
        del items[chance.randrange(len(items))]
    else:
        items.append((_head(chance), _noise(chance, bytes(chance.choice((8, 16, 64, 144))))))
    return _put_together(record, words, items)


def _take_apart(record: Record) -> tuple[list[int], list[_Item]]:
    # Returns the words before the items (number if wide, result of an exit, registers), and the items.
    count = (record.nr >> layout.NR_ARGS_SHIFT & layout.NR_ARGS_MASK) + (record.type == layout.TYPE_EXIT)
    count += record.nr & layout.NR_MASK == layout.NR_WIDE
    words = [int.from_bytes(record.body[at : at + 8], "little") for at in range(0, 8 * count, 8)]
    items: list[_Item] = []
    at = 8 * count
    while at + layout.ITEM.size <= len(record.body):
        arg, flags, copied, size = layout.ITEM.unpack_from(record.body, at)
        at += layout.ITEM.size
        items.append(((arg, flags, size), record.body[at : at + copied]))
        at += copied + -copied % layout.POSITION_UNIT
    return words, items


def _put_together(record: Record, words: list[int], items: list[_Item]) -> Record:
    wide = record.nr & layout.NR_MASK == layout.NR_WIDE
    count = min(max(0, len(words) - wide - (record.type == layout.TYPE_EXIT)), layout.NR_ARGS_MASK)
    body = b"".join(word.to_bytes(8, "little") for word in words)
    for (arg, flags, size), data in items:
        sub = arg >> layout.ITEM_SUB_SHIFT
        body += item(arg & layout.ITEM_ARG_MASK, flags, data, size=size & 0xFFFFFFFF, sub=sub)
    kept = record.nr & (layout.NR_MASK | layout.NR_COMPAT)
    return record._replace(nr=kept | count << layout.NR_ARGS_SHIFT, body=body)


def _head(chance: Random) -> tuple[int, int, int]:
    sub = chance.choice((0, 0, 0, 1, 2, 15, layout.SUB_NAME, layout.SUB_CONTROL))
    flags = chance.choice((0, 0, layout.ITEM_OUT, layout.ITEM_OUT, layout.ITEM_MORE, layout.ITEM_FAULT))
    kind = chance.choice((layout.KIND_STRING, layout.KIND_BUFFER, layout.KIND_LENGTH, *range(16)))
    return chance.randrange(6) | sub << layout.ITEM_SUB_SHIFT, kind | flags, _number(chance)


def _number(chance: Random) -> int:
    kind = chance.random()
    if kind < 0.2:
        return chance.choice(_EDGES)
    if kind < 0.5:
        return chance.choice(_CONSTANTS)
    if kind < 0.7:
        return chance.getrandbits(chance.choice((4, 6, 8, 12, 32, 64)))
    return -chance.randrange(_ERRORS_MAX) & (1 << 64) - 1 if kind < 0.85 else 1 << chance.randrange(64)


def _noise(chance: Random, data: bytes) -> bytes:
    # Applies libFuzzer's own changes, which know the constants that the code compares with, or puts a number into a
    # word.
    if not data or chance.random() < 0.5:
        return bytes(atheris.Mutate(data, _DATA_MAX))
    size = chance.choice((1, 2, 4, 8))
    at = chance.randrange(len(data)) // size * size
    return data[:at] + (_number(chance) & (1 << 8 * size) - 1).to_bytes(size, "little") + data[at + size :]


if __name__ == "__main__":
    atheris.Setup(sys.argv, check, custom_mutator=mutate)
    atheris.Fuzz()
