# SPDX-License-Identifier: Apache-2.0
"""Counts the births that no daemon was told of: the kernel side's events were full, as nobody read them.

The kernel side's count outlives daemons. A file in the runtime directory has how much of it was told to the journal.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final, Protocol

from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.system.whole_file import write_whole

_MODE: Final = 0o600
_log = logging.getLogger(__name__)


class Counts(Protocol):
    """A recorder in the kernel. number: its own at the keeper. births_untold: since it was loaded."""

    @property
    def number(self) -> int: ...

    @property
    def births_untold(self) -> int: ...


class Untold:
    """The file, and what it has. Not thread-safe."""

    def __init__(self, path: Path, tally: Tally) -> None:
        """path: of the file, which need not exist."""
        self._path, self._tally = path, tally
        self._told = self._read()

    def look(self, recorder: Counts) -> None:
        """Counts, and tells the journal, what was not told yet."""
        number, count = recorder.number, recorder.births_untold
        known, told = self._told
        new = count - (told if known == number else 0)
        if new <= 0:
            return
        self._tally.add(Counted.BIRTHS_UNTOLD, new)
        _log.warning(
            "%d containers are not recorded: they started while no daemon read the kernel's events, more than these "
            "hold; `traceloopctl add` records those that still run",
            new,
        )
        self._told = number, count
        try:
            write_whole(self._path, b"%d %d\n" % self._told, _MODE, self._path.with_name(self._path.name + ".new"))
        except OSError as error:
            _log.warning("the next daemon tells this again, as %s cannot be written: %s", self._path, error.strerror)

    def _read(self) -> tuple[int, int]:
        try:
            number, count = map(int, self._path.read_bytes().split())
        except FileNotFoundError:
            return 0, 0
        except (OSError, ValueError) as error:
            _log.warning("%s cannot be read, so what it counts is told again: %s", self._path, error)
            return 0, 0
        return number, count
