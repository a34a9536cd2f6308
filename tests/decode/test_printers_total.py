# SPDX-License-Identifier: Apache-2.0
"""Every call is printed, whatever its registers and memory hold: without errors, and only as printable ASCII."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random

import pytest

from traceloop_decode import layout
from traceloop_decode.arguments.variants import selectors
from traceloop_decode.model import Call, Entered, Event, Item, Returned, Signal, TaskExit
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import ABIS, Abi
from traceloop_decode.text import jsonl, short, strace
from traceloop_decode.values.options import Options

SNAPSHOT = Snapshot("x86_64", 1, 1 << 20, 1 << 14, 2, 10**18, 0, 0, (), b"")
ROUNDS = 10
REGISTERS = 6
KINDS = (
    *(layout.KIND_STRING, layout.KIND_BUFFER, layout.KIND_LENGTH, layout.KIND_IOVEC, layout.KIND_MSG),
    *(layout.KIND_ARGV, layout.KIND_MMSG, layout.KIND_IOCB, 0, 15),
)
EDGES = (0, 1, 2, 3, 7, 8, 16, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
RESULTS = (None, 0, 1, 3, 4096, -1, -2, -22, -512, -516, -4095, -4096, (1 << 63) - 1, -(1 << 63))
OPTIONS = (
    *(Options(), Options(string_max=0), Options(string_max=10_000, verbose=True), Options(escape=1)),
    *(Options(escape=2), Options(constants="raw"), Options(constants="verbose", verbose=True)),
)


def number(chance: Random, names: tuple[int, ...]) -> int:
    kind = chance.randrange(4 if names else 3)
    if kind == 0:
        return chance.choice(EDGES)
    if kind == 1:
        return chance.randrange(64)
    return chance.choice(names) if kind == 3 else chance.getrandbits(64)


def data(chance: Random) -> bytes:
    """Returns noise, zeros or text, mostly of the size of some struct."""
    size = chance.choice((0, 1, 4, 8, 12, 16, 24, 28, 32, 64, 88, 112, 128, 144, 256, chance.randrange(300)))
    kind = chance.randrange(4)
    if kind == 0:
        return bytes(size)
    if kind == 1:
        return b"/path/of some\0text\n"[:size]
    if kind == 2:  # small numbers, as in most structs
        return b"".join(chance.randrange(20).to_bytes(4, "little") for _ in range(size // 4))
    return chance.randbytes(size)


def item(chance: Random) -> Item:
    read = data(chance)
    size = len(read) if chance.random() < 0.6 else number(chance, ()) & 0xFFFFFFFF
    more, fault, out = (chance.random() < 0.3 for _ in range(3))
    return Item(chance.choice((0, 0, 1, 2, 15, 30, 31)), chance.choice(KINDS), read, size, more, fault, out)


def call(chance: Random, nr: int, name: str, count: int, abi: Abi) -> Call:
    names = tuple(selectors(name, abi))
    registers = tuple(
        number(chance, names) for _ in range(chance.choice((count, count, count, REGISTERS, max(count - 1, 0), 0)))
    )
    items = {
        index: tuple(item(chance) for _ in range(chance.choice((1, 1, 2, 4))))
        for index in range(8)
        if chance.random() < 0.6
    }
    result = chance.choice(RESULTS) if chance.random() < 0.7 else chance.randrange(300)
    return Call(5, 0, 7, 7, "total", abi, nr, name, registers, items, result, 6, 1, "total", entry_lost=not registers)


def events(chance: Random, nr: int, name: str, count: int, abi: Abi) -> Iterator[Event]:
    for _ in range(ROUNDS):
        made = call(chance, nr, name, count, abi)
        yield made
        yield Entered(made._replace(result=None, end_ns=None))
        yield Returned(made)


def assert_printed(found: list[Event]) -> None:
    printed = list(jsonl.lines(found, SNAPSHOT))
    for line in printed:
        json.loads(line)
    for options in OPTIONS:
        printed += [*strace.lines(found, SNAPSHOT, options), *short.lines(found, SNAPSHOT, options)]
    assert len(printed) >= len(found)
    for line in printed:
        assert line.isascii()
        assert line.isprintable(), line


@pytest.mark.parametrize("abi", ABIS, ids=lambda abi: f"{abi.arch}-{64 >> abi.compat}")
def test_every_call(abi: Abi) -> None:
    calls = {nr: (syscall.name, len(syscall.params)) for nr, syscall in abi.table().items()}
    calls[9999] = ("syscall_0x270f", REGISTERS)
    for nr, (name, count) in calls.items():
        try:
            assert_printed(list(events(Random(f"{name} {abi.arch} {abi.compat}"), nr, name, count, abi)))
        except Exception as error:
            error.add_note(f"of {name}")
            raise


def test_every_signal_and_end() -> None:
    chance = Random(1)
    found: list[Event] = []
    for signal in range(-1, 70):
        for code in (*range(-70, 12), 0x80, chance.getrandbits(31)):
            info = b"".join(part.to_bytes(4, "little", signed=True) for part in (signal, 0, code)) + chance.randbytes(
                36
            )
            found.append(Signal(5, 0, 7, 7, "total", signal, info, chance.getrandbits(64), chance.getrandbits(32)))
    found += [TaskExit(5, 0, 7, 7, "total", code, group_dead=True) for code in (*range(0x200), 0xFF00, -1, 1 << 31)]
    assert_printed(found)
