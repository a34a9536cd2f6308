# SPDX-License-Identifier: Apache-2.0
"""Refuses hooks for a while, instead of letting them wait for a daemon that cannot start.

systemd holds the hook socket, and restarts the daemon after each failure. If hooks were not refused, each container's
start and stop would take as long as its hook may wait. The pause also keeps a daemon that fails late in its start from
using a processor all the time.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from traceloop_daemon.errors import RegistrationError
from traceloop_daemon.recording.tally import Tally
from traceloop_daemon.registering.hook_socket import HookSocket
from traceloop_daemon.system.loop import Loop

REFUSE_S: Final = 5.0


def refuse_hooks(fds: Sequence[int], why: str) -> None:
    """Answers each hook at the listening sockets `fds` that the daemon cannot start, for REFUSE_S or until SIGTERM."""

    def handle(_message: bytes) -> NoReturn:
        raise RegistrationError(f"traceloopd cannot start: {why}")

    loop = Loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.stop())
    hooks = HookSocket(loop, Path(), handle, Tally(), fds=fds)
    loop.call_later(REFUSE_S, loop.stop)
    loop.run()
    hooks.close()
    loop.close()
