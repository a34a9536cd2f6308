# SPDX-License-Identifier: Apache-2.0
"""Checks that the sockets still exist at their paths, and recreates those that were removed."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final, Protocol

from traceloop_daemon.system.loop import Loop

_LOOK_S: Final = 1.0
_log = logging.getLogger(__name__)


class Mendable(Protocol):
    """A listener at one or more paths."""

    def mend(self) -> list[str]:
        """Listens again at its paths that are gone, and returns these paths. Raises OSError."""
        ...


class Mender:
    """A check of all listeners once a second, in the loop."""

    def __init__(self, loop: Loop, mendables: Iterable[Mendable]) -> None:
        self._loop, self._mendables = loop, tuple(mendables)
        self._complained = False
        self._look()  # now, because the probe's descriptor must be opened while there are free ones

    def _look(self) -> None:
        try:
            for mendable in self._mendables:
                for path in mendable.mend():
                    self._complained = False
                    _log.warning("%s had been removed: listening there again", path)
        except OSError as error:
            if not self._complained:
                self._complained = True
                _log.error("a socket was removed and cannot be recreated: %s; restart traceloopd", error)
        except Exception:  # noqa: BLE001 - it is looked at again
            if not self._complained:
                self._complained = True
                _log.exception("sockets are not looked at: internal error in traceloopd: please report it")
        self._loop.call_later(_LOOK_S, self._look)
