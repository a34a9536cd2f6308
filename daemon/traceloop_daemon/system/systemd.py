# SPDX-License-Identifier: Apache-2.0
"""What systemd gives this process, and what it is told: sockets, readiness, a line of status, that the loop turns.

The one importer of ``systemd.daemon``. Sources: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Final

from traceloop_daemon.system.loop import Loop

_STATUS_S: Final = 1.0


class ServiceManager:
    """The systemd that started this process. Without one it gives nothing, and what it is told goes nowhere."""

    def __init__(self) -> None:
        """Takes over what was passed, so that no child takes it for its own: before there is a second thread."""
        self.fds: dict[str, list[int]] = {}
        """Descriptors that were passed, by name."""
        self.watchdog_s: float | None = None
        """systemd kills this process when it hears no ping for so long."""
        self._status = ""
        self._pinged_s = 0.0
        path = os.environ.pop("NOTIFY_SOCKET", None)
        self._told = path is not None
        if path is not None:
            os.putenv("NOTIFY_SOCKET", path)  # for libsystemd, which reads it; children get a copy of os.environ
        if _is_ours("WATCHDOG_PID") and "WATCHDOG_USEC" in os.environ:
            self.watchdog_s = int(os.environ["WATCHDOG_USEC"]) / 1e6
        if "LISTEN_FDS" in os.environ:
            from systemd.daemon import listen_fds_with_names  # noqa: PLC0415 - it is there under systemd alone

            for fd, name in listen_fds_with_names(unset_environment=False).items():
                self.fds.setdefault(name, []).append(fd)
        for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC"):
            os.environ.pop(name, None)

    @property
    def is_there(self) -> bool:
        """Whether there is a systemd that listens."""
        return self._told

    def notify(self, *states: str) -> None:
        """Tells systemd assignments as sd_notify(3) lists them, in one message."""
        self.send("\n".join(states))

    def send(self, message: str, fds: Sequence[int] = ()) -> None:
        """Sends systemd a message, with descriptors."""
        if self._told:
            from systemd import daemon  # noqa: PLC0415 - it is there under systemd alone

            daemon.notify(message, fds=list(fds))

    def take_kept(self, *others: str) -> dict[str, int]:
        """Descriptors that were kept for a former daemon, one a name: all that were passed, but for these others."""
        kept = {}
        for name in self.fds.keys() - set(others):
            first, *again = self.fds.pop(name)
            kept[name] = first
            for fd in again:
                os.close(fd)
        return kept

    def starting(self, what: str) -> None:
        """What is being done before `ready`."""
        self.notify(f"STATUS=starting: {what}")

    def ready(self, loop: Loop, status: Callable[[], str]) -> None:
        """Requests are served. From now on the loop tells `status`, when it changed, and that it turns itself."""
        self._status, self._pinged_s = status(), time.monotonic()
        self.notify("READY=1", f"STATUS={self._status}")
        if self._told:
            self._tell(loop, status)

    def stopping(self) -> None:
        """Requests are not served any more."""
        self.notify("STOPPING=1", "STATUS=stopping")

    def _tell(self, loop: Loop, status: Callable[[], str]) -> None:
        states, period_s = [], _STATUS_S
        if (text := status()) != self._status:
            self._status = text
            states.append(f"STATUS={text}")
        if self.watchdog_s is not None:
            period_s = min(_STATUS_S, self.watchdog_s / 4)
            if time.monotonic() + period_s > self._pinged_s + self.watchdog_s / 2:
                self._pinged_s = time.monotonic()
                states.append("WATCHDOG=1")
        if states:
            self.notify(*states)
        loop.call_later(period_s, lambda: self._tell(loop, status))


def _is_ours(variable: str) -> bool:
    return os.environ.get(variable, str(os.getpid())) == str(os.getpid())
