# SPDX-License-Identifier: Apache-2.0
"""Looks whether the sockets are still where clients look for them, and puts those back that someone has removed."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final, Protocol

from traceloop_daemon.system.loop import Loop

_LOOK_S: Final = 1.0
_log = logging.getLogger(__name__)


class Mendable(Protocol):
    """What listens at paths."""

    def mend(self) -> list[str]:
        """Listens anew at those of its paths that are gone: these. Raises OSError."""
        ...


class Mender:
    """Mends from the loop, once a second, as long as the loop turns."""

    def __init__(self, loop: Loop, mendables: Iterable[Mendable]) -> None:
        self._loop, self._mendables = loop, tuple(mendables)
        self._complained = False
        self._look()  # while there are descriptors for what is looked with

    def _look(self) -> None:
        try:
            for mendable in self._mendables:
                for path in mendable.mend():
                    self._complained = False
                    _log.warning("%s had been removed: listening there again", path)
        except OSError as error:
            if not self._complained:  # once, not every second
                self._complained = True
                _log.error("a socket was removed and cannot be put back: %s; restart traceloopd", error)
        self._loop.call_later(_LOOK_S, self._look)
