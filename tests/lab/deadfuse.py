# SPDX-License-Identifier: Apache-2.0
"""Mounts a FUSE file system that never answers, then executes a command that has the mount in its namespace.

::

    unshare --mount --propagation=private python3 deadfuse.py DIRECTORY COMMAND [ARGUMENT...]

Accesses to DIRECTORY block until COMMAND has ended, because it holds /dev/fuse open (fuse(4)).
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)


def _main() -> None:
    directory, *command = sys.argv[1:]
    fd = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other"
    if _libc.mount(b"dead", os.fsencode(Path(directory).resolve()), b"fuse", 0, options.encode()):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), directory)
    os.set_inheritable(fd, True)  # noqa: FBT003
    os.execvp(command[0], command)


if __name__ == "__main__":
    _main()
