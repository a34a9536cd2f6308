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
    """Writes the pieces to a file, mode 0600, or to standard output. Raises Failed, and whatever `pieces` raises.

    A file that is not written whole is removed; one that it was to replace stays as it is.
    """
    if path == STANDARD:
        sys.stdout.buffer.writelines(pieces)
        sys.stdout.buffer.flush()
        return
    try:
        if not force:
            _write_new(path, path, pieces)
        elif os.path.lexists(path) and not os.path.isfile(path):  # noqa: PTH113 - as it is given
            with open(path, "wb", opener=_opened) as out:
                out.writelines(pieces)
        else:
            target = os.path.realpath(path)  # a link stays one
            _write_new(f"{os.path.dirname(target)}/.traceloop-{os.getpid()}", target, pieces)  # noqa: PTH120
    except FileExistsError as error:
        raise Failed(f"{path} already exists: give --force to overwrite it") from error
    except OSError as error:
        raise cannot_write(path, error) from error


def _write_new(path: str, target: str, pieces: Iterable[bytes]) -> None:
    # Writes a file that does not exist, and then gives it the name `target`.
    with open(path, "xb", opener=_opened) as out:
        try:
            out.writelines(pieces)
            out.close()  # writes the rest
            if target != path:
                os.replace(path, target)  # noqa: PTH105
        except BaseException:  # also ^C
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108
            raise


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags, _MODE)
