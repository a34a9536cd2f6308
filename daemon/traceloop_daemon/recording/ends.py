# SPDX-License-Identifier: Apache-2.0
"""Notices that a container has ended: its cgroup has no process any more, or its first process ended and left none.

Theory of operation. Changes of ``cgroup.events`` are waited for, and the end of the first process by a pidfd. The
kernel reports changes of cgroup.events that are less than 10 ms apart by a timer, and stops that timer when the cgroup
is removed (kernel/cgroup/cgroup.c, cgroup_file_notify and cgroup_rm_file): the end of a container that lived that
shortly may never be told. So after the first process's end, and always where there is none, it is looked at again and
again; one with processes left (--pid=host) is looked at on.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from traceloop_daemon.errors import RegistrationError
from traceloop_daemon.recording.registry import Trace
from traceloop_daemon.system import cgroupfs
from traceloop_daemon.system.loop import PRIORITY, READABLE, Loop

_log = logging.getLogger(__name__)
_LOOK_AGAIN_S: Final = 0.01
_LOOK_AGAIN_MAX_S: Final = 1.0


@dataclass(slots=True)
class Watch:
    """The descriptors that tell of a container's end. pidfd: -1 without a first process."""

    events_fd: int
    pidfd: int

    @classmethod
    def open(cls, path: Path, pid: int) -> Watch:
        """Of a cgroup's directory and a first process; 0: none. Raises RegistrationError."""
        events_fd = cgroupfs.open_events(path)
        try:
            pidfd = os.pidfd_open(pid) if pid else -1
        except OSError as error:
            os.close(events_fd)
            raise RegistrationError(f"process {pid} is gone: it ended before it was registered") from error
        return cls(events_fd, pidfd)

    def close(self) -> None:
        """Closes them."""
        os.close(self.events_fd)
        if self.pidfd >= 0:
            os.close(self.pidfd)


class Ends:
    """The watches of live traces. All but the loop's callbacks is called with `lock` held, and so is `ended`."""

    def __init__(self, loop: Loop, lock: threading.RLock, ended: Callable[[Trace], None]) -> None:
        """ended: what is done for a trace whose container has ended; it is to call `end`."""
        self._loop, self._lock, self._ended = loop, lock, ended
        self._watches: dict[str, Watch] = {}

    def begin(self, trace: Trace, watch: Watch) -> None:
        """Watches for a trace's end; the watch is this one's to close."""
        self._watches[trace.id] = watch
        self._loop.watch(watch.events_fd, PRIORITY, lambda: self._look(trace, "its cgroup.events changed"))
        if watch.pidfd >= 0:
            self._loop.watch(watch.pidfd, READABLE, lambda: self._init_ended(trace))
        else:
            self._look_later(trace, "looked again", _LOOK_AGAIN_MAX_S)

    def end(self, trace: Trace) -> None:
        """Watches no more, if it was."""
        watch = self._watches.pop(trace.id, None)
        if watch is not None:
            self._loop.unwatch(watch.events_fd)
            if watch.pidfd >= 0:
                self._loop.unwatch(watch.pidfd)
            watch.close()

    def _look(self, trace: Trace, told_by: str) -> None:
        with self._lock:
            watch = self._watches.get(trace.id)
            if watch is None:
                return
            assert trace.recording is not None
            populated = cgroupfs.populated(watch.events_fd)
            # One that was added may be empty at first: nothing is recorded of it yet.
            if populated is None or (not populated and trace.recording.ring.headers().head):
                _log.debug("%s: %s: its cgroup is %s", trace.id, told_by, "removed" if populated is None else "empty")
                self._ended(trace)

    def _init_ended(self, trace: Trace) -> None:
        with self._lock:
            watch = self._watches.get(trace.id)
            if watch is not None:
                self._loop.unwatch(watch.pidfd)
                os.close(watch.pidfd)
                watch.pidfd = -1
        self._look_later(trace, "its first process ended", _LOOK_AGAIN_S)

    def _look_later(self, trace: Trace, told_by: str, delay_s: float) -> None:
        self._look(trace, told_by)
        if trace.id in self._watches:
            again_s = min(2 * delay_s, _LOOK_AGAIN_MAX_S)
            self._loop.call_later(delay_s, lambda: self._look_later(trace, "looked again", again_s))
