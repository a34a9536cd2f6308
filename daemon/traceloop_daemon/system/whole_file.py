# SPDX-License-Identifier: Apache-2.0
"""Writes a file whole or not at all: under another name beside it, then renamed."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, content: bytes, mode: int, temporary: Path, *, is_synced: bool = False) -> None:
    """Puts a file of this content and mode in the place of `path`.

    temporary: the other name, on the same file system, which one thread of one process uses at a time. is_synced: the
    file and its name are on the disk when this returns. Raises OSError: then `path` is as before, and `temporary` gone.
    """
    try:
        with os.fdopen(_create(temporary), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            if is_synced:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with suppress(OSError):  # the first error counts
            temporary.unlink()
        raise
    if is_synced:
        _sync(path.parent)


def _create(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC  # O_EXCL: a link that someone put there is not followed
    try:
        return os.open(path, flags, 0o600)
    except FileExistsError:  # a writer that was killed left it
        path.unlink()
        return os.open(path, flags, 0o600)


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
