# SPDX-License-Identifier: Apache-2.0
"""Writes files that a user names, readable by the user alone: traces hold what containers read and wrote."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from traceloop_cli.errors import Failed
from traceloop_cli.sources.archive_files import STANDARD
from traceloop_cli.sources.file_errors import cannot_write

_MODE: Final = 0o600


def check_target(path: str, *, force: bool) -> None:
    """Raises Failed if a file of this name cannot be made: before the work, not after it."""
    if os.path.isdir(path):  # noqa: PTH112 - as it is given
        raise cannot_write(path, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
    if path != STANDARD and not force and os.path.lexists(path):
        raise Failed(f"{path} already exists: give --force to overwrite it")


def write(path: str, pieces: Iterable[bytes], *, force: bool) -> None:
    """Writes the pieces to a file, mode 0600, or to standard output. Raises Failed; no incomplete new file is left."""
    if path == STANDARD:
        sys.stdout.buffer.writelines(pieces)
        sys.stdout.buffer.flush()
        return
    flag = os.O_TRUNC if force else os.O_EXCL
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flag, _MODE)
    except FileExistsError as error:
        raise Failed(f"{path} already exists: give --force to overwrite it") from error
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        with os.fdopen(fd, "wb") as out:
            out.writelines(pieces)
    except OSError as error:
        if not force:  # this call created the file, and it is incomplete
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108
        raise cannot_write(path, error) from error
