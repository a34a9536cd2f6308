# SPDX-License-Identifier: Apache-2.0
"""Tells what the programs in the kernel could not note, because a table or a buffer of the whole node was full.

The kernel side's counts outlive daemons. A file in the runtime directory has how much of each was told to the journal.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from traceloop_bpf.losses import Losses as Counts
from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.system.whole_file import write_whole

_MODE: Final = 0o600
_PAUSE_S: Final = 60.0
_TEXTS: Final = {
    Counted.BIRTHS_UNTOLD: "%d containers are not recorded: they started while no daemon read the kernel's events, "
    "more than these hold; `traceloopctl add` records those that still run",
    Counted.IN_CALL_FORGOTTEN: "%d times a thread that waited in a call was forgotten, as others needed its place: "
    "such a call is counted twice in the life totals, and capabilities that it asks for are not noted",
    Counted.RUNTIMES_FORGOTTEN: "%d processes of container runtimes are recorded as their containers' own: more of "
    "them than can be told apart ran at once",
    Counted.ENTRIES_UNTOLD: "%d processes came into containers while the kernel's events were full: it is not known "
    "which files they had open",
}
"""A text for the journal for each count, in the order of the file."""
_log = logging.getLogger(__name__)


class Recorder(Protocol):
    """A recorder in the kernel.

    number: its own at the keeper. births_untold: births since it was loaded that no daemon was told of.
    """

    @property
    def number(self) -> int: ...

    @property
    def births_untold(self) -> int: ...

    def losses(self) -> Counts: ...


class Losses:
    """The file, and what it has. Not thread-safe."""

    def __init__(self, path: Path, tally: Tally, clock: Callable[[], float] = time.monotonic) -> None:
        """path: of the file, which need not exist. clock: returns seconds."""
        self._path, self._tally, self._clock = path, tally, clock
        self._number, self._told = self._read()
        self._next = [-_PAUSE_S] * len(_TEXTS)  # when each is told again

    def look(self, recorder: Recorder) -> None:
        """Counts, and tells the journal, what was not told yet; a kind of loss once a minute. Raises OSError."""
        counts = recorder.births_untold, *recorder.losses()
        if self._number != recorder.number:
            self._number, self._told = recorder.number, [0] * len(_TEXTS)
        now, is_new = self._clock(), False
        for n, (counted, text) in enumerate(_TEXTS.items()):
            new = counts[n] - self._told[n]
            if new <= 0 or now < self._next[n]:
                continue
            self._tally.add(counted, new)
            _log.warning(text, new)
            self._told[n], self._next[n], is_new = counts[n], now + _PAUSE_S, True
        if is_new:
            self._write()

    def _write(self) -> None:
        line = b" ".join(b"%d" % number for number in (self._number, *self._told)) + b"\n"
        try:
            write_whole(self._path, line, _MODE, self._path.with_name(self._path.name + ".new"))
        except OSError as error:
            _log.warning("the next daemon tells this again, as %s cannot be written: %s", self._path, error.strerror)

    def _read(self) -> tuple[int, list[int]]:
        none = [0] * len(_TEXTS)
        try:
            number, *told = map(int, self._path.read_bytes().split())
        except FileNotFoundError:
            return 0, none
        except (OSError, ValueError) as error:
            _log.warning("%s cannot be read, so what it counts is told again: %s", self._path, error)
            return 0, none
        if len(told) != len(none):
            _log.warning("%s has %d numbers, so what it counts is told again", self._path, len(told))
            return 0, none
        return number, told
