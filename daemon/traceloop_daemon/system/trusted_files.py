# SPDX-License-Identifier: Apache-2.0
"""Reads files only if root alone can have written them, as their paths come from untrusted sources.

Paths come from hooks, bundles and engines' files. A file is trusted if it is a regular file that belongs to root or to
this process's user and that no other user may write, and if the same holds for each directory and each symbolic link on
its path from ``/``. So no other user can replace the file, neither before nor after it is opened. In a world-writable
directory with the sticky bit, such as /tmp, other users cannot replace root's entries (inode(7)), so such directories
are accepted on the path; but the file itself must not be directly in one.

Opening does not block on a pipe without a writer or on a device. A file system that hangs still blocks, so
`file_readers` makes the calls in a thread where that does no harm.
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
"""Maximum size of a JSON file. Parsing one of this size takes 30 ms, during which no other thread runs."""

_LOOK: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
_PATH_MAX: Final = 4096  # limits.h
_LINKS_MAX: Final = 40  # path_resolution(7)
_ABSENT: Final = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Opens a trusted file and yields its descriptor. Raises UntrustedFile, OSError."""
    *above, name = str(path).split("/")
    if not above or above[0] or name in ("", ".", ".."):
        raise UntrustedFile(f"{path} is not read: it is not the absolute path of a file")
    with _Walk(path) as walk:
        walk.go(above)
        fd = walk.open(name)
    try:
        found = os.fstat(fd)
        _check(path, "the file", found, writable=bool(found.st_mode & _OTHERS))
        if not stat.S_ISREG(found.st_mode):
            raise UntrustedFile(f"{path} is not read: it is not a regular file")
        yield fd
    finally:
        os.close(fd)


def read(path: Path, max_bytes: int) -> bytes:
    """Reads a trusted file. Raises UntrustedFile, also if the file is larger than `max_bytes`, and OSError."""
    with opened(path) as fd:
        data = b""
        while len(data) <= max_bytes and (piece := os.read(fd, max_bytes + 1 - len(data))):
            data += piece
    if len(data) > max_bytes:
        raise UntrustedFile(f"{path} is not read: it has more than {max_bytes} bytes")
    return data


def read_json(path: Path, tell: Callable[[str], object], again: Callable[[], object] = lambda: None) -> object:
    """Parses a trusted JSON file; returns None if there is no valid one. tell: called with why a file is not read.

    again: called if there may be a valid one in a moment.
    """
    try:
        return json.loads(read(path, JSON_MAX_BYTES))
    except UntrustedFile as error:
        tell(str(error))
    except OSError as error:
        if error.errno not in _ABSENT:
            tell(f"{path} is not read: {error.strerror}")
        again()
    except (ValueError, RecursionError):  # another program may write the file at any time
        again()
    return None


class _Walk:
    """A walk from ``/`` through trusted directories and links. path: the path to name in messages."""

    def __init__(self, path: Path) -> None:
        self._path, self._at, self._links = path, os.open("/", _LOOK), 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._at)

    def go(self, components: list[str]) -> None:
        """Walks to a directory."""
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
                    left += self._target(fd)
                else:
                    fd, self._at = self._at, fd
            finally:
                os.close(fd)

    def open(self, name: str) -> int:
        """Opens a file in the directory."""
        if os.fstat(self._at).st_mode & _OTHERS:
            raise UntrustedFile(f"{self._path} is not read: users other than root may put files beside it")
        try:
            return os.open(name, _READ, dir_fd=self._at)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise UntrustedFile(f"{self._path} is not read: it is a symbolic link") from error
            raise

    def _is_link(self, component: str, fd: int) -> bool:
        # Returns True for a trusted link. False: a trusted directory, or a file, in which no further component opens.
        found = os.fstat(fd)
        mode = found.st_mode
        is_link = stat.S_ISLNK(mode)
        shared = mode & _OTHERS and not mode & stat.S_ISVTX and not is_link
        _check(self._path, f"path component {component}", found, writable=bool(shared))
        return is_link

    def _target(self, link: int) -> list[str]:
        # Returns the components of the link's target, the last first.
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
        raise UntrustedFile(f"{path} is not read: {what} is writable by users other than root (mode {mode:04o})")


def _error(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path)[:_PATH_MAX])
