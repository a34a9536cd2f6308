# SPDX-License-Identifier: Apache-2.0
"""Archive files that wait for the disk: in this process's memory, or in a directory that outlives it.

The directory is ``<runtime-dir>/waiting``, in memory too, and lost when the node reboots. A file there appears whole,
with the name and the contents that it will have in the archive. The next daemon finds the files that a daemon left,
however that daemon ended. If the directory cannot be written, traces wait only in the process's memory.
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

from traceloop_daemon.archive.kept_files import FileState, Kept, look_into
from traceloop_daemon.system.whole_file import write_whole
from traceloop_decode.file_names import SUFFIX, file_name

_TEMPORARY: Final = ".new"
_FILE_MODE: Final = 0o600
_DIRECTORY_MODE: Final = 0o700
_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Waiter:
    """A waiting file. contents: None if they are in the file `path`.

    path: None if there is no file yet; if there are contents too, a file of an earlier state of the trace.
    """

    trace_id: str
    size_bytes: int
    contents: bytes | None
    path: Path | None

    def read(self) -> bytes:
        """Returns the contents. Raises OSError."""
        contents = self.contents  # read once: another thread may be moving them to the file
        if contents is None:
            assert self.path is not None
            return self.path.read_bytes()
        return contents

    def is_gone(self) -> bool:
        """Returns whether the contents were only in the file, and someone removed it."""
        return self.contents is None and self.path is not None and not self.path.exists()


class Waiting:
    """The waiting files, oldest first. Not thread-safe, except for the methods of a Waiter."""

    def __init__(self, directory: Path | None) -> None:
        """directory: None if nothing is to outlive this process."""
        self._directory = directory
        self._waiters: OrderedDict[str, Waiter] = OrderedDict()
        self._complained = False

    def __iter__(self) -> Iterator[Waiter]:
        return iter(self._waiters.values())

    def __len__(self) -> int:
        return len(self._waiters)

    def get(self, trace_id: str) -> Waiter | None:
        """Returns the waiting file of a trace; None if there is none."""
        return self._waiters.get(trace_id)

    @property
    def size_bytes(self) -> int:
        """The size of all contents together."""
        return sum(waiter.size_bytes for waiter in self._waiters.values())

    def find(self) -> list[Kept]:
        """Adds the files that former daemons left, and returns them, oldest first.

        One that cannot be read stays: another version's, or any if no descriptor is free. Removes all other files.
        """
        found: list[Kept] = []
        if self._directory is None:
            return found
        with suppress(FileNotFoundError):
            for entry in os.scandir(self._directory):
                if not entry.name.endswith(SUFFIX):
                    Path(entry.path).unlink(missing_ok=True)
                    continue
                kept = look_into(entry)
                if kept is not None and kept.state is FileState.WHOLE:
                    found.append(replace(kept, state=FileState.WAITING))
        found.sort(key=lambda kept: (kept.ended_ns, kept.trace_id))
        for kept in found:
            path = self._directory / file_name(kept.trace_id)
            self._waiters[kept.trace_id] = Waiter(kept.trace_id, kept.size_bytes, None, path)
        return found

    def put(self, trace_id: str, contents: bytes) -> None:
        """Adds a file as the newest, and replaces an earlier one of the same trace."""
        before = self._waiters.pop(trace_id, None)  # a file of the earlier one stays until it is replaced
        self._waiters[trace_id] = Waiter(trace_id, len(contents), contents, before.path if before else None)

    def remove(self, trace_id: str) -> None:
        """Removes a trace's file, if it waits."""
        waiter = self._waiters.pop(trace_id, None)
        if waiter is not None and waiter.path is not None:
            try:
                waiter.path.unlink(missing_ok=True)
            except OSError as error:  # the next daemon archives it again
                _log.error("%s, which is no longer needed, cannot be removed: %s", waiter.path, error.strerror)

    def save(self) -> None:
        """Moves all contents to files that outlive this process, or logs why that fails."""
        if self._directory is None:
            return
        try:
            for waiter in self._waiters.values():
                if waiter.contents is not None:
                    _save(waiter, waiter.contents, self._directory)
        except OSError as error:
            if not self._complained:  # log it once, as each trace retries
                self._complained = True
                _log.error(
                    "cannot write to %s: %s: waiting traces are lost if this daemon dies",
                    *(self._directory, error.strerror),
                )
        else:
            self._complained = False

    def close(self) -> None:
        """Removes the directory if it is empty."""
        if self._directory is not None:
            with suppress(OSError):  # it does not exist, or traces wait in it
                self._directory.rmdir()


def _save(waiter: Waiter, contents: bytes, directory: Path) -> None:
    directory.mkdir(_DIRECTORY_MODE, exist_ok=True)
    path = directory / file_name(waiter.trace_id)
    write_whole(path, contents, _FILE_MODE, directory / _TEMPORARY)  # not synced: it need not outlive the kernel
    waiter.path, waiter.contents = path, None
