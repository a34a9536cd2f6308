# SPDX-License-Identifier: Apache-2.0
"""The interface to systemd: sockets it passes, and notifications of readiness, status and the watchdog.

Only this module imports ``systemd.daemon``. Sources: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import Final

from traceloop_daemon.system.loop import Loop

_log = logging.getLogger(__name__)

_STATUS_S: Final = 1.0


class ServiceManager:
    """The systemd that started this process. If there is none, no descriptors are passed; notifications are dropped."""

    def __init__(self) -> None:
        """Takes over passed descriptors and variables, so that no child uses them. Call before starting a thread."""
        self.fds: dict[str, list[int]] = {}
        """Passed descriptors, by name."""
        self.watchdog_s: float | None = None
        """Seconds without a ping after which systemd kills this process; None: never."""
        self._status = ""
        self._pinged_s = 0.0
        path = os.environ.pop("NOTIFY_SOCKET", None)
        self._told = path is not None
        if path is not None:
            os.putenv("NOTIFY_SOCKET", path)  # for libsystemd; children get a copy of os.environ, without it
        if _is_ours("WATCHDOG_PID") and "WATCHDOG_USEC" in os.environ:
            self.watchdog_s = int(os.environ["WATCHDOG_USEC"]) / 1e6
        if "LISTEN_FDS" in os.environ:
            from systemd.daemon import listen_fds_with_names  # noqa: PLC0415 - needed only under systemd

            for fd, name in listen_fds_with_names(unset_environment=False).items():
                self.fds.setdefault(name, []).append(fd)
        for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC"):
            os.environ.pop(name, None)

    @property
    def is_there(self) -> bool:
        """Returns whether systemd started this process and receives notifications."""
        return self._told

    def notify(self, *states: str) -> None:
        """Sends systemd assignments (sd_notify(3)) in one message."""
        self.send("\n".join(states))

    def send(self, message: str, fds: Sequence[int] = ()) -> None:
        """Sends systemd a message with descriptors."""
        if self._told:
            from systemd import daemon  # noqa: PLC0415 - needed only under systemd

            daemon.notify(message, fds=list(fds))

    def take_kept(self, *others: str) -> dict[str, int]:
        """Takes the passed descriptors that a former daemon stored, one per name. others: names that are not kept."""
        kept = {}
        for name in self.fds.keys() - set(others):
            first, *again = self.fds.pop(name)
            kept[name] = first
            for fd in again:
                os.close(fd)
        return kept

    def starting(self, what: str) -> None:
        """Reports what is being done before `ready`."""
        self.notify(f"STATUS=starting: {what}")

    def ready(self, loop: Loop, status: Callable[[], str]) -> None:
        """Reports that requests are served. Afterwards the loop sends changes of `status`, and the watchdog's pings."""
        self._status, self._pinged_s = status(), time.monotonic()
        self.notify("READY=1", f"STATUS={self._status}")
        if self._told:
            self._tell(loop, status)

    def stopping(self) -> None:
        """Reports that requests are no longer served."""
        try:
            self.notify("STOPPING=1", "STATUS=stopping")
        except OSError as error:  # it sees the end of this process; what is to be archived matters more
            _log.warning("systemd cannot be told that traceloopd stops: %s", error)

    def _tell(self, loop: Loop, status: Callable[[], str]) -> None:
        states, period_s, now_s, pinged_s = [], _STATUS_S, time.monotonic(), self._pinged_s
        if (text := status()) != self._status:
            states.append(f"STATUS={text}")
        if self.watchdog_s is not None:
            period_s = min(_STATUS_S, self.watchdog_s / 4)
            if now_s + period_s > self._pinged_s + self.watchdog_s / 2:
                pinged_s = now_s
                states.append("WATCHDOG=1")
        if states:
            try:
                self.notify(*states)
            except OSError as error:  # no descriptor or no memory is free for the moment: it is told with the next look
                _log.warning("systemd cannot be told %s: %s", states[-1], error)
            else:
                self._status, self._pinged_s = text, pinged_s
        loop.call_later(period_s, lambda: self._tell(loop, status))


def _is_ours(variable: str) -> bool:
    return os.environ.get(variable, str(os.getpid())) == str(os.getpid())
