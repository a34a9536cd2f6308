# SPDX-License-Identifier: Apache-2.0
"""Traces' files that wait for the archive's disk: in this process's memory, or in a directory that outlives it.

The directory is ``<runtime-dir>/waiting``, in memory too, and gone when the node reboots. A file there appears whole,
under the name and with the contents that it is to have in the archive. The next daemon finds those that a daemon left,
however that ended. Where the directory cannot be written, traces wait in the process alone.
"""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from traceloop_daemon.archive.file_names import SUFFIX, file_name
from traceloop_daemon.archive.kept_files import FileState, Kept, look_into

_TEMPORARY: Final = ".new"
_DIRECTORY_MODE: Final = 0o700
_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Waiter:
    """One trace's file. contents: None where they are in the file `path`.

    path: None where there is none yet; with contents, one that holds what the trace was before.
    """

    trace_id: str
    size_bytes: int
    contents: bytes | None
    path: Path | None

    def read(self) -> bytes:
        """The contents. Raises OSError."""
        contents = self.contents  # which another thread may be taking to its file
        if contents is None:
            assert self.path is not None
            return self.path.read_bytes()
        return contents

    def is_gone(self) -> bool:
        """Whether its contents were in its file alone, which somebody removed."""
        return self.contents is None and self.path is not None and not self.path.exists()


class Waiting:
    """Those that wait, oldest first. Its owner serialises the access, but for what a Waiter does."""

    def __init__(self, directory: Path | None) -> None:
        """directory: None where nothing is to outlive this process."""
        self._directory = directory
        self._waiters: OrderedDict[str, Waiter] = OrderedDict()
        self._complained = False

    def __iter__(self) -> Iterator[Waiter]:
        return iter(self._waiters.values())

    def __len__(self) -> int:
        return len(self._waiters)

    def get(self, trace_id: str) -> Waiter | None:
        """The one that waits under an id."""
        return self._waiters.get(trace_id)

    @property
    def size_bytes(self) -> int:
        """Of all contents."""
        return sum(waiter.size_bytes for waiter in self._waiters.values())

    def find(self) -> list[Kept]:
        """What former daemons left, oldest first, which waits again. What is no trace's file is removed."""
        found: list[Kept] = []
        if self._directory is None:
            return found
        with suppress(FileNotFoundError):
            for entry in os.scandir(self._directory):
                kept = look_into(entry) if entry.name.endswith(SUFFIX) else None
                if kept is not None and kept.state is FileState.WHOLE:
                    found.append(replace(kept, state=FileState.WAITING))
                else:
                    Path(entry.path).unlink()
        found.sort(key=lambda kept: (kept.ended_ns, kept.trace_id))
        for kept in found:
            path = self._directory / file_name(kept.trace_id)
            self._waiters[kept.trace_id] = Waiter(kept.trace_id, kept.size_bytes, None, path)
        return found

    def put(self, trace_id: str, contents: bytes) -> None:
        """One more, the newest, in the place of what waited under its id."""
        before = self._waiters.pop(trace_id, None)  # its file stays until there is a better one
        self._waiters[trace_id] = Waiter(trace_id, len(contents), contents, before.path if before else None)

    def remove(self, trace_id: str) -> None:
        """It does not wait any more."""
        waiter = self._waiters.pop(trace_id, None)
        if waiter is not None and waiter.path is not None:
            try:
                waiter.path.unlink(missing_ok=True)
            except OSError as error:  # the next daemon writes it once more
                _log.error("%s stays, which is not needed any more: %s", waiter.path, error.strerror)

    def save(self) -> None:
        """Takes all to where they outlive this process."""
        if self._directory is None:
            return
        try:
            for waiter in self._waiters.values():
                if waiter.contents is not None:
                    _save(waiter, waiter.contents, self._directory)
        except OSError as error:
            if not self._complained:  # once: it is tried again with each trace
                self._complained = True
                _log.error(
                    "cannot write to %s: %s: traces that wait are lost if this daemon dies",
                    *(self._directory, error.strerror),
                )
        else:
            self._complained = False

    def close(self) -> None:
        """Removes the directory if nothing is in it."""
        if self._directory is not None:
            with suppress(OSError):  # it is not there, or traces wait in it
                self._directory.rmdir()


def _save(waiter: Waiter, contents: bytes, directory: Path) -> None:
    directory.mkdir(_DIRECTORY_MODE, exist_ok=True)
    temporary, path = directory / _TEMPORARY, directory / file_name(waiter.trace_id)
    # Not synced: it need not outlive the kernel.
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(contents)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    temporary.replace(path)
    waiter.path, waiter.contents = path, None
