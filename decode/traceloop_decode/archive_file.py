# SPDX-License-Identifier: Apache-2.0
"""Archive file of one trace: the facts about the trace, and its packed Snapshot.

Format version 1; all numbers are unsigned and little endian::

    at   size  contents
     0      8  "TLTRACE\\n"
     8      4  format version: 1
    12      4  packing method of the snapshot: "zlib" (RFC 1950), or "none"
    16      4  I, the size of the information
    20      4  CRC-32 of the information
    24      8  P, the size of the packed snapshot
    32      8  the size of the unpacked snapshot
    40      4  CRC-32 of bytes 0 to 39
    44      I  the information: a JSON object in ASCII, the fields of TraceInfo
    44+I    P  the packed snapshot: `snapshot` describes its contents
    44+I+P  4  CRC-32 of all bytes before

CRC-32 is the one of zlib and gzip. The first two fields keep their place in every version. The head, bytes 0 to 43 and
the information, is enough to list a trace and has its own checksums: a reader need not touch the rest.

A reader ignores unknown fields of the information and uses defaults for missing ones. It refuses a newer format version
or an unknown packing method with an error that names it; older versions stay readable for ever.

The maximum size of an unpacked snapshot follows from what the information says about the ring: `snapshot_max`. A head
that announces more is damaged.

A file is *truncated* if it is shorter than its head says, or ends within its head. Any other fault is *damage*: a wrong
checksum, a wrong value, bytes after the end.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from struct import Struct
from typing import Final, Self

from traceloop_decode import areas, flat_json, snapshot
from traceloop_decode.model import DecodeError
from traceloop_decode.safe_text import encodable
from traceloop_decode.trace_facts import TraceFacts, fits, signed

VERSION: Final = 1
ZLIB: Final = "zlib"
NONE: Final = "none"
METHODS: Final = (ZLIB, NONE)
HEAD_READ_BYTES: Final = 4096
"""Bytes to read from the start of a file: nearly always its whole head."""

_MAGIC: Final = b"TLTRACE\n"
_VERSIONED: Final = Struct("<8sI")
_FIXED: Final = Struct("<8sI4sIIQQ")
_SUM: Final = Struct("<I")
_INFO_AT: Final = _FIXED.size + _SUM.size
_INFO_MAX: Final = 16 << 20
_INFO_PIECES_MAX: Final = 1 << 16
_RING_MAX: Final = 1 << 30  # the maximum of ring.size in traceloop.toml(5)
_FASTEST: Final = 1
_GROWTH_SHIFT: Final = 9  # incompressible data grows, by less than this (deflateBound of zlib.h)
_GROWTH_BYTES: Final = 64


class TruncatedError(DecodeError):
    """The file is shorter than its head says."""


@dataclass(frozen=True, slots=True)
class TraceInfo(TraceFacts):
    """The information of a file: the facts of its trace, and where and when the snapshot was taken.

    arch, kernel: as uname(2) names them. boot_id: /proc/sys/kernel/random/boot_id. boot_offset_ns: CLOCK_REALTIME -
    CLOCK_BOOTTIME when the snapshot was taken. version: of the traceloop that wrote the file.
    """

    arch: str = ""
    kernel: str = ""
    boot_id: str = ""
    boot_offset_ns: int = signed(0)
    version: str = ""

    def encode(self) -> bytes:
        """Returns the information as JSON, with characters that are not Unicode text escaped."""
        values = {name: _text(getattr(self, name)) for name in _FIELDS}
        return json.dumps(values, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """Parses what `encode` returned. Raises DecodeError for anything else."""
        try:
            values = flat_json.loads(text, _INFO_PIECES_MAX)
        except (ValueError, RecursionError) as error:
            raise DecodeError(f"damaged archive: its information is not JSON ({error})") from error
        if not isinstance(values, dict) or not values.get("trace_id"):
            raise DecodeError("damaged archive: its information names no trace")
        known = {name: values[name] for name in _FIELDS if name in values}
        for name, value in known.items():
            if not fits(_FIELDS[name], value):
                raise DecodeError(f"damaged archive: {name} is {str(value)[:40]!r}")
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Head:
    """Head of a file. method: as in the file, known or not. Sizes are in bytes."""

    info: TraceInfo
    method: str
    packed_at: int
    packed_size: int
    snapshot_size: int

    @property
    def file_size(self) -> int:
        """Size that the whole file must have."""
        return self.packed_at + self.packed_size + _SUM.size

    def check_size(self, size_bytes: int) -> None:
        """Raises TruncatedError if a file of this size is too short, DecodeError if it is too long."""
        if size_bytes < self.file_size:
            raise TruncatedError(f"truncated archive: {size_bytes} bytes of {self.file_size}")
        if size_bytes > self.file_size:
            raise DecodeError(f"damaged archive: it continues after the {self.file_size} bytes that its head announces")


def pack(info: TraceInfo, encoded: bytes, method: str = ZLIB) -> bytes:
    """Returns the file of an encoded Snapshot, packed by one of METHODS."""
    packed = zlib.compress(encoded, _FASTEST) if method == ZLIB else encoded
    text = info.encode()
    fixed = _FIXED.pack(_MAGIC, VERSION, method.encode(), len(text), zlib.crc32(text), len(packed), len(encoded))
    parts = fixed, _SUM.pack(zlib.crc32(fixed)), text, packed
    total = 0
    for part in parts:
        total = zlib.crc32(part, total)
    return b"".join((*parts, _SUM.pack(total)))


def head_size(start: bytes) -> int:
    """Returns the size of the head of a file with these leading bytes. Raises DecodeError, TruncatedError."""
    if len(start) < _VERSIONED.size:
        if not _MAGIC.startswith(start[: len(_MAGIC)]):
            raise DecodeError("not a traceloop archive: it does not begin with TLTRACE")
        raise TruncatedError(f"truncated archive: cut off within its head, after {len(start)} bytes")
    magic, version = _VERSIONED.unpack_from(start)
    if magic != _MAGIC:
        raise DecodeError("not a traceloop archive: it does not begin with TLTRACE")
    if version != VERSION:
        raise DecodeError(
            f"archive version {version} is not known here, only {VERSION}: use the traceloopctl that wrote it"
        )
    if len(start) < _INFO_AT:
        raise TruncatedError(f"truncated archive: cut off within its head, after {len(start)} bytes")
    info_size = int(_FIXED.unpack_from(start)[3])
    if _SUM.unpack_from(start, _FIXED.size)[0] != zlib.crc32(start[: _FIXED.size]):
        raise DecodeError("damaged archive: the checksum of its first bytes is wrong")
    if info_size > _INFO_MAX:
        raise DecodeError(f"damaged archive: {info_size} bytes of information")
    return _INFO_AT + info_size


def read_head(start: bytes) -> Head:
    """Parses a head from a file's leading bytes. Raises DecodeError; TruncatedError for less than `head_size`."""
    size = head_size(start)
    if len(start) < size:
        raise TruncatedError(f"truncated archive: {len(start)} bytes of a head of {size}")
    _, _, method, _, info_sum, packed_size, snapshot_size = _FIXED.unpack_from(start)
    text = start[_INFO_AT:size]
    if zlib.crc32(text) != info_sum:
        raise DecodeError("damaged archive: the checksum of its information is wrong")
    info = TraceInfo.decode(text)
    most = snapshot_max(info)
    if snapshot_size > most:
        raise DecodeError(f"damaged archive: a snapshot of {snapshot_size} bytes, but its ring allows at most {most}")
    if packed_size > snapshot_size + (snapshot_size >> _GROWTH_SHIFT) + _GROWTH_BYTES:
        raise DecodeError(f"damaged archive: a snapshot of {snapshot_size} bytes, packed into {packed_size}")
    return Head(info, method.decode("ascii", "backslashreplace"), size, packed_size, snapshot_size)


