# SPDX-License-Identifier: Apache-2.0
"""Snapshot: the bytes of one ring at one time, with everything needed to read them on any machine.

The encoded form, for transport and storage::

    "TLSNAP1\\n" | u32 length | JSON of the fields | the copies of the ring's headers | the ring's data | its areas

All numbers are little endian. Unknown fields of the JSON are ignored; a snapshot with another `record_version` is
refused with an error that names it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, Final

from traceloop_decode import flat_json, later_calls, layout
from traceloop_decode.areas import Area, areas_of_fields
from traceloop_decode.model import DecodeError
from traceloop_decode.open_files import OpenFiles
from traceloop_decode.syscalls import Later
from traceloop_decode.totals import Totals

_MAGIC: Final = b"TLSNAP1\n"
_LENGTH: Final = Struct("<I")
_NUMBERS: Final = (
    "record_version",
    "ring_size",
    "chunk_size",
    "cpus",
    "boot_offset_ns",
    "taken_ns",
    "started_ns",
)
_CPUS_MAX: Final = 8192
_COPIES_MAX: Final = 4
_RING_MAX: Final = 1 << 32
_INT64: Final = range(-1 << 63, 1 << 63)
_TEXT_MAX: Final = 64 << 20  # open files: twice 64 processes, 1,024 descriptors, PATH_MAX bytes as \u00ff each
_PIECES_MAX: Final = 1 << 16
FRONT_MAX_BYTES: Final = _TEXT_MAX + _COPIES_MAX * layout.headers_size(_CPUS_MAX)
"""Maximum size of an encoded snapshot's part before the ring's data, in bytes."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Bytes of a ring, copied while programs may have been writing to it.

    arch: as uname(2) names it. ring_size, chunk_size: bytes. cpus: number of struct tl_cpu in a copy of the headers.
    taken_ns, started_ns: CLOCK_BOOTTIME when the snapshot was taken and when recording began.
    boot_offset_ns: CLOCK_REALTIME - CLOCK_BOOTTIME.
    headers: copies of struct tl_ring and its struct tl_cpu: two made before the data was copied, at least one after; in
    record version 1 one before it.
    data: the ring's data, without the part that was never written, then the bytes of its areas.
    areas: descriptions of the areas (`areas`), in the order of their bytes. totals: counts of all calls (`totals`).
    open_files: the files that the processes had open when recording began, if the daemon read them.
    syscalls: calls newer than the tables, which the recording kernel named.
    """

    arch: str
    record_version: int
    ring_size: int
    chunk_size: int
    cpus: int
    boot_offset_ns: int
    taken_ns: int
    started_ns: int
    headers: tuple[bytes, ...]
    data: bytes
    open_files: OpenFiles | None = None
    syscalls: Later = field(default_factory=dict)
    areas: tuple[Area, ...] = ()
    totals: Totals | None = None

    @property
    def ring_length(self) -> int:
        """Bytes of the data that are the ring's own."""
        return len(self.data) - sum(area.length for area in self.areas)

    def encode(self) -> bytes:
        """Returns the encoded snapshot."""
        fields: dict[str, Any] = {"arch": self.arch, "headers": len(self.headers)} | {
            name: getattr(self, name) for name in _NUMBERS
        }
        if self.open_files is not None:
            fields["open_files"] = self.open_files.fields()
        if self.syscalls:
            fields["syscalls"] = later_calls.fields(self.syscalls)
        if self.areas:
            fields["areas"] = [area.fields() for area in self.areas]
        if self.totals is not None:
            fields["totals"] = self.totals.fields()
        text = json.dumps(fields).encode()
        return b"".join((_MAGIC, _LENGTH.pack(len(text)), text, *self.headers, self.data))

    @classmethod
    def decode(cls, encoded: bytes) -> Snapshot:
        """Parses what `encode` returned. Raises DecodeError for anything else."""
        at = len(_MAGIC) + _LENGTH.size
        if len(encoded) < at or not encoded.startswith(_MAGIC):
            raise DecodeError("not a traceloop snapshot: it does not begin with TLSNAP1")
        (length,) = _LENGTH.unpack_from(encoded, len(_MAGIC))
        if length > _TEXT_MAX:
            raise DecodeError(f"damaged snapshot: a description of {length} bytes")
        try:
            fields = flat_json.loads(encoded[at : at + length], _PIECES_MAX)
        except (ValueError, RecursionError) as error:
            raise DecodeError(f"damaged snapshot: its description is not JSON ({error})") from error
        numbers = _checked(fields)
        open_files = OpenFiles.of_fields(fields["open_files"]) if "open_files" in fields else None
        syscalls = later_calls.of_fields(fields["syscalls"]) if "syscalls" in fields else {}
        areas = areas_of_fields(fields["areas"]) if "areas" in fields else ()
        totals = Totals.of_fields(fields["totals"]) if "totals" in fields else None
        size, count = layout.headers_size(numbers["cpus"]), fields["headers"]
        at += length
        if len(encoded) < at + count * size:
            raise DecodeError(f"damaged snapshot: cut off, {len(encoded)} bytes of at least {at + count * size}")
        data, length = at + count * size, sum(area.length for area in areas)
        if length > len(encoded) - data:
            raise DecodeError(f"damaged snapshot: cut off within its areas, which have {length} bytes")
        return cls(
            arch=fields["arch"],
            headers=tuple(encoded[at + n * size : at + (n + 1) * size] for n in range(count)),
            data=encoded[data : data + numbers["ring_size"] + length],
            open_files=open_files,
            syscalls=syscalls,
            areas=areas,
            totals=totals,
            **numbers,
        )


def _checked(fields: object) -> dict[str, int]:
    if not isinstance(fields, dict):
        raise DecodeError("damaged snapshot: its description is not an object")
    for name in (*_NUMBERS, "headers"):
        if type(fields.get(name)) is not int:
            raise DecodeError(f"damaged snapshot: {name} is {fields.get(name)!r}, not a number")
        if fields[name] not in _INT64:
            raise DecodeError(f"damaged snapshot: {name} is {fields[name]}")
    if not isinstance(fields.get("arch"), str):
        raise DecodeError("damaged snapshot: arch is missing")
    if fields["record_version"] not in layout.FORMS:
        known = " and ".join(map(str, layout.FORMS))
        raise DecodeError(
            f"record version {fields['record_version']} is not known here, only {known}: "
            "use the traceloopctl of the version that recorded it"
        )
    ring, chunk = fields["ring_size"], fields["chunk_size"]
    powers = all(size > 0 and size & (size - 1) == 0 for size in (ring, chunk))
    if not (powers and layout.CHUNK.size <= chunk <= ring <= _RING_MAX):
        raise DecodeError(f"damaged snapshot: a ring of {ring} bytes in chunks of {chunk}")
    if not (0 < fields["cpus"] <= _CPUS_MAX and 1 < fields["headers"] <= _COPIES_MAX):
        raise DecodeError(f"damaged snapshot: {fields['cpus']} CPUs, {fields['headers']} copies of the headers")
    return {name: fields[name] for name in _NUMBERS}
