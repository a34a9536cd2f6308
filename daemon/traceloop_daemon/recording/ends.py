# SPDX-License-Identifier: Apache-2.0
"""Detects that a container has ended: its first process has ended, and its cgroup is empty.

Theory of operation: the loop waits for changes of ``cgroup.events``, and for the end of the first process by a pidfd.
The kernel reports changes of cgroup.events that are less than 10 ms apart by a timer, and stops that timer when the
cgroup is removed (kernel/cgroup/cgroup.c, cgroup_file_notify and cgroup_rm_file): the end of a container that lived for
less may never be reported. So the cgroup is polled after the first process has ended, for as long as processes are left
in it (--pid=host), and always if there is no first process.

An empty cgroup is no end while the first process lives: the process left, or was moved. If it is alone in its new
cgroup, the kernel side records it there, and the loop waits for changes of that cgroup from then on. Otherwise it is
not recorded, and the loop waits for its end.

A service that is recorded from its cgroup's birth ends when systemd removes the cgroup.
"""

from __future__ import annotations

import errno
import logging
import os
import select
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from traceloop_daemon.errors import RegistrationError
from traceloop_daemon.recording.trace import Trace
from traceloop_daemon.recording.traces import Traces
from traceloop_daemon.system import cgroupfs
from traceloop_daemon.system.loop import PRIORITY, READABLE, Loop

_log = logging.getLogger(__name__)
_LOOK_AGAIN_S: Final = 0.01
_LOOK_AGAIN_MAX_S: Final = 1.0


@dataclass(slots=True)
class Watch:
    """The descriptors that report a container's end. pidfd: -1 without a first process."""

    events_fd: int
    pidfd: int
    cgroup: str = ""
    """The cgroup that the first process moved to; empty if it did not leave its own."""

    @classmethod
    def open(cls, path: Path | None, pid: int) -> Watch:
        """Opens them for a cgroup's directory and a first process; None, 0: without. Raises RegistrationError."""
        events_fd = cgroupfs.open_events(path) if path is not None else -1
        try:
            pidfd = os.pidfd_open(pid) if pid else -1
        except OSError as error:
            if events_fd >= 0:
                os.close(events_fd)
            if error.errno != errno.ESRCH:
                raise RegistrationError(f"process {pid} cannot be watched: {error.strerror}") from error
            raise RegistrationError(f"process {pid} is gone: it ended before it was registered") from error
        return cls(events_fd, pidfd)

    def close(self) -> None:
        """Closes the descriptors."""
        for fd in (self.events_fd, self.pidfd):
            if fd >= 0:
                os.close(fd)

    def process_lives(self) -> bool:
        """Returns whether the first process has not ended."""
        if self.pidfd < 0:
            return False
        ended = select.poll()
        ended.register(self.pidfd, select.POLLIN)
        return not ended.poll(0)


Left = Callable[[Trace, int], tuple[str, Path | None]]
"""Called when a trace's first process, of that number, is not in the trace's cgroup any more.

Returns the process's cgroup, and that cgroup's directory if it is recorded into the trace.
"""


@dataclass(frozen=True, slots=True)
class _Watched:
    trace: Trace
    watch: Watch
    ended: Callable[[Trace], None]
    left: Left


