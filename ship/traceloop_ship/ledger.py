# SPDX-License-Identifier: Apache-2.0
"""Remembers which files were shipped, in a file of one line each::

    name <tab> mtime in ns <tab> size

A line is written and synced after its upload. So a process that is killed between the two ships that file once more,
under the same key; no other file is shipped twice. A file that the daemon replaced has another time, and is shipped
again. Lines of files that are gone are dropped, so the ledger is as bounded as the archive.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection
from pathlib import Path
from typing import Final, Self

from traceloop_ship.errors import ShipError

_NAME: Final = "shipped"
_TEMPORARY: Final = "shipped.new"
_LOCK: Final = "lock"
_FIELDS: Final = 3
Stamp = tuple[str, int, int]
"""A file's name, mtime in nanoseconds, and size."""


class Ledger:
    """The ledger in a directory, locked: another process's waits until this one is closed."""

    def __init__(self, directory: Path) -> None:
        """Opens the ledger. Raises ShipError."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self._path, self._temporary = directory / _NAME, directory / _TEMPORARY
            self._stamps = {stamp[0]: stamp for line in self._lines() if (stamp := _stamp(line))}
            self._end_last_line()
        except OSError as error:
            raise ShipError(
                f"cannot keep what was shipped in {directory}: {error.strerror}; give --state-dir"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)

    def __contains__(self, stamp: Stamp) -> bool:
        return self._stamps.get(stamp[0]) == stamp

    def add(self, stamp: Stamp) -> None:
        """Remembers a file. Raises ShipError."""
        try:
            with self._path.open("ab") as file:
                file.write(_line(stamp))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            why = f"{error.strerror}; until it can be written, {stamp[0]} is shipped again"
            raise ShipError(f"cannot write {self._path}: {why}") from error
        self._stamps[stamp[0]] = stamp

    def keep(self, names: Collection[str]) -> None:
        """Forgets all files except these. Raises OSError."""
        if self._stamps.keys() <= set(names) and len(self._lines()) < 2 * len(self._stamps) + 2:
            return
        self._stamps = {name: stamp for name, stamp in self._stamps.items() if name in names}
        with self._temporary.open("wb") as file:
            file.writelines(map(_line, self._stamps.values()))
            file.flush()
            os.fsync(file.fileno())
        self._temporary.replace(self._path)

    def _end_last_line(self) -> None:
        # A full disk or a crash may have cut it, and it would spoil the next one.
        with self._path.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read() != b"\n":
                    file.write(b"\n")

    def _lines(self) -> list[str]:
        try:
            return self._path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")[:-1]
        except FileNotFoundError:
            return []


def _line(stamp: Stamp) -> bytes:
    return ("\t".join(map(str, stamp)) + "\n").encode("utf-8", "surrogateescape")


def _stamp(line: str) -> Stamp | None:
    # None for a line that is damaged: its file is shipped once more.
    parts = line.split("\t")
    if len(parts) != _FIELDS or not (parts[1].isdecimal() and parts[2].isdecimal()):
        return None
    return parts[0], int(parts[1]), int(parts[2])
