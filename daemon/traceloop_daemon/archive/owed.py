# SPDX-License-Identifier: Apache-2.0
"""Remembers, beyond a daemon's death, which failures the journal is still to be told of.

The directory is ``<runtime-dir>/owed``, in memory. It has an empty file for each trace whose container failed and whose
reason is awaited, under the name that the trace's own file has.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import Final

from traceloop_decode.file_names import file_name

_DIRECTORY_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
_log = logging.getLogger(__name__)


class Owed:
    """The directory. Safe to use from several threads."""

    def __init__(self, directory: Path) -> None:
        """directory: made when it is needed."""
        self._directory = directory

    def add(self, trace_id: str) -> None:
        """Remembers a failure, or logs why it would be forgotten if the daemon died."""
        try:
            self._directory.mkdir(_DIRECTORY_MODE, exist_ok=True)
            self._path(trace_id).touch(_FILE_MODE)
        except OSError as error:
            _log.warning("if this daemon dies, no error in the journal tells of %s: %s", trace_id, error)

    def remove(self, trace_id: str) -> None:
        """Forgets a failure that was told."""
        try:
            self._path(trace_id).unlink(missing_ok=True)
        except OSError as error:  # the next daemon tells it once more
            _log.warning("%s", error)

    def find(self) -> frozenset[str]:
        """Returns the names of the files of failures that a former daemon did not tell."""
        try:
            return frozenset(path.name for path in self._directory.iterdir())
        except FileNotFoundError:
            return frozenset()

    def close(self) -> None:
        """Removes the directory if it is empty."""
        with suppress(OSError):  # it does not exist, or a failure was not told
            self._directory.rmdir()

    def _path(self, trace_id: str) -> Path:
        return self._directory / file_name(trace_id)
