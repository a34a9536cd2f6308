# SPDX-License-Identifier: Apache-2.0
"""Writes a text anew every so often into one file, for node_exporter's textfile collector.

In a thread of its own: a disk that hangs holds up no container. The file is whole or the one before, as it is written
under a name that the collector does not read, and renamed. It goes when the daemon stops: metrics that no one writes
any more are none.
"""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

SUFFIX: Final = ".prom"
_MODE: Final = 0o644
_log = logging.getLogger(__name__)


class Textfile:
    """The file, written from now on."""

    def __init__(self, path: Path, interval_s: float, text: Callable[[], str]) -> None:
        """text: makes what is to stand there, in the thread that writes it."""
        self._path, self._interval_s, self._text = path, interval_s, text
        self._closing = threading.Event()
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="textfile", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread, and removes the file."""
        self._closing.set()
        self._thread.join()
        with suppress(OSError):  # it is not there, or was not ours to write
            self._path.unlink()

    def _run(self) -> None:
        while True:
            try:
                self._write(self._text())
            except OSError as error:
                if not self._failed:
                    self._failed = True
                    _log.error(
                        "metrics cannot be written to %s: %s: let the user traceloop write there, and the unit's "
                        "sandbox (ReadWritePaths=); see docs/metrics.md",
                        *(self._path, error.strerror),
                    )
            else:
                if self._failed:
                    self._failed = False
                    _log.info("metrics are written to %s again", self._path)
            if self._closing.wait(self._interval_s):
                return

    def _write(self, text: str) -> None:
        fd, temporary = tempfile.mkstemp(prefix=f".{self._path.name}-", dir=self._path.parent)
        try:
            with os.fdopen(fd, "w") as writer:
                os.fchmod(fd, _MODE)
                writer.write(text)
            Path(temporary).replace(self._path)
        except OSError:
            with suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108
            raise
