# SPDX-License-Identifier: Apache-2.0
"""Which programs, maps and links of BPF a process holds, and whether they are in the kernel still: bpf(2)."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import re
import time
from pathlib import Path
from struct import Struct

_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]  # the system call's number
_FD_BY_ID = {"prog": 13, "map": 14, "link": 30}  # BPF_PROG_GET_FD_BY_ID and its like
_ID = Struct("<I124x")
_ID_LINE = re.compile(r"^(prog|map|link)_id:\t(\d+)$", re.MULTILINE)

KernelObject = tuple[str, int]


def held_by(pid: int) -> set[KernelObject]:
    """("prog", "map" or "link", its id) of each that the process has a descriptor of. pid: as this machine sees it."""
    found = set()
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        found |= {(kind, int(number)) for kind, number in _ID_LINE.findall(info.read_text())}
    return found


def wait_until_gone(objects: set[KernelObject], *, timeout_s: float = 30) -> None:
    """Until none of them is left. The kernel frees them a little after their last descriptor, and tells no one."""
    end = time.monotonic() + timeout_s
    while left := {each for each in objects if _exists(*each)}:
        assert time.monotonic() < end, f"left in the kernel: {sorted(left)}"
        time.sleep(0.02)


def _exists(kind: str, number: int) -> bool:
    attr = _ID.pack(number)
    fd = ctypes.CDLL(None, use_errno=True).syscall(_BPF, _FD_BY_ID[kind], ctypes.c_char_p(attr), len(attr))
    if fd >= 0:
        os.close(fd)
        return True
    assert ctypes.get_errno() == errno.ENOENT, os.strerror(ctypes.get_errno())
    return False
