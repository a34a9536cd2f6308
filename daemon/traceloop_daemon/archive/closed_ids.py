# SPDX-License-Identifier: Apache-2.0
"""The file of closed traces' ids, which the next daemon does not use again.

The file has one id per line, quoted as in file names, oldest first; lines are only appended. An incomplete last line,
left by a killed daemon, is ignored. The file is rewritten if it was opened with such a line or with too many lines, and
when it has twice as many as are remembered. It is not synced: after a power cut the last ids may be missing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from traceloop_daemon.system.whole_file import write_whole
from traceloop_decode.file_names import quoted

IDS_MAX: Final = 10_000
_MODE: Final = 0o640


class ClosedIds:
    """The ids in memory and in the file. Ids that could not be written are written with the next. Not thread-safe."""

    def __init__(self, path: Path, ids_max: int = IDS_MAX) -> None:
        """Reads the file. Raises OSError if it exists and cannot be read."""
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
        """Writes the ids that are not in the file yet. Raises OSError; then the next call writes them."""
        if self._rewrite or self._lines + len(self._unwritten) > 2 * self._ids_max:
            write_whole(self._path, _lines(self._ids), _MODE, self._path.with_name(self._path.name + ".new"))
            self._lines, self._rewrite = len(self._ids), False
        elif self._unwritten:
            self._rewrite = True  # a failed write may leave an incomplete line
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_APPEND, _MODE)
            with os.fdopen(fd, "wb") as file:
                file.write(_lines(self._unwritten))
            self._lines, self._rewrite = self._lines + len(self._unwritten), False
        self._unwritten = []

    def _trim(self) -> None:
        while len(self._ids) > self._ids_max:
            del self._ids[next(iter(self._ids))]


def _lines(ids: Iterable[str]) -> bytes:
    return "".join(f"{quoted(trace_id)}\n" for trace_id in ids).encode("ascii")
