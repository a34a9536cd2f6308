# SPDX-License-Identifier: Apache-2.0
"""Reads files that root alone may have written, wherever others' words say that they are.

Paths come from hooks, bundles and engines' files. Trusted is a regular file of root's, or of this process's user, that
no one else may write, if the same holds of each directory on the way from ``/`` and of each symbolic link there. So no
one else can put another file in its place, neither before it is opened nor after. In a directory that all may write
into with the sticky bit, as /tmp, what root owns is root's still (inode(7)); but the file itself does not lie in one.

Nothing waits for a writer or a device: the file is opened without blocking. A file system that does not answer blocks
all the same: `file_readers` calls from where that does no harm.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from traceloop_daemon.errors import UntrustedFile

JSON_MAX_BYTES: Final = 4 << 20
"""To parse as much takes 30 ms, for which every other thread waits."""

_LOOK: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
_PATH_MAX: Final = 4096  # limits.h
_LINKS_MAX: Final = 40  # path_resolution(7)
_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A trusted file's descriptor. Raises UntrustedFile, OSError."""
    *above, name = str(path).split("/")
    if not above or above[0] or name in ("", ".", ".."):
        raise UntrustedFile(f"{path} is not read: it is no absolute path of a file")
    with _Walk(path) as walk:
        walk.go(above)
        fd = walk.open(name)
    try:
        found = os.fstat(fd)
        _check(path, "it", found, writable=bool(found.st_mode & _OTHERS))
        if not stat.S_ISREG(found.st_mode):
            raise UntrustedFile(f"{path} is not read: it is no regular file")
        yield fd
    finally:
        os.close(fd)


def read(path: Path, max_bytes: int) -> bytes:
    """A trusted file's contents. Raises UntrustedFile, also where there is more of it, and OSError."""
    with opened(path) as fd:
        data = b""
        while len(data) <= max_bytes and (piece := os.read(fd, max_bytes + 1 - len(data))):
            data += piece
    if len(data) > max_bytes:
        raise UntrustedFile(f"{path} is not read: it has more than {max_bytes} bytes")
    return data


def read_json(path: Path, tell: Callable[[str], object]) -> object:
    """The value in a trusted file; None: there is none. tell: is told why one that is there is not read."""
    try:
        return json.loads(read(path, JSON_MAX_BYTES))
    except UntrustedFile as error:
        tell(str(error))
    except (OSError, ValueError, RecursionError):  # another program's file, that may change or go at any time
        pass
    return None


class _Walk:
    """From ``/`` through directories and links that are trusted. `path` is what messages name."""

    def __init__(self, path: Path) -> None:
        self._path, self._at, self._links = path, os.open("/", _LOOK), 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._at)

    def go(self, components: list[str]) -> None:
        """To a directory."""
        if len(os.fsencode(self._path)) > _PATH_MAX:
            raise _error(errno.ENAMETOOLONG, self._path)
        left = components[::-1]
        while left:
            component = left.pop()
            if not component:
                continue
            fd = os.open(component, _LOOK, dir_fd=self._at)
            try:
                if self._is_link(component, fd):
                    left += self._behind(fd)
                else:
                    fd, self._at = self._at, fd
            finally:
                os.close(fd)

    def open(self, name: str) -> int:
        """A descriptor of a file in the directory."""
        if os.fstat(self._at).st_mode & _OTHERS:
            raise UntrustedFile(f"{self._path} is not read: others may put files beside it")
        try:
            return os.open(name, _READ, dir_fd=self._at)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise UntrustedFile(f"{self._path} is not read: it is a symbolic link") from error
            raise

    def _is_link(self, component: str, fd: int) -> bool:
        # A trusted one; else it is a trusted directory, or where no path leads on.
        found = os.fstat(fd)
        mode = found.st_mode
        is_link = stat.S_ISLNK(mode)
        shared = mode & _OTHERS and not mode & stat.S_ISVTX and not is_link
        _check(self._path, f"{component}, on the way,", found, writable=bool(shared))
        return is_link

    def _behind(self, link: int) -> list[str]:
        # The components that stand for a link, the last first.
        self._links += 1
        if self._links > _LINKS_MAX:
            raise _error(errno.ELOOP, self._path)
        target = os.fsdecode(os.readlink(b"", dir_fd=link))
        if target.startswith("/"):
            os.close(self._at)
            self._at = os.open("/", _LOOK)
        return target.split("/")[::-1]


def _check(path: Path, what: str, found: os.stat_result, *, writable: bool) -> None:
    if found.st_uid and found.st_uid != os.geteuid():
        raise UntrustedFile(f"{path} is not read: {what} belongs to uid {found.st_uid}, not to root")
    if writable:
        mode = stat.S_IMODE(found.st_mode)
        raise UntrustedFile(f"{path} is not read: {what} may be written by others than root (mode {mode:04o})")


def _error(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path)[:_PATH_MAX])