def snapshot_max(info: TraceInfo) -> int:
    """Returns the maximum size of a trace's encoded Snapshot: its ring, or the largest one, its areas, its front."""
    ring = min(info.ring_size_bytes, _RING_MAX) or _RING_MAX
    return ring + areas.BYTES_MAX + snapshot.FRONT_MAX_BYTES


def check(file: bytes) -> Head:
    """Verifies a whole file's checksums without unpacking it; returns its head. Raises DecodeError, TruncatedError."""
    head = read_head(file)
    head.check_size(len(file))
    if head.method not in METHODS:
        raise DecodeError(f"archive packed by the unknown method {head.method!r}: use the traceloopctl that wrote it")
    body = memoryview(file)[: -_SUM.size]
    if zlib.crc32(body) != _SUM.unpack_from(file, len(body))[0]:
        raise DecodeError("damaged archive: its checksum is wrong")
    return head


def unpack(file: bytes) -> tuple[TraceInfo, bytes]:
    """Returns the information and the encoded Snapshot of a whole file. Raises DecodeError, TruncatedError."""
    head = check(file)
    packed = memoryview(file)[head.packed_at : -_SUM.size]
    encoded = _inflate(packed, head.snapshot_size) if head.method == ZLIB else bytes(packed)
    if len(encoded) != head.snapshot_size:
        raise DecodeError(f"damaged archive: its snapshot has {len(encoded)} bytes instead of {head.snapshot_size}")
    return head.info, encoded


def _inflate(packed: memoryview, size: int) -> bytes:
    # Unpacks no more than the head announces; `read_head` has bounded that.
    inflater = zlib.decompressobj()
    try:
        encoded = inflater.decompress(packed, size + 1)
    except zlib.error as error:
        raise DecodeError(f"damaged archive: {error}") from error
    if not inflater.eof or inflater.unused_data:
        raise DecodeError("damaged archive: its packed snapshot does not end where it should")
    return encoded


_FIELDS: Final = {one.name: one for one in fields(TraceInfo)}


def _text(value: object) -> object:
    if isinstance(value, Mapping):
        return {encodable(name): encodable(text) for name, text in value.items()}
    return encodable(value) if isinstance(value, str) else value
