# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""The cost of reading hostile archive files: bombs, false sizes, endless files, JSON of millions of values."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from struct import Struct, pack

import pytest
from archives import INFO, encoded_snapshot
from costs import GROWTH_MAX, growth, peak_bytes
from fake_daemon import ctl, daemon, path

from traceloop_cli.sources.archive_files import described
from traceloop_decode import areas, flat_json
from traceloop_decode.archive_file import check, read_head, snapshot_max, unpack
from traceloop_decode.archive_file import pack as pack_file
from traceloop_decode.model import DecodeError
from traceloop_decode.snapshot import FRONT_MAX_BYTES, Snapshot
from traceloop_proto import traceloop_pb2 as pb

pytestmark = pytest.mark.installed

FIXED = Struct("<8sI4sIIQQ")
MIB = 1 << 20


@cache
def bomb(size: int, ring_size: int = INFO.ring_size_bytes) -> bytes:
    """Returns a file of zeros, with correct checksums."""
    return pack_file(replace(INFO, ring_size_bytes=ring_size), bytes(size))


def refusal(read: Callable[[bytes], object]) -> Callable[[bytes], None]:
    """Wraps a reader that must refuse the file."""

    def refused(file: bytes) -> None:
        with pytest.raises((DecodeError, ValueError)):
            read(file)

    return refused


def test_a_head_that_announces_more_than_its_ring_is_damage_and_unpacks_nothing() -> None:
    file = bomb(128 * MIB)
    for read in (read_head, check, unpack):
        with pytest.raises(
            DecodeError, match=rf"^damaged archive: a snapshot of {128 * MIB} bytes, but its ring allows"
        ):
            read(file)
        assert peak_bytes(refusal(read), file) < MIB


@pytest.mark.parametrize(("ring_size", "most"), [(0, 1 << 30), (1 << 40, 1 << 30), (1 << 20, 1 << 20)])
def test_no_ring_allows_for_more_than_the_largest(ring_size: int, most: int) -> None:
    assert snapshot_max(replace(INFO, ring_size_bytes=ring_size)) == most + areas.BYTES_MAX + FRONT_MAX_BYTES


def test_a_head_that_announces_less_unpacks_no_more() -> None:
    file = bytearray(bomb(128 * MIB, 1 << 30))
    FIXED.pack_into(file, 0, *FIXED.unpack_from(file)[:-1], MIB)
    file[40:44] = pack("<I", zlib.crc32(file[:40]))
    file[-4:] = pack("<I", zlib.crc32(file[:-4]))
    assert peak_bytes(refusal(unpack), bytes(file)) < 4 * MIB


def test_info_looks_at_sums_and_unpacks_nothing() -> None:
    file = bomb(128 * MIB, 1 << 30)
    _, message = described(file, "a file")
    assert message.state == pb.STATE_ARCHIVED
    assert peak_bytes(lambda made: described(made, "a file"), file) < MIB
    assert described(file[:-1], "a file")[1].state == pb.STATE_TRUNCATED
    assert described(file[:-9] + bytes(9), "a file")[1].state == pb.STATE_ERROR


def test_a_packed_snapshot_larger_than_it_could_become_is_damage() -> None:
    fixed = FIXED.pack(b"TLTRACE\n", 1, b"zlib", len(INFO.encode()), zlib.crc32(INFO.encode()), 1 << 40, 1000)
    with pytest.raises(DecodeError, match=r"^damaged archive: a snapshot of 1000 bytes, packed into 1099511627776"):
        read_head(fixed + pack("<I", zlib.crc32(fixed)) + INFO.encode())


def test_what_cannot_be_packed_is_a_trace_as_any() -> None:
    noise = b"".join(zlib.crc32(bytes([n & 255, n >> 8])).to_bytes(4, "big") for n in range(1 << 16))
    for size in (0, 1, 100, len(noise)):
        assert unpack(pack_file(INFO, noise[:size])) == (INFO, noise[:size])


@pytest.mark.parametrize("verb", ["show", "info"])
def test_an_endless_file_is_not_read_to_its_end(ctl, verb) -> None:
    assert "not a traceloop archive" in ctl(verb, "--file", "/dev/zero", status=1)


def test_of_a_file_that_goes_on_one_byte_more_is_read(ctl, tmp_path) -> None:
    path = tmp_path / "long.trace"
    path.write_bytes(pack_file(INFO, encoded_snapshot()))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(1 << 40)  # a hole: reading all of it would take a terabyte
    assert f"it continues after the {size} bytes that its head announces" in ctl("show", "--file", str(path), status=1)
    assert "state: error" in ctl("info", "--file", str(path)).splitlines()


@pytest.mark.parametrize("text", [b"[" + b"[]," * 700_000 + b"0]", b'{"a":{' + b'"a":0,' * 700_000 + b'"":0}}'])
def test_json_of_very_many_values_is_damage_before_it_is_read(text) -> None:
    assert len(text) < 16 * MIB
    fixed = FIXED.pack(b"TLTRACE\n", 1, b"none", len(text), zlib.crc32(text), 0, 0)
    head = fixed + pack("<I", zlib.crc32(fixed)) + text
    assert peak_bytes(refusal(read_head), head) < 4 * len(text)
    with pytest.raises(DecodeError, match="it has more than 65536 strings"):
        read_head(head)
    with pytest.raises(DecodeError, match="it has more than 65536 strings"):
        Snapshot.decode(b"TLSNAP1\n" + pack("<I", len(text)) + text)


def test_a_description_longer_than_any_is_damage() -> None:
    with pytest.raises(DecodeError, match=r"^damaged snapshot: a description of 4294967295 bytes"):
        Snapshot.decode(b"TLSNAP1\n" + b"\xff" * 4 + b"{}")


def test_brackets_and_commas_within_strings_do_not_count() -> None:
    text = b'{"a": "[[[[,,,,{{{{\\",,,[", "b": ["c\\\\", 7]}'
    assert flat_json.loads(text, 8) == {"a": '[[[[,,,,{{{{",,,[', "b": ["c\\", 7]}
    with pytest.raises(ValueError, match="it has more than 7 strings, lists and commas"):
        flat_json.loads(text, 7)


@pytest.mark.parametrize("part", [b'"', b'\\"', b'"\\"', b'["', b"\\", b'"\\'])
def test_strings_without_an_end_are_looked_at_once(part) -> None:
    read = refusal(lambda text: flat_json.loads(text, 0))
    assert growth(lambda size: b'{"' + part * size, read, 100_000) < GROWTH_MAX
