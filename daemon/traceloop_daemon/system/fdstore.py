# SPDX-License-Identifier: Apache-2.0
"""The keeper of descriptors that outlive this daemon: systemd's file descriptor store.

Sources: sd_notify(3), FDSTORE=1; systemd.service(5), FileDescriptorStoreMax=. Observed with systemd 252: without
FDPOLL=0 it silently drops descriptors of maps; above the maximum it silently discards descriptors; a name that is
stored twice is present twice, and removing by name removes both.
"""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

Tell = Callable[[str, Sequence[int]], None]
"""A function that sends systemd one message of assignments with descriptors. Raises OSError."""

_BARRIER_MS: Final = 5_000
_log = logging.getLogger(__name__)


class FdStore:
    """A Keeper. Failures to reach systemd are logged; recording goes on."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def keep(self, fds: Mapping[str, int]) -> None:
        """Stores descriptors and waits until systemd has them: it takes none from a process that has died."""
        try:
            for name, fd in fds.items():
                self._tell(f"FDSTORE=1\nFDPOLL=0\nFDNAME={name}", [fd])
            self._wait()
        except OSError as error:
            _log.error("systemd did not store descriptors (%s): current recordings end when this daemon stops", error)

    def drop(self, names: Iterable[str]) -> None:
        """Removes descriptors by name."""
        try:
            for name in names:
                self._tell(f"FDSTOREREMOVE=1\nFDNAME={name}", [])
        except OSError as error:
            _log.error(
                "systemd did not remove descriptors (%s): kernel memory stays in use until `systemctl stop traceloopd`",
                error,
            )

    def _wait(self) -> None:
        # systemd closes the pipe's other end after it has read all messages before this one.
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
