# SPDX-License-Identifier: Apache-2.0
"""The file that one trace is kept in: what is known of the trace, and its packed Snapshot.

Format version 1; all numbers are unsigned and little endian::

    at   size  what
     0      8  "TLTRACE\\n"
     8      4  the format's version: 1
    12      4  the method by which the snapshot is packed: "zlib" (RFC 1950), or "none"
    16      4  I, the size of the information
    20      4  CRC-32 of the information
    24      8  P, the size of the packed snapshot
    32      8  the size of the snapshot once it is unpacked
    40      4  CRC-32 of bytes 0 to 39
    44      I  the information: a JSON object in ASCII, the fields of TraceInfo
    44+I    P  the packed snapshot: `snapshot` says what is in it
    44+I+P  4  CRC-32 of all bytes before

CRC-32 is zlib's, and gzip's. The first two fields stay where they are in every version. The head, bytes 0 to 43 and
the information, is enough to list a trace, and its sums are its own: a reader need not touch the rest.

Fields of the information that this version does not know are ignored, and those that it misses have their defaults.
A newer version of the format, or another method, is refused by name; older ones are read for ever.

How large a snapshot may become once it is unpacked follows from what the information says of the ring: `snapshot_max`.
A head that announces more is damage.

A file is *truncated* if it is shorter than its head says, or ends within its head. Everything else that is wrong with
one is *damage*: a wrong sum, a wrong value, bytes behind the end.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from struct import Struct
from typing import Final

from traceloop_decode import flat_json, snapshot
from traceloop_decode.model import DecodeError

VERSION: Final = 1
ZLIB: Final = "zlib"
NONE: Final = "none"
METHODS: Final = (ZLIB, NONE)
HEAD_READ_BYTES: Final = 4096
"""What to read of a file at first: nearly always its whole head."""

_MAGIC: Final = b"TLTRACE\n"
_VERSIONED: Final = Struct("<8sI")
_FIXED: Final = Struct("<8sI4sIIQQ")
_SUM: Final = Struct("<I")
_INFO_AT: Final = _FIXED.size + _SUM.size
_INFO_MAX: Final = 16 << 20
_INFO_PIECES_MAX: Final = 1 << 16
_RING_MAX: Final = 1 << 30  # the largest that traceloop.toml(5) allows
_FASTEST: Final = 1
_GROWTH_SHIFT: Final = 9  # what cannot be packed becomes larger: by less than this (deflateBound of zlib.h)
_GROWTH_BYTES: Final = 64
_STATUS_MAX: Final = 0xFFFF
_COUNT_MAX: Final = (1 << 31) - 1
_INT64: Final = range(-1 << 63, 1 << 63)


class TruncatedError(DecodeError):
    """The file is shorter than it says."""


@dataclass(frozen=True, slots=True)
class TraceInfo:
    """What is known of a trace. Strings are empty where something is not known.

    started_ns, ended_ns: CLOCK_REALTIME; ended_ns is 0 where the daemon stopped while the container still ran.
    status: how the container's first process ended, as wait(2) reports it; None: not known. restart_count: how often
    the engine had started it before; None: not known. labels: the container's and its pod's; labels_left_out: how many
    more there were.
    events: system calls, signals and thread exits. overwritten, dropped: those of them that the ring did not hold any
    more, and those that never came into it. What was rejected is found only when the snapshot is decoded.
    capture: the policy by which memory was kept, a word of docs/security.md. ring_size_bytes: what the ring held at
    most; 0: not known. io_uring_setups: instances of io_uring that the container set up.
    arch, kernel: as uname(2) names them. boot_id: /proc/sys/kernel/random/boot_id. boot_offset_ns: CLOCK_REALTIME -
    CLOCK_BOOTTIME when the snapshot was taken. version: of the traceloop that wrote this.
    """

    trace_id: str
    node: str = ""
    namespace: str = ""
    pod: str = ""
    pod_uid: str = ""
    container: str = ""
    container_id: str = ""
    image: str = ""
    cgroup: str = ""
    started_ns: int = 0
    ended_ns: int = 0
    status: int | None = None
    restart_count: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    labels_left_out: int = 0
    events: int = 0
    overwritten: int = 0
    dropped: int = 0
    capture: str = ""
    ring_size_bytes: int = 0
    io_uring_setups: int = 0
    arch: str = ""
    kernel: str = ""
    boot_id: str = ""
    boot_offset_ns: int = 0
    version: str = ""

    @property
    def lost(self) -> int:
        """Events that the snapshot does not hold."""
        return self.overwritten + self.dropped

    def encode(self) -> bytes:
        """It as JSON. What is no Unicode text is escaped."""
        values = {name: _text(getattr(self, name)) for name in _KINDS}
        return json.dumps(values, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, text: bytes) -> TraceInfo:
        """What `encode` gave. Raises DecodeError for anything else."""
        try:
            values = flat_json.loads(text, _INFO_PIECES_MAX)
        except (ValueError, RecursionError) as error:
            raise DecodeError(f"damaged archive: its information is no JSON ({error})") from error
        if not isinstance(values, dict) or not values.get("trace_id"):
            raise DecodeError("damaged archive: its information names no trace")
        known = {name: values[name] for name in _KINDS if name in values}
        for name, value in known.items():
            if not _fits(name, value):
                raise DecodeError(f"damaged archive: {name} is {str(value)[:40]!r}")
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a file. method: as in the file, whether it is known or not. Sizes in bytes."""

    info: TraceInfo
    method: str
    packed_at: int
    packed_size: int
    snapshot_size: int

    @property
    def file_size(self) -> int:
        """How long the whole file must be."""
        return self.packed_at + self.packed_size + _SUM.size

    def check_size(self, size_bytes: int) -> None:
        """Raises TruncatedError, DecodeError if a file of this size is not whole."""
        if size_bytes < self.file_size:
            raise TruncatedError(f"truncated archive: {size_bytes} bytes of {self.file_size}")
        if size_bytes > self.file_size:
            raise DecodeError(f"damaged archive: it goes on behind the {self.file_size} bytes that it says it has")


