# SPDX-License-Identifier: Apache-2.0
"""Attaches and detaches programs on the raw tracepoints sys_enter and sys_exit: empty ones, and the recorder's.

The loader attaches the recorder permanently. Comparing it with other states needs it attached and detached repeatedly,
which the descriptors of its programs are enough for.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import ExitStack, contextmanager
from struct import Struct
from typing import TYPE_CHECKING, Final

from traceloop_bpf.arch import architecture
from traceloop_bpf.bpfcalls import attach, load_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from traceloop_bpf.tracer import Tracer

TRACEPOINTS: Final = {"on_sys_exit": "sys_exit", "on_sys_enter": "sys_enter"}

_INFO_BY_FD, _LINK_FD_BY_ID, _LINK_NEXT_ID = 15, 30, 31
_LINK_RAW_TRACEPOINT: Final = 1
# Two instructions: set the result to 0, exit
_EMPTY: Final = bytes.fromhex("b700000000000000 9500000000000000")

_ID: Final = Struct("<III4x")  # id, next id, flags
_INFO: Final = Struct("<IIQ")  # fd, length, address
_LINK: Final = Struct("<IIIIQI4x")  # type, id, program, pad, tp_name, tp_name_len

_libc: Final = ctypes.CDLL(None, use_errno=True)


def _bpf(command: int, attr: ctypes.Array[ctypes.c_char]) -> int:
    result: int = _libc.syscall(architecture().bpf, command, attr, len(attr))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{os.strerror(number)} (bpf command {command})")
    return result


@contextmanager
def empty_programs() -> Iterator[dict[str, int]]:
    """Loads two programs that do nothing, as a mapping for `attached`."""
    with ExitStack() as exits:
        programs = {tracepoint: load_program(_EMPTY, "empty") for tracepoint in TRACEPOINTS.values()}
        for program in programs.values():
            exits.callback(os.close, program)
        yield programs


@contextmanager
def attached(programs: dict[str, int]) -> Iterator[None]:
    """Attaches the programs, tracepoint -> program, until the block ends."""
    links = [attach(program, tracepoint) for tracepoint, program in programs.items()]
    try:
        yield
    finally:
        for link in links:
            os.close(link)


def take_off(tracer: Tracer) -> dict[str, int]:
    """Detaches the recorder's two programs for system calls; returns the mapping for `attached` to attach them."""
    fds = tracer._programs._fds  # noqa: SLF001 - only a benchmark needs a recorder that does not record
    for function in TRACEPOINTS:
        os.close(fds.pop(f"link.{function}"))
    return {tracepoint: fds[f"program.{function}"] for function, tracepoint in TRACEPOINTS.items()}


def count_attached() -> int:
    """Counts the raw tracepoint programs on sys_enter and sys_exit, whoever attached them."""
    count = last = 0
    while True:
        attr = ctypes.create_string_buffer(_ID.pack(last, 0, 0), _ID.size)
        try:
            _bpf(_LINK_NEXT_ID, attr)
        except FileNotFoundError:  # no further link
            return count
        last = _ID.unpack(attr.raw)[1]
        try:
            fd = _bpf(_LINK_FD_BY_ID, ctypes.create_string_buffer(_ID.pack(last, 0, 0), _ID.size))
        except FileNotFoundError:  # closed meanwhile
            continue
        try:
            count += _raw_tracepoint(fd) in TRACEPOINTS.values()
        finally:
            os.close(fd)


def _raw_tracepoint(link: int) -> str:
    name = ctypes.create_string_buffer(64)
    info = ctypes.create_string_buffer(_LINK.pack(0, 0, 0, 0, ctypes.addressof(name), len(name)), 128)
    _bpf(_INFO_BY_FD, ctypes.create_string_buffer(_INFO.pack(link, len(info), ctypes.addressof(info)), _INFO.size))
    return name.value.decode() if _LINK.unpack_from(info.raw)[0] == _LINK_RAW_TRACEPOINT else ""
