# SPDX-License-Identifier: Apache-2.0
"""The ids of traces that are no more, in a file, so that the next daemon gives none of them again.

One id a line, quoted as in file names, oldest first; lines are only ever added. Half a line at the end, of a daemon
that was killed, does not count. The file is written anew when it was opened with such a line or with too many, and when
it has twice as many as are kept. It is not synced: after a power cut the last ids may be missing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from traceloop_daemon.archive.file_names import quoted

IDS_MAX: Final = 10_000
_MODE: Final = 0o640


class ClosedIds:
    """Its owner serialises the access. What could not be written is written with the next."""

    def __init__(self, path: Path, ids_max: int = IDS_MAX) -> None:
        """Reads the file. Raises OSError if it is there and cannot be read."""
        self._path, self._ids_max = path, ids_max
        try:
            text = path.read_text("ascii", "replace")
        except FileNotFoundError:
            text = ""
        whole = text.split("\n")[:-1]
        self._ids = dict.fromkeys(unquote(line, errors="backslashreplace") for line in whole)
        self._trim()
        self._lines = len(whole)
        self._unwritten: list[str] = []
        self._rewrite = len(self._ids) < len(whole) or (text != "" and not text.endswith("\n"))

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __contains__(self, trace_id: str) -> bool:
        return trace_id in self._ids

    def add(self, trace_id: str) -> None:
        """Remembers an id; `flush` writes it."""
        if trace_id not in self._ids:
            self._ids[trace_id] = None
            self._unwritten.append(trace_id)
            self._trim()

    def flush(self) -> None:
        """Writes what is not written yet. Raises OSError: it is kept, for the next time."""
        if self._rewrite or self._lines + len(self._unwritten) > 2 * self._ids_max:
            temporary = self._path.with_name(self._path.name + ".new")
            self._write(temporary, list(self._ids), os.O_TRUNC)
            temporary.replace(self._path)
            self._lines, self._rewrite = len(self._ids), False
        elif self._unwritten:
            self._rewrite = True  # if it fails, half of it may be there
            self._write(self._path, self._unwritten, os.O_APPEND)
            self._lines, self._rewrite = self._lines + len(self._unwritten), False
        self._unwritten = []

    def _trim(self) -> None:
        while len(self._ids) > self._ids_max:
            del self._ids[next(iter(self._ids))]

    @staticmethod
    def _write(path: Path, ids: list[str], flag: int) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flag, _MODE)
        with os.fdopen(fd, "wb") as file:
            file.write("".join(f"{quoted(trace_id)}\n" for trace_id in ids).encode("ascii"))