class Ends:
    """The watches of live traces. Callers hold the lock of `traces`; `ended` is called with it held."""

    def __init__(self, loop: Loop, traces: Traces) -> None:
        self._loop, self._traces = loop, traces
        self._watches: dict[str, _Watched] = {}

    def begin(self, trace: Trace, watch: Watch, ended: Callable[[Trace], None], left: Left) -> None:
        """Watches for a trace's end, and closes the watch then.

        ended: called once, at the end, in the loop's thread; must call `end`.
        """
        watched = self._watches[trace.id] = _Watched(trace, watch, ended, left)
        if watch.events_fd >= 0:
            self._watch_events(watched)
        if watch.pidfd >= 0:
            self._loop.watch(watch.pidfd, READABLE, lambda: self._init_ended(watched))
        else:
            self._loop.call_later(0, lambda: self._look_later(watched, "looked again", _LOOK_AGAIN_MAX_S))

    def end(self, trace: Trace) -> None:
        """Stops watching a trace, if it was watched."""
        watched = self._watches.pop(trace.id, None)
        if watched is not None:
            watch = watched.watch
            for fd in (watch.events_fd, watch.pidfd):
                if fd >= 0:
                    self._loop.unwatch(fd)
            watch.close()

    def _watch_events(self, watched: _Watched) -> None:
        events_fd = watched.watch.events_fd
        self._loop.watch(events_fd, PRIORITY, lambda: self._look(watched, "its cgroup.events changed"))

    def _forget_events(self, watch: Watch) -> None:
        if watch.events_fd >= 0:
            self._loop.unwatch(watch.events_fd)
            os.close(watch.events_fd)
            watch.events_fd = -1

    def _look(self, watched: _Watched, told_by: str) -> None:
        trace, watch = watched.trace, watched.watch
        with self._traces.locked():
            if trace.id not in self._watches:
                return
            assert trace.recording is not None
            populated = cgroupfs.populated(watch.events_fd) if watch.events_fd >= 0 else None
            headers = trace.recording.ring.headers()
            # A cgroup may be empty at first: it has had no process yet. A service's is between two of its commands.
            may_be_empty = not (headers.head or headers.init_pid) or trace.recording.ring.is_service()
            if populated or (populated is not None and may_be_empty):
                return
            if headers.init_pid and not headers.exited and self._first_lives(watched, headers.init_pid):
                self._follow(watched, headers.init_pid, removed=populated is None)
                return
            _log.debug("%s: %s: its cgroup is %s", trace.id, told_by, "removed" if populated is None else "empty")
            watched.ended(trace)

    def _first_lives(self, watched: _Watched, pid: int) -> bool:
        watch = watched.watch
        if watch.pidfd < 0:  # the cgroup was added before it had a process
            try:
                watch.pidfd = os.pidfd_open(pid)
            except ProcessLookupError:
                return False
            except OSError as error:  # no descriptor or no memory is free: it is looked at again
                _log.warning("process %d cannot be watched: %s", pid, error)
                return True
            self._loop.watch(watch.pidfd, READABLE, lambda: self._init_ended(watched))
        return watch.process_lives()

    def _follow(self, watched: _Watched, pid: int, *, removed: bool) -> None:
        trace, watch = watched.trace, watched.watch
        try:
            cgroup, path = watched.left(trace, pid)
        except OSError as error:  # no descriptor or no memory is free: it is looked at again
            _log.warning("%s: where its first process, %d, is now is not known: %s", trace.id, pid, error)
            if removed:  # the descriptor reports that without end
                self._forget_events(watch)
            self._loop.call_later(_LOOK_AGAIN_MAX_S, lambda: self._look(watched, "looked again"))
            return
        if cgroup != watch.cgroup:
            watch.cgroup = cgroup
            how = "it is recorded there" if path else "others are there, so what it does there is not recorded"
            _log.warning("%s: its first process, %d, is in cgroup %s now: %s", trace.id, pid, cgroup, how)
        if removed or path is not None:  # otherwise the process may come back
            self._forget_events(watch)
        if path is not None:
            try:
                watch.events_fd = cgroupfs.open_events(path)
            except RegistrationError as error:  # already removed: the process has ended, or left again
                _log.debug("%s: %s", trace.id, error)
                return
            self._watch_events(watched)

    def _init_ended(self, watched: _Watched) -> None:
        with self._traces.locked():
            if watched.trace.id in self._watches:
                watch = watched.watch
                self._loop.unwatch(watch.pidfd)
                os.close(watch.pidfd)
                watch.pidfd = -1
        self._look_later(watched, "its first process ended", _LOOK_AGAIN_S)

    def _look_later(self, watched: _Watched, told_by: str, delay_s: float) -> None:
        self._look(watched, told_by)
        if watched.trace.id in self._watches:
            again_s = min(2 * delay_s, _LOOK_AGAIN_MAX_S)
            self._loop.call_later(delay_s, lambda: self._look_later(watched, "looked again", again_s))
