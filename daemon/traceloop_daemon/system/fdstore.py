# SPDX-License-Identifier: Apache-2.0
"""systemd's file descriptor store as the keeper of what outlives this daemon.

Sources: sd_notify(3), FDSTORE=1; systemd.service(5), FileDescriptorStoreMax=. Measured on systemd 252: without
FDPOLL=0 it drops descriptors of maps silently; above the maximum it discards silently; a name that is stored twice is
there twice; removing by name removes both.
"""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

Tell = Callable[[str, Sequence[int]], None]
"""Sends systemd the assignments of one message, with descriptors. Raises OSError."""

_BARRIER_MS: Final = 5_000
_log = logging.getLogger(__name__)


class FdStore:
    """A Keeper. What systemd cannot be told is logged, and no reason not to record."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def keep(self, fds: Mapping[str, int]) -> None:
        """Stores them, and waits until systemd has them: of a process that has died it takes nothing."""
        try:
            for name, fd in fds.items():
                self._tell(f"FDSTORE=1\nFDPOLL=0\nFDNAME={name}", [fd])
            self._wait()
        except OSError as error:
            _log.error("systemd keeps no descriptors (%s): what is recorded now ends with this daemon", error)

    def drop(self, names: Iterable[str]) -> None:
        """Takes them out."""
        try:
            for name in names:
                self._tell(f"FDSTOREREMOVE=1\nFDNAME={name}", [])
        except OSError as error:
            _log.error("systemd lets go of no descriptors (%s): kernel memory stays in use", error)

    def _wait(self) -> None:
        # It closes the pipe's other end once it has read all messages before this one.
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        try:
            try:
                self._tell("BARRIER=1", [theirs])
            finally:
                os.close(theirs)
            poll = select.poll()
            poll.register(ours, 0)
            if not poll.poll(_BARRIER_MS):
                raise TimeoutError(f"no answer within {_BARRIER_MS} ms")
        finally:
            os.close(ours)
