# SPDX-License-Identifier: Apache-2.0
"""A directory's lock, which nobody but the daemon's user and root can hold.

Whoever can open a file or directory may flock(2) it, be it for reading alone. So what is locked is a file that others
cannot open, in a directory that they cannot write.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from pathlib import Path
from typing import Final

NAME: Final = "lock"
_UNWRITABLE: Final = (errno.EROFS, errno.ENOSPC, errno.EDQUOT)
_log = logging.getLogger(__name__)


def lock(directory: Path) -> int | None:
    """A descriptor that has the directory's lock until it is closed.

    None where there is no file, and none can be made: a disk that is read-only or full.
    Raises BlockingIOError: another has it; OSError.
    """
    flags = os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(directory / NAME, os.O_RDONLY | flags, 0o600)
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        _log.warning("%s is not locked against another traceloopd: %s", directory, error.strerror)
        return None
    try:
        if os.fstat(fd).st_mode & 0o077:  # of an earlier version
            os.fchmod(fd, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(fd)
        raise
    return fd
