# SPDX-License-Identifier: Apache-2.0
"""Asks traceloop-explain why containers ended, in a separate thread, and keeps its answers as traces' reasons.

The daemon is privileged and decodes nothing that traced programs wrote. So it passes each archived trace's open file to
a process without privileges, and takes one bounded line of printable text from it (`traceloop_decode.reason`). Where
that process is not set up, traces have no reasons, and `traceloopctl why` finds them when it is asked.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Final

from traceloop_daemon.archive.directory import FileArchive
from traceloop_daemon.errors import TraceGone
from traceloop_daemon.recording.feed import Feed, Happened
from traceloop_daemon.recording.journal import TRACE_EXPLAINED, fields, level_of_end
from traceloop_daemon.recording.trace import State, TraceView
from traceloop_daemon.recording.traces import Traces
from traceloop_decode.ending import EndKind, end_kind, how_ended
from traceloop_decode.model import DecodeError
from traceloop_decode.reason import ANSWER_MAX, REQUEST, NotExplained, answered

EXPLAIN: Final = "explain.sock"
"""Socket beside the daemon's own, where traceloop-explain answers."""
DEADLINE_S: Final = 60.0
_WAITING_MAX: Final = 1000
_FORMER_MAX: Final = 100
_log = logging.getLogger(__name__)


class Explainer:
    """The thread and its queue of traces. The methods may be called from any other thread."""

    def __init__(
        self, path: Path, archive: FileArchive, traces: Traces, feed: Feed, *, deadline_s: float = DEADLINE_S
    ) -> None:
        """path: the socket. deadline_s: the time for one answer."""
        self._path, self._deadline_s = path, deadline_s
        self._archive, self._traces, self._feed = archive, traces, feed
        self._changed = threading.Condition()
        self._waiting: deque[tuple[str, bool]] = deque(maxlen=_WAITING_MAX)  # each with whether the journal is told
        self._asked: socket.socket | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="explainer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread, without the reasons that are not known yet: the next daemon asks for them."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            if self._asked is not None:
                with suppress(OSError):  # it is not connected any more
                    self._asked.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def archived(self, trace_id: str) -> None:
        """Queues a trace that was just archived. If too many wait, the first ones get no reason."""
        self._put(trace_id, is_new=True)

    def former(self) -> None:
        """Queues former daemons' traces that failed and have no reason; of many, the newest."""
        with self._traces.locked() as registry:
            views = [trace.view() for trace in registry if trace.state is State.ARCHIVED and not trace.reason]
        failed = [one for one in views if end_kind(one.facts.exit_code, one.facts.signal) is EndKind.FAILED]
        for view in sorted(failed, key=lambda one: -one.facts.ended_ns)[:_FORMER_MAX]:
            self._put(view.id, is_new=False)

    def _put(self, trace_id: str, *, is_new: bool) -> None:
        with self._changed:
            self._waiting.append((trace_id, is_new))
            self._changed.notify()

    # -- in the thread

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                trace_id, is_new = self._waiting.popleft()
            try:
                self._explain(trace_id, is_new=is_new)
            except Exception:  # noqa: BLE001 - the next traces are explained
                _log.exception("%s has no reason: internal error in traceloopd: please report it", trace_id)

    def _explain(self, trace_id: str, *, is_new: bool) -> None:
        try:
            fd = self._archive.open(trace_id)
        except (TraceGone, OSError) as error:  # closed or removed meanwhile, or `show` says why it cannot be read
            _log.debug("%s has no reason: %s", trace_id, error)
            return
        try:
            reason = self._ask(fd)
        except (NotExplained, DecodeError, OSError) as error:
            self._failed(trace_id, error)
            return
        finally:
            os.close(fd)
        if reason:
            self._keep(trace_id, reason, is_new=is_new)

    def _ask(self, fd: int) -> str:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asked:
            asked.settimeout(self._deadline_s)
            asked.connect(str(self._path))
            with self._changed:
                if self._closed:
                    raise ConnectionAbortedError("the daemon stops")
                self._asked = asked
            try:
                socket.send_fds(asked, [REQUEST], [fd])
                return answered(asked.recv(ANSWER_MAX + 1))
            finally:
                with self._changed:
                    self._asked = None

    def _failed(self, trace_id: str, error: Exception) -> None:
        absent = isinstance(error, FileNotFoundError | ConnectionRefusedError)  # nobody has set it up
        level = logging.DEBUG if absent or self._closed else logging.WARNING
        _log.log(level, "%s has no reason: %s: %s", trace_id, self._path, error)

    def _keep(self, trace_id: str, reason: str, *, is_new: bool) -> None:
        try:
            if not self._archive.put_reason(trace_id, reason):
                return  # closed or removed meanwhile
        except OSError as error:  # it is known until the daemon stops
            _log.warning("the reason of %s is not written: %s", trace_id, error)
        with self._traces.locked() as registry:
            trace = registry.get(trace_id)
            if trace is None:
                return
            trace.reason = reason
            view = trace.view()
            self._feed.tell(Happened.EXPLAINED, view)
        if is_new:
            _tell(view)


def _tell(view: TraceView) -> None:
    facts = view.facts
    how = how_ended(facts.exit_code, facts.signal)
    explained = fields(TRACE_EXPLAINED, view)
    _log.log(level_of_end(facts), "%s %s: %s", view.id, how or "ended", view.reason, extra=explained)
