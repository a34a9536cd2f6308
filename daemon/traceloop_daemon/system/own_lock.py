# SPDX-License-Identifier: Apache-2.0
"""A lock on a directory that only the daemon's user and root can hold.

flock(2) needs nothing but an open file or directory, even if it was opened for reading. So the lock is on a file that
other users cannot open, in a directory that they cannot write.
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
    """Locks a directory and returns the descriptor that holds the lock until it is closed.

    Returns None if the lock's file is missing and cannot be created: the disk is read-only or full.
    Raises BlockingIOError if another process holds the lock; OSError.
    """
    while True:
        fd = _locked(directory)
        if fd is None or _is_in(directory, fd):
            return fd
        os.close(fd)  # the former daemon removed it when it stopped, after it was opened here


def _locked(directory: Path) -> int | None:
    flags = os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(directory / NAME, os.O_RDONLY | flags, 0o600)
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        _log.warning("%s cannot be locked against a second traceloopd: %s", directory, error.strerror)
        return None
    try:
        if os.fstat(fd).st_mode & 0o077:  # an earlier version created it
            os.fchmod(fd, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _is_in(directory: Path, fd: int) -> bool:
    # Whether this file is the one that others would lock.
    try:
        found = os.stat(directory / NAME, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(fd))
