# SPDX-License-Identifier: Apache-2.0
"""Calls of bpf(2): create maps, load and attach programs, describe and pin both, read and change maps' elements.

Errors are raised as OSError. The daemon needs no other part of BPF: BCC and its compiler are only in the memory of the
compiler's process.
"""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Final

from traceloop_bpf.arch import architecture
from traceloop_bpf.compiled import INSTRUCTION, Shape

_MAP_CREATE, _MAP_LOOKUP, _MAP_UPDATE, _MAP_DELETE, _OBJ_GET_INFO, _MAP_POP, _MAP_LOOKUP_BATCH, _MAP_UPDATE_BATCH = (
    *(0, 1, 2, 3, 15, 21),
    *(24, 26),
)
_PROG_LOAD, _OBJ_PIN, _OBJ_GET, _RAW_TRACEPOINT_OPEN = 5, 6, 7, 17
_ENABLE_STATS: Final = 32
_PROG_TYPE_RAW_TRACEPOINT: Final = 17
_LICENCE: Final = b"GPL"  # helpers ask for it
_LOAD_ATTEMPTS: Final = 16
_LOG_MAX_BYTES: Final = 1 << 24
_STATS_RUN_TIME: Final = 0
_TYPE_ARRAY: Final = 2
_ENOTSUPP: Final = 524  # kernel-internal errno; returned before Linux 5.19, which added batches for maps of maps
_F_MMAPABLE: Final = 1 << 10

# union bpf_attr of linux/bpf.h, by command
_CREATE: Final = Struct("<IIIIIII16s")  # type, key, value, entries, flags, inner fd, numa node, name
_LOAD: Final = Struct("<IIQQIIQII16s")  # type, instructions, their and the licence's address, log, 2 x 0, name
_ATTACH: Final = Struct("<QI4x")  # name of the tracepoint, fd of the program
_ELEMENT: Final = Struct("<I4xQQQ")  # fd, key, value, flags
_INFO: Final = Struct("<IIQ")  # fd, length, address of the answer
_MAP_INFO: Final = Struct("<IIIIII")  # struct bpf_map_info: type, id, key, value, entries, flags
_OBJECT: Final = Struct("<QII")  # path, fd, flags
_STATS: Final = Struct("<I")  # type
_PROGRAM_INFO: Final = Struct("<192xQQ")  # struct bpf_prog_info up to run_time_ns, run_cnt (Linux 5.1)
_BATCH: Final = Struct("<QQQQIIQQ")  # in, out, keys, values, count, fd, element flags, flags

_libc: Final = ctypes.CDLL(None, use_errno=True)


def _bpf(command: int, attr: bytes, what: str, *, missing_ok: bool = False) -> int:
    result: int = _libc.syscall(architecture().bpf, command, ctypes.c_char_p(attr), len(attr))
    if result < 0:
        number = ctypes.get_errno()
        if missing_ok and number == errno.ENOENT:
            return -1
        raise OSError(number, f"{os.strerror(number)} (bpf: {what})")
    return result


def create_map(shape: Shape, name: str, template: int = 0) -> int:
    """Creates a map; returns its fd, which is close-on-exec. template: for a map of maps, the fd of one like these."""
    return _bpf(_MAP_CREATE, _CREATE.pack(*shape, template, 0, name.encode()[:15]), f"create {name}")


def create_array(value_size: int, name: str) -> int:
    """Creates an array map with one element that can be mmapped; returns its fd, which is close-on-exec."""
    return create_map((_TYPE_ARRAY, 4, value_size, 1, _F_MMAPABLE), name)


def load_program(code: bytes, name: str) -> int:
    """Loads a program for raw tracepoints; returns its fd, which is close-on-exec."""
    for _ in range(_LOAD_ATTEMPTS - 1):
        with suppress(BlockingIOError):  # EAGAIN: a signal ended the verification; its handler has run by now
            return _load(code, name)
    return _load(code, name)


def verifier_log(code: bytes, name: str) -> str:
    """Returns what the verifier writes about a program that it refuses: the path to the refused instruction."""
    log = ctypes.create_string_buffer(_LOG_MAX_BYTES)
    with suppress(OSError):  # as expected; also of a log that is longer
        os.close(_load(code, name, log))
    return log.value.decode(errors="backslashreplace")


