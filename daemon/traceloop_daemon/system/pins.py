# SPDX-License-Identifier: Apache-2.0
"""The keeper of descriptors where there is no systemd to store them: pins in a bpf file system.

A pin is a name in that file system for a map, a program or a link, which the kernel keeps as long as the name exists.
The names are those of `traceloop_bpf.kept_fds`, with ``-`` for ``.``, which the kernel reserves (bpf_lookup() in
kernel/bpf/inode.c). A memfd cannot be pinned, so a map with the memfd's content as its only element is pinned instead.

The file system is in memory: pins end with the boot, as the live traces' files do. Nothing else ends them but `drop`
and `clear`, so that programs record without a daemon until one of the two.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Self

from traceloop_bpf import bpfcalls, kept_fds

_ONLY_KEY: Final = bytes(4)
_log = logging.getLogger(__name__)


class Pins:
    """A Keeper, and the lock of its directory. Failures to pin are logged; recording goes on."""

    def __init__(self, directory: Path, lock_fd: int) -> None:
        self._directory, self._lock_fd = directory, lock_fd

    @classmethod
    def open(cls, directory: Path, *, wait: bool = False) -> Self:
        """Makes the directory, for its owner alone, and locks it.

        wait: wait until no other process holds the lock. Raises BlockingIOError if one does, and OSError.
        """
        directory.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fchmod(fd, 0o700)  # no other user can open it, and so lock it
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BaseException:
            os.close(fd)
            raise
        return cls(directory, fd)

    def close(self) -> None:
        """Unlocks the directory. The pins stay."""
        os.close(self._lock_fd)

    def take(self) -> dict[str, int]:
        """Opens all pins; returns the descriptors by name. A pin that cannot be opened is logged and removed."""
        kept = {}
        for path in sorted(self._directory.iterdir()):
            name = path.name.replace("-", ".")
            try:
                kept[name] = _open(path, is_memfd=kept_fds.is_memfd(name))
            except OSError as error:
                _log.error("removed the pin %s: %s", path, error)
                path.unlink()
        return kept

    def keep(self, fds: Mapping[str, int]) -> None:
        """Pins descriptors, given by name."""
        try:
            for name, fd in fds.items():
                self._pin(name, fd)
        except OSError as error:
            _log.error("not pinned (%s): current recordings end when this daemon stops", error)

    def drop(self, names: Iterable[str]) -> None:
        """Removes pins by name."""
        try:
            for name in names:
                self._path(name).unlink(missing_ok=True)
        except OSError as error:
            _log.error("pins were not removed (%s): kernel memory stays in use until `traceloopd --unpin`", error)

    def clear(self) -> int:
        """Removes all pins and the directory, where it is no mount point; returns the number of pins. Raises OSError.

        Programs that nobody else holds are detached.
        """
        paths = list(self._directory.iterdir())
        for path in paths:
            path.unlink()
        if not self._directory.is_mount():
            self._directory.rmdir()
        return len(paths)

    def _pin(self, name: str, fd: int) -> None:
        path = self._path(name)
        path.unlink(missing_ok=True)
        if not kept_fds.is_memfd(name):
            bpfcalls.pin(fd, path)
            return
        content = kept_fds.content(fd)
        holder = bpfcalls.create_array(len(content), "about")
        try:
            bpfcalls.update(holder, _ONLY_KEY, content)
            bpfcalls.pin(holder, path)
        finally:
            os.close(holder)

    def _path(self, name: str) -> Path:
        return self._directory / name.replace(".", "-")


def _open(path: Path, *, is_memfd: bool) -> int:
    fd = bpfcalls.open_pinned(path)
    if not is_memfd:
        return fd
    try:
        content = bpfcalls.lookup(fd, _ONLY_KEY, bpfcalls.map_info(fd).value_size)
    finally:
        os.close(fd)
    return kept_fds.memfd(content or b"")
