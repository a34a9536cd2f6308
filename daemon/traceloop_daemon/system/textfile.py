# SPDX-License-Identifier: Apache-2.0
"""Rewrites a file at intervals, for node_exporter's textfile collector.

A separate thread writes the file, so that a disk that hangs holds up no container. The file is written under a name
that the collector does not read, then renamed, so that the collector reads a complete file. The file is removed when
the daemon stops, because its metrics would be stale.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from traceloop_daemon.system.whole_file import write_whole

SUFFIX: Final = ".prom"
_MODE: Final = 0o644
_END_S: Final = 5.0
_log = logging.getLogger(__name__)


class Textfile:
    """A file that a thread rewrites until `close`."""

    def __init__(self, path: Path, interval_s: float, text: Callable[[], str]) -> None:
        """Starts the thread. text: makes the file's contents, in that thread."""
        self._path, self._interval_s, self._text = path, min(interval_s, threading.TIMEOUT_MAX), text
        self._closing = threading.Event()
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="textfile", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread, and removes the file; leaves both to the process's end where the disk does not answer."""
        self._closing.set()
        self._thread.join(_END_S)
        if self._thread.is_alive():
            _log.warning("%s is not removed: it is being written for more than %g s", self._path, _END_S)
            return
        with suppress(OSError):  # the file is missing, or may not be removed
            self._path.unlink()

    def _run(self) -> None:
        while True:
            try:
                self._write(self._text())
            except OSError as error:
                if not self._failed:
                    self._failed = True
                    _log.error(
                        "metrics cannot be written to %s: %s: give the user traceloop write access there, also in the "
                        "unit's sandbox (ReadWritePaths=); see docs/metrics.md",
                        *(self._path, error.strerror),
                    )
            except Exception:  # noqa: BLE001 - the next text may be written
                _log.exception("metrics are not written: internal error in traceloopd: please report it")
            else:
                if self._failed:
                    self._failed = False
                    _log.info("metrics are written to %s again", self._path)
            if self._closing.wait(self._interval_s):
                return

    def _write(self, text: str) -> None:
        temporary = self._path.with_name(f".{self._path.name}.new")  # no name that the collector reads
        write_whole(self._path, text.encode(), _MODE, temporary)
