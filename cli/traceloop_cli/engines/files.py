# SPDX-License-Identifier: Apache-2.0
"""Changes files of the system atomically, and keeps their modes, owners and extended attributes."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Final

from traceloop_cli.errors import Failed

_MODE: Final = 0o644  # of new files


def write(path: Path, content: bytes, like: Path | None = None) -> list[Path]:
    """Replaces a file's content; returns the directories that were created for it, outermost first.

    A symbolic link stays, and its target is changed. like: the file whose mode, owner and attributes to copy, by
    default the file that is replaced. Raises Failed.
    """
    path = path.resolve()
    made = make_directories(path.parent)
    model = like if like is not None else path
    beside = path.with_name(f".{path.name}.traceloop-{os.getpid()}")
    try:
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _copy_attributes(model, fd)
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(fd, rest) :]
            os.fsync(fd)
        finally:
            os.close(fd)
        beside.rename(path)
        _sync(path.parent)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise Failed(f"cannot write {path}: {error.strerror}; it was not changed") from error
    return made


def remove(path: Path) -> None:
    """Removes a file if it exists. Raises Failed."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise Failed(f"cannot remove {path}: {error.strerror}") from error


def remove_directories(paths: list[Path]) -> None:
    """Removes those of the directories that are empty, innermost first."""
    for path in reversed(paths):
        with contextlib.suppress(OSError):  # not empty: others use it too
            path.rmdir()


def make_directories(path: Path) -> list[Path]:
    """Creates a directory and its missing parents; returns what it created, outermost first. Raises Failed."""
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    missing.reverse()
    try:
        for directory in missing:
            directory.mkdir()
            directory.chmod(0o755)  # independent of the umask, since engines of other users read there too
    except OSError as error:
        raise Failed(f"cannot create {error.filename}: {error.strerror}") from error
    return missing


def _copy_attributes(model: Path, fd: int) -> None:
    try:
        status = model.stat()
    except FileNotFoundError:
        os.fchmod(fd, _MODE)
        return
    own = os.fstat(fd)
    if (own.st_uid, own.st_gid) != (status.st_uid, status.st_gid):
        os.fchown(fd, status.st_uid, status.st_gid)
    os.fchmod(fd, stat.S_IMODE(status.st_mode))
    for name in os.listxattr(model):  # SELinux's label among them
        with contextlib.suppress(OSError):  # the file system does not support it
            os.setxattr(fd, name, os.getxattr(model, name))


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
