# SPDX-License-Identifier: Apache-2.0
"""Numbers of the devices that files in /dev are."""

from __future__ import annotations

import ctypes
import os
from struct import Struct
from typing import Final

_STATX: Final = Struct("<28xH98xII120x")
"""struct statx of linux/stat.h: stx_mode, stx_rdev_major, stx_rdev_minor."""
_AT_FDCWD: Final = -100
_AT_STATX_DONT_SYNC: Final = 0x4000
_STATX_TYPE: Final = 1
_KINDS: Final = {0o020000: "char", 0o060000: "block"}
_libc: Final = ctypes.CDLL(None, use_errno=True)


def device(path: str) -> str:
    """Returns the numbers of a device as strace prints them: ``char 1:3``; "" if it is none, or cannot be asked.

    The kernel answers from what it knows: a container may have opened a file on a file system that it serves itself
    (FUSE), and let the question wait.
    """
    answer = ctypes.create_string_buffer(_STATX.size)
    if _libc.statx(_AT_FDCWD, os.fsencode(path), _AT_STATX_DONT_SYNC, _STATX_TYPE, answer):
        return ""
    mode, major, minor = _STATX.unpack(answer.raw)
    kind = _KINDS.get(mode & 0o170000)
    return f"{kind} {major}:{minor}" if kind is not None else ""
