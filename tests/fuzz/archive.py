# SPDX-License-Identifier: Apache-2.0
"""Fuzzes archive files, guided by coverage; `README.md` explains how.

An input is a file. A checksum stops nearly every blind change early, so `mutate` changes the parts of the file and
mostly computes its checksums again.
"""

from __future__ import annotations

import sys
import zlib
from random import Random
from struct import Struct, error, pack
from typing import Final

import atheris

with atheris.instrument_imports(include=["traceloop_decode"]):
    from traceloop_decode.archive_file import (
        METHODS,
        TraceInfo,
        TruncatedError,
        head_size,
        read_head,
        snapshot_max,
        unpack,
    )
    from traceloop_decode.archive_file import pack as pack_file
    from traceloop_decode.model import DecodeError
    from traceloop_decode.snapshot import Snapshot

from budget import budget

_FIXED: Final = Struct("<8sI4sIIQQ")
_INFO_AT: Final = _FIXED.size + 4
_INFO: Final = TraceInfo("node1_default_mypod", node="node1", status=256, events=7, boot_offset_ns=-1)
_BLIND: Final = 0.1
_UNSEALED: Final = 0.05
_EDGES: Final = (0, 1, 4095, 4096, (1 << 24) + 1, (1 << 31) - 1, (1 << 32) - 1)
_PART_MAX: Final = 12_000


def check(file: bytes) -> None:
    """Checks that the bytes raise DecodeError, or are a trace that survives being packed and unpacked again.

    The budget is what the file's head announces, which its ring bounds.
    """
    with budget(len(file) + _announced(file)):
        _check(file)


def _announced(file: bytes) -> int:
    try:
        head = read_head(file)
    except DecodeError:
        return 0
    assert head.snapshot_size <= snapshot_max(head.info)
    return head.snapshot_size


def _check(file: bytes) -> None:
    try:
        info, encoded = unpack(file)
    except DecodeError as refused:
        assert str(refused).isprintable(), refused
        _check_truncated(file, truncated=isinstance(refused, TruncatedError))
        return
    head = read_head(file[: head_size(file)])
    assert (head.info, head.file_size, head.snapshot_size) == (info, len(file), len(encoded))
    assert unpack(pack_file(info, encoded, METHODS[len(file) % len(METHODS)])) == (info, encoded)
    for cut in {0, len(file) // 2, len(file) - 1}:
        _check_truncated(file[:cut], truncated=True)
    try:
        Snapshot.decode(encoded)
    except DecodeError as refused:
        assert "\n" not in str(refused)


def _check_truncated(file: bytes, *, truncated: bool) -> None:
    try:
        size = read_head(file).file_size
    except TruncatedError:
        assert truncated
    except DecodeError:
        assert not truncated
    else:
        assert truncated == (len(file) < size)


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Changes one or a few parts of a file."""
    chance = Random(seed)
    if not data.startswith(b"TLTRACE\n"):
        return pack_file(_INFO, data[:_PART_MAX], chance.choice(METHODS))[:max_size]
    if chance.random() < _BLIND:
        return bytes(atheris.Mutate(data, max_size))
    try:
        magic, version, method, info_size, _, _, snapshot_size = _FIXED.unpack_from(data)
    except error:
        return pack_file(_INFO, data)[:max_size]
    info, packed = data[_INFO_AT : _INFO_AT + info_size], data[_INFO_AT + info_size : -4]
    sizes = [len(info), len(packed), snapshot_size]
    kind = chance.random()
    if kind < 0.5:
        info = bytes(atheris.Mutate(info, _PART_MAX))
        sizes[0] = len(info)
    elif kind < 0.7:
        packed = bytes(atheris.Mutate(packed, _PART_MAX))
        sizes[1:] = len(packed), chance.choice((len(packed), snapshot_size))
    elif kind < 0.8:
        packed = zlib.compress(bytes(atheris.Mutate(_inflated(packed), _PART_MAX)), 1)
        sizes[1:] = len(packed), len(_inflated(packed))
        method = b"zlib"
    elif kind < 0.9:
        sizes[chance.randrange(3)] = chance.choice(_EDGES)
    else:
        method = chance.choice((b"zlib", b"none", b"zstd", b"\xff\0\n\x7f"))
        version = chance.choice((1, 1, 1, 0, 2, 1 << 31))
    fixed = _FIXED.pack(magic, version, method, sizes[0], zlib.crc32(info), sizes[1], sizes[2])
    file = fixed + pack("<I", zlib.crc32(fixed)) + info + packed
    file += pack("<I", zlib.crc32(file))
    if chance.random() < _UNSEALED:
        at = chance.randrange(len(file))
        file = file[:at] + bytes([file[at] ^ 1 << chance.randrange(8)]) + file[at + 1 :]
    elif chance.random() < _UNSEALED:
        file = file[: chance.randrange(len(file))]
    return file[:max_size]


def _inflated(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, _PART_MAX)
    except zlib.error:
        return packed


if __name__ == "__main__":
    atheris.Setup(sys.argv, check, custom_mutator=mutate)
    atheris.Fuzz()
