# SPDX-License-Identifier: Apache-2.0
"""The reading of the births' ring buffer, in a file that has the form of its memory."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from struct import pack, pack_into
from types import SimpleNamespace

import pytest

from traceloop_bpf import births
from traceloop_bpf.births import BIRTH, COUNTS, ENTRY, SHAPE, SHAPES, Births

PAGE = mmap.PAGESIZE
DISCARDED, BUSY = 1 << 30, 1 << 31
PIPEFS, SOCKFS, PROC = 0x50495045, 0x534F434B, 0x9FA0


class Buffer:
    """A consumer's page, a producer's page, and the data."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fd, self.shapes_fd = os.memfd_create("births"), os.memfd_create("shapes")
        os.ftruncate(self.fd, 2 * PAGE + 2 * PAGE * 4)
        size = SHAPES * SHAPE.size + COUNTS.size
        os.ftruncate(self.shapes_fd, size)
        info = SimpleNamespace(entries=4 * PAGE, value_size=size)
        monkeypatch.setattr(births.bpfcalls, "map_info", lambda _fd: info)
        self.produced = 0

    def write(self, event: bytes, flags: int = 0) -> None:
        record = bytearray(8 + -(-len(event) // 8) * 8)
        pack_into("<I", record, 0, len(event) | flags)
        record[8 : 8 + len(event)] = event
        os.pwrite(self.fd, record, 2 * PAGE + self.produced)
        self.produced += len(record)
        os.pwrite(self.fd, pack("<Q", self.produced), PAGE)

    def consumed(self) -> int:
        return int.from_bytes(os.pread(self.fd, 8, 0), "little")


@pytest.fixture
def buffer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Buffer]:
    made = Buffer(monkeypatch)
    yield made
    os.close(made.fd)
    os.close(made.shapes_fd)


@pytest.fixture
def reader(buffer: Buffer) -> Iterator[Births]:
    made = Births(buffer.fd, buffer.shapes_fd)
    yield made
    made.close()


def test_what_a_program_has_as_its_streams(buffer: Buffer, reader: Births) -> None:
    buffer.write(ENTRY.pack(9, 1, 2, 3, PIPEFS, 814, PROC, 5, SOCKFS, 815))
    assert reader.read() == []
    (entry,) = reader.entries()
    assert entry == (9, 1, 2, 3, {0: b"pipe:[814]", 2: b"socket:[815]"})
    assert reader.entries() == []
    assert buffer.consumed() == buffer.produced


def test_other_events_are_passed_over(buffer: Buffer, reader: Births) -> None:
    """Such as a former version has left, those that were discarded, and those that are being written."""
    for event in (bytes(24), bytes(ENTRY.size + 8)):
        buffer.write(event)
    buffer.write(bytes(ENTRY.size), DISCARDED)
    buffer.write(BIRTH.pack(7, 9, 1, 2, 3, 0, 0, 2, b"/a\0", b"x\0"))
    before = buffer.produced
    buffer.write(bytes(BIRTH.size), BUSY)
    (birth,) = reader.read()
    assert (birth.id, birth.path, birth.words, birth.until) == (7, "/a", (b"x",), before)
    assert reader.entries() == []
    assert buffer.consumed() == before - 8 - BIRTH.size
    reader.settle(birth.until)
    assert buffer.consumed() == before


def test_a_command_line_that_was_cut_is_not_told(buffer: Buffer, reader: Births) -> None:
    """The last word of a whole one names the container."""
    for size in (births.WORDS_MAX - 2, births.WORDS_MAX - 1):
        line = b"runc\0create\0".ljust(size - 1, b"x") + b"\0"
        buffer.write(BIRTH.pack(7, 9, 1, 2, 3, 0, 0, len(line), b"/a\0", line))
    whole, cut = reader.read()
    assert (whole.words[:2], len(whole.words), cut.words) == ((b"runc", b"create"), 3, ())
