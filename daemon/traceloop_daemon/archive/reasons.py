# SPDX-License-Identifier: Apache-2.0
"""The reasons of archived traces: a file of one line beside each trace's own that has a reason.

Another process found the text (`explaining`); the format and its limits are `traceloop_decode.reason`'s.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from traceloop_daemon.system.whole_file import write_whole
from traceloop_decode.file_names import SUFFIX, file_name
from traceloop_decode.model import DecodeError
from traceloop_decode.reason import TEXT_MAX, checked

REASON_SUFFIX: Final = ".cause"  # no longer than SUFFIX, which names are cut for
_MODE: Final = 0o640
_log = logging.getLogger(__name__)


class Reasons:
    """The files in a directory. Callers let one thread at a time write."""

    def __init__(self, directory: Path, temporary: Path) -> None:
        """temporary: the name of files that are not complete."""
        self._directory, self._temporary = directory, temporary

    def find(self, ids: Collection[str]) -> dict[str, str]:
        """Returns the reasons of these traces, by id; removes the files of other traces."""
        names = {_name(trace_id): trace_id for trace_id in ids}
        found = {}
        for entry in os.scandir(self._directory):
            if not entry.name.endswith(REASON_SUFFIX):
                continue
            trace_id = names.get(entry.name)
            if trace_id is None:
                with suppress(OSError):  # the directory cannot be written: the next start tries again
                    os.unlink(entry.path)  # noqa: PTH108
                continue
            try:
                found[trace_id] = _read(Path(entry.path))
            except (OSError, DecodeError) as error:
                _log.warning("%s: %s", entry.path, error)
        return found

    def put(self, trace_id: str, reason: str) -> None:
        """Writes a trace's reason. Raises OSError."""
        write_whole(self._directory / _name(trace_id), f"{reason}\n".encode("ascii"), _MODE, self._temporary)

    def remove(self, trace_id: str) -> None:
        """Removes a trace's reason, if there is one. Raises OSError."""
        path = self._directory / _name(trace_id)
        try:
            path.unlink(missing_ok=True)
        except OSError:
            if os.path.lexists(path):  # a read-only file system gives this error for absent files too
                raise


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return checked(file.read(TEXT_MAX + 2).removesuffix(b"\n"))


def _name(trace_id: str) -> str:
    return file_name(trace_id).removesuffix(SUFFIX) + REASON_SUFFIX