def pack(info: TraceInfo, encoded: bytes, method: str = ZLIB) -> bytes:
    """A file of an encoded Snapshot, packed by one of METHODS."""
    packed = zlib.compress(encoded, _FASTEST) if method == ZLIB else encoded
    text = info.encode()
    fixed = _FIXED.pack(_MAGIC, VERSION, method.encode(), len(text), zlib.crc32(text), len(packed), len(encoded))
    parts = fixed, _SUM.pack(zlib.crc32(fixed)), text, packed
    total = 0
    for part in parts:
        total = zlib.crc32(part, total)
    return b"".join((*parts, _SUM.pack(total)))


def head_size(start: bytes) -> int:
    """How many bytes the head of a file takes that begins so. Raises DecodeError, TruncatedError."""
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
        raise DecodeError("damaged archive: the sum over its first bytes is wrong")
    if info_size > _INFO_MAX:
        raise DecodeError(f"damaged archive: {info_size} bytes of information")
    return _INFO_AT + info_size


def read_head(start: bytes) -> Head:
    """The head of a file that begins so. Raises DecodeError; TruncatedError if less than `head_size` is there."""
    size = head_size(start)
    if len(start) < size:
        raise TruncatedError(f"truncated archive: {len(start)} bytes of a head of {size}")
    _, _, method, _, info_sum, packed_size, snapshot_size = _FIXED.unpack_from(start)
    text = start[_INFO_AT:size]
    if zlib.crc32(text) != info_sum:
        raise DecodeError("damaged archive: the sum over its information is wrong")
    info = TraceInfo.decode(text)
    most = snapshot_max(info)
    if snapshot_size > most:
        raise DecodeError(f"damaged archive: a snapshot of {snapshot_size} bytes, and its ring allows for {most}")
    if packed_size > snapshot_size + (snapshot_size >> _GROWTH_SHIFT) + _GROWTH_BYTES:
        raise DecodeError(f"damaged archive: a snapshot of {snapshot_size} bytes, packed into {packed_size}")
    return Head(info, method.decode("ascii", "backslashreplace"), size, packed_size, snapshot_size)


def snapshot_max(info: TraceInfo) -> int:
    """The most bytes of a trace's encoded Snapshot: its ring, or the largest, and what stands before it."""
    ring = min(info.ring_size_bytes, _RING_MAX) or _RING_MAX
    return ring + snapshot.FRONT_MAX_BYTES


def check(file: bytes) -> Head:
    """The head of a whole file, whose sums are right. Nothing is unpacked. Raises DecodeError, TruncatedError."""
    head = read_head(file)
    head.check_size(len(file))
    if head.method not in METHODS:
        raise DecodeError(f"archive packed by {head.method!r}, not known here: use the traceloopctl that wrote it")
    body = memoryview(file)[: -_SUM.size]
    if zlib.crc32(body) != _SUM.unpack_from(file, len(body))[0]:
        raise DecodeError("damaged archive: the sum over it is wrong")
    return head


def unpack(file: bytes) -> tuple[TraceInfo, bytes]:
    """The information and the encoded Snapshot of a whole file. Raises DecodeError, TruncatedError."""
    head = check(file)
    packed = memoryview(file)[head.packed_at : -_SUM.size]
    encoded = _inflate(packed, head.snapshot_size) if head.method == ZLIB else bytes(packed)
    if len(encoded) != head.snapshot_size:
        raise DecodeError(f"damaged archive: a snapshot of {len(encoded)} bytes, not of {head.snapshot_size}")
    return head.info, encoded


def _inflate(packed: memoryview, size: int) -> bytes:
    # No more than the head says, which `read_head` has bounded.
    inflater = zlib.decompressobj()
    try:
        encoded = inflater.decompress(packed, size + 1)
    except zlib.error as error:
        raise DecodeError(f"damaged archive: {error}") from error
    if not inflater.eof or inflater.unused_data:
        raise DecodeError("damaged archive: its packed snapshot does not end where it should")
    return encoded


_KINDS: Final = {one.name: str(one.type) for one in fields(TraceInfo)}


def _text(value: object) -> object:
    if isinstance(value, Mapping):
        return {_text(key): _text(text) for key, text in value.items()}
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _is_text(value: object) -> bool:
    return isinstance(value, str) and (value.isascii() or value == _text(value))


def _fits(name: str, value: object) -> bool:
    if _KINDS[name] == "str":
        return _is_text(value)
    if name == "labels":
        return isinstance(value, dict) and all(_is_text(text) for pair in value.items() for text in pair)
    if name == "status":
        return value is None or (type(value) is int and 0 <= value <= _STATUS_MAX)
    if name in ("restart_count", "labels_left_out"):
        return (value is None and name == "restart_count") or (type(value) is int and 0 <= value <= _COUNT_MAX)
    return type(value) is int and value in _INT64 and (value >= 0 or name == "boot_offset_ns")
