# SPDX-License-Identifier: Apache-2.0
"""Finds the BPF programs, maps and links that a process holds, and whether they still exist in the kernel: bpf(2)."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from struct import Struct

from traceloop_bpf.arch import architecture

_FD_BY_ID = {"prog": 13, "map": 14, "link": 30}  # BPF_PROG_GET_FD_BY_ID and its like
_ID = Struct("<I124x")
_ID_LINE = re.compile(r"^(prog|map|link)_id:\t(\d+)$", re.MULTILINE)

KernelObject = tuple[str, int]


def held_by(pid: int) -> set[KernelObject]:
    """Returns ("prog", "map" or "link", id) for each of the process's descriptors. pid: in this machine's numbering."""
    found = set()
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        with suppress(FileNotFoundError):  # one that another of its threads has closed meanwhile
            found |= {(kind, int(number)) for kind, number in _ID_LINE.findall(info.read_text())}
    return found


def wait_until_gone(objects: set[KernelObject], *, timeout_s: float = 30) -> None:
    """Waits until the objects are gone. The kernel frees them shortly after their last descriptor, unannounced."""
    end = time.monotonic() + timeout_s
    while left := {each for each in objects if _exists(*each)}:
        assert time.monotonic() < end, f"left in the kernel: {sorted(left)}"
        time.sleep(0.02)


def open_object(kind: str, number: int) -> int | None:
    """Returns a descriptor of a program, map or link; None if there is none of this id."""
    attr = _ID.pack(number)
    fd: int = ctypes.CDLL(None, use_errno=True).syscall(
        architecture().bpf, _FD_BY_ID[kind], ctypes.c_char_p(attr), len(attr)
    )
    if fd >= 0:
        return fd
    assert ctypes.get_errno() == errno.ENOENT, os.strerror(ctypes.get_errno())
    return None


def _exists(kind: str, number: int) -> bool:
    fd = open_object(kind, number)
    if fd is not None:
        os.close(fd)
    return fd is not None