def _load(code: bytes, name: str, log: ctypes.Array[ctypes.c_char] | None = None) -> int:
    wanted = (1, len(log), ctypes.addressof(log)) if log is not None else (0, 0, 0)
    attr = _LOAD.pack(
        *(_PROG_TYPE_RAW_TRACEPOINT, len(code) // INSTRUCTION.size, _address(code), _address(_LICENCE)),
        *wanted,
        *(0, 0, name.encode()[:15]),
    )
    return _bpf(_PROG_LOAD, attr, f"load {name}")


def attach(program: int, tracepoint: str) -> int:
    """Attaches a program to a raw tracepoint; returns the link's fd, which is close-on-exec."""
    name = tracepoint.encode()
    return _bpf(_RAW_TRACEPOINT_OPEN, _ATTACH.pack(_address(name), program), f"attach to {tracepoint}")


@dataclass(frozen=True, slots=True)
class MapInfo:
    """A map's id and its shape: type, key size, value size, entries, flags."""

    id: int
    shape: Shape

    @property
    def value_size(self) -> int:
        """Size of a value, in bytes."""
        return self.shape[2]

    @property
    def entries(self) -> int:
        """Number of entries; the size of a ring buffer's data, in bytes."""
        return self.shape[3]


def map_info(fd: int) -> MapInfo:
    """Returns a map's id and shape, as the kernel reports them."""
    answer = ctypes.create_string_buffer(_MAP_INFO.size)
    _bpf(_OBJ_GET_INFO, _INFO.pack(fd, _MAP_INFO.size, ctypes.addressof(answer)), "describe")
    kind, number, *rest = _MAP_INFO.unpack(answer.raw)
    return MapInfo(number, (kind, *rest))


def about(fd: int) -> dict[str, str]:
    """Returns the fdinfo (proc(5)) of a map's or a link's descriptor: ``frozen``, ``link_type`` and others.

    Raises OSError if the descriptor is not open.
    """
    lines = Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def pin(fd: int, path: Path) -> None:
    """Gives a map, a program or a link a name in a bpf file system, which keeps it. Raises OSError."""
    name = os.fsencode(path)
    _bpf(_OBJ_PIN, _OBJECT.pack(_address(name), fd, 0), f"pin {path}")


def open_pinned(path: Path) -> int:
    """Opens what is pinned under a name; returns its fd, which is close-on-exec. Raises OSError."""
    name = os.fsencode(path)
    return _bpf(_OBJ_GET, _OBJECT.pack(_address(name), 0, 0), f"open {path}")


def enable_run_times() -> int:
    """Makes the kernel time each run of every program while the returned descriptor is open.

    Needs CAP_SYS_ADMIN and Linux 5.8.
    """
    return _bpf(_ENABLE_STATS, _STATS.pack(_STATS_RUN_TIME), "enable stats")


def program_runs(fd: int) -> tuple[int, int]:
    """Returns a program's run time in nanoseconds and its number of runs, counted while runs were timed."""
    answer = ctypes.create_string_buffer(_PROGRAM_INFO.size)
    _bpf(_OBJ_GET_INFO, _INFO.pack(fd, _PROGRAM_INFO.size, ctypes.addressof(answer)), "describe")
    time_ns, runs = _PROGRAM_INFO.unpack(answer.raw)
    return int(time_ns), int(runs)


def update(fd: int, key: bytes, value: bytes) -> None:
    """Sets an element. For a map of maps this waits for an RCU grace period, about 12 ms."""
    attr = _ELEMENT.pack(fd, _address(key), _address(value), 0)
    _bpf(_MAP_UPDATE, attr, "update")


def update_all(fd: int, elements: list[tuple[bytes, bytes]]) -> None:
    """Sets elements. For a map of maps this waits for one RCU grace period in all.

    After an error some elements may be set.
    """
    keys, values = (b"".join(part) for part in zip(*elements, strict=True))
    attr = _BATCH.pack(0, 0, _address(keys), _address(values), len(elements), fd, 0, 0)
    try:
        _bpf(_MAP_UPDATE_BATCH, attr, "update all")
    except OSError as error:
        if error.errno != _ENOTSUPP:
            raise
        for key, value in elements:
            update(fd, key, value)


def lookup(fd: int, key: bytes, value_size: int) -> bytes | None:
    """Returns an element's value, or None if there is no such element."""
    value = ctypes.create_string_buffer(value_size)
    attr = _ELEMENT.pack(fd, _address(key), ctypes.addressof(value), 0)
    return None if _bpf(_MAP_LOOKUP, attr, "look up", missing_ok=True) < 0 else value.raw


def delete(fd: int, key: bytes) -> bool:
    """Deletes an element; returns whether it existed. For a map of maps this waits as `update` does."""
    return _bpf(_MAP_DELETE, _ELEMENT.pack(fd, _address(key), 0, 0), "delete", missing_ok=True) >= 0


def push(fd: int, value: bytes) -> None:
    """Appends a value to a queue map. Raises OSError."""
    _bpf(_MAP_UPDATE, _ELEMENT.pack(fd, 0, _address(value), 0), "push")


def pop(fd: int, value_size: int) -> bytes | None:
    """Takes the first value out of a queue map; returns None if it is empty."""
    value = ctypes.create_string_buffer(value_size)
    attr = _ELEMENT.pack(fd, 0, ctypes.addressof(value), 0)
    return None if _bpf(_MAP_POP, attr, "pop", missing_ok=True) < 0 else value.raw


def items(fd: int, key_size: int, value_size: int, max_entries: int) -> list[tuple[bytes, bytes]]:
    """Returns all elements of a hash map by one BPF_MAP_LOOKUP_BATCH, which is not atomic."""
    keys = ctypes.create_string_buffer(key_size * max_entries)
    values = ctypes.create_string_buffer(value_size * max_entries)
    cursor = ctypes.create_string_buffer(8)
    attr = ctypes.create_string_buffer(
        _BATCH.pack(
            0, ctypes.addressof(cursor), ctypes.addressof(keys), ctypes.addressof(values), max_entries, fd, 0, 0
        ),
        _BATCH.size,
    )
    result = _libc.syscall(architecture().bpf, _MAP_LOOKUP_BATCH, attr, _BATCH.size)
    number = ctypes.get_errno()
    if result < 0 and number != errno.ENOENT:  # ENOENT: that was the last batch
        raise OSError(number, f"{os.strerror(number)} (bpf: read all)")
    count = _BATCH.unpack(attr.raw)[4]
    # `raw` copies the whole buffer, so it is not used for each element.
    all_keys, all_values = ctypes.string_at(keys, count * key_size), ctypes.string_at(values, count * value_size)
    return [
        (all_keys[n * key_size : (n + 1) * key_size], all_values[n * value_size : (n + 1) * value_size])
        for n in range(count)
    ]


def _address(data: bytes) -> int:
    # The caller's reference keeps the bytes object alive, and its contents never move.
    address = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value
    assert address is not None
    return address
