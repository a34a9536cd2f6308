# SPDX-License-Identifier: Apache-2.0
"""Asks traceloop-explain why containers ended, in a separate thread, and keeps its answers as traces' reasons.

The daemon is privileged and decodes nothing that traced programs wrote. So it passes each archived trace's open file to
a process without privileges, and takes one bounded line of printable text from it (`traceloop_decode.reason`). Where
that process is not set up, traces have no reasons, and `traceloopctl why` finds them when it is asked.

A container's failure is one error in the journal: the entry with the reason, or, if none comes in time, one that says
why there is none. Where nobody could answer, `follows` says so, and the entry about the end itself is the error.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections import deque
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Final

from traceloop_daemon.archive.directory import FileArchive
from traceloop_daemon.archive.owed import Owed
from traceloop_daemon.errors import TraceGone
from traceloop_daemon.recording.feed import Feed, Happened
from traceloop_daemon.recording.journal import TRACE_EXPLAINED, TRACE_UNEXPLAINED, fields, level_of_end
from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.recording.trace import State, TraceView
from traceloop_daemon.recording.traces import Traces
from traceloop_decode.ending import EndKind, end_kind, how_ended
from traceloop_decode.file_names import file_name
from traceloop_decode.model import DecodeError
from traceloop_decode.reason import ANSWER_MAX, REQUEST, NotExplained, answered

EXPLAIN: Final = "explain.sock"
"""Socket beside the daemon's own, where traceloop-explain answers."""
DEADLINE_S: Final = 60.0
TOLD_AFTER_S: Final = 60.0
"""A failure is told without its reason after this time, or when the answer that is awaited then has come or is late."""
_WAITING_MAX: Final = 1000
_FORMER_MAX: Final = 100
_ABSENT: Final = (FileNotFoundError, ConnectionRefusedError)
_log = logging.getLogger(__name__)


class Explainer:
    """The thread and its queue of traces. The methods may be called from any other thread."""

    def __init__(
        self,
        path: Path,
        archive: FileArchive,
        traces: Traces,
        feed: Feed,
        tally: Tally,
        *,
        owed: Owed,
        deadline_s: float = DEADLINE_S,
        told_after_s: float = TOLD_AFTER_S,
    ) -> None:
        """path: the socket. owed: remembers failures that are not told yet, also of former daemons.

        deadline_s: the time for one answer. told_after_s: as TOLD_AFTER_S.
        """
        self._path, self._deadline_s, self._told_after_s = path, deadline_s, told_after_s
        self._archive, self._traces, self._feed, self._tally = archive, traces, feed, tally
        self._remembered = owed
        self._changed = threading.Condition()
        self._waiting: deque[tuple[str, bool]] = deque(maxlen=_WAITING_MAX)  # each with whether the journal is told
        self._owed: dict[str, tuple[TraceView, float]] = {}  # failures that the journal is told of by this time
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
        self._remembered.close()

    def follows(self, ended: TraceView) -> bool:
        """Returns whether an entry follows that says of a container that it failed, as an error, and why."""
        if end_kind(ended.facts.exit_code, ended.facts.signal) is not EndKind.FAILED:
            return False
        with self._changed:
            if self._closed or len(self._owed) >= _WAITING_MAX or not self._path.is_socket():
                return False
            self._remembered.add(ended.id)
            self._owe(ended)
            return True

    def _owe(self, view: TraceView) -> None:
        self._owed[view.id] = view, monotonic() + self._told_after_s
        self._changed.notify()

    def archived(self, trace_id: str) -> None:
        """Queues a trace that was just archived. If too many wait, the first ones get no reason."""
        self._put(trace_id, is_new=True)

    def former(self) -> None:
        """Queues former daemons' traces that failed and have no reason, or were not told; of many, the newest."""
        names = self._remembered.find()
        with self._traces.locked() as registry:
            views = [trace.view() for trace in registry if trace.state is not State.RECORDING]
        failed = [one for one in views if end_kind(one.facts.exit_code, one.facts.signal) is EndKind.FAILED]
        untold = [one for one in failed if file_name(one.id) in names]
        with self._changed:
            for view in untold:
                self._owe(view)
        asked = [one for one in failed if one.state is State.ARCHIVED and (not one.reason or one in untold)]
        for view in sorted(asked, key=lambda one: -one.facts.ended_ns)[:_FORMER_MAX]:
            self._put(view.id, is_new=False)

    def _put(self, trace_id: str, *, is_new: bool) -> None:
        with self._changed:
            self._waiting.append((trace_id, is_new))
            self._changed.notify()

    # -- in the thread

    def _run(self) -> None:
        closed = False
        while not closed:
            with self._changed:
                while not (self._waiting or self._closed or self._late_in_s() == 0):
                    self._changed.wait(self._late_in_s())
                closed, now = self._closed, monotonic()
                late = [trace_id for trace_id, (_, until) in self._owed.items() if closed or until <= now]
                waiting = self._waiting.popleft() if self._waiting and not closed else None
            for trace_id in late:
                why = "the daemon stops" if closed else f"no answer came within {self._told_after_s:g} s"
                self._tell_without(trace_id, why)
            if waiting is not None:
                self._surely_explain(*waiting)

    def _late_in_s(self) -> float | None:
        # Until the journal must be told of the first failure; None: of none.
        return next((max(0.0, until - monotonic()) for _, until in self._owed.values()), None)

    def _surely_explain(self, trace_id: str, is_new: bool) -> None:  # noqa: FBT001
        try:
            self._explain(trace_id, is_new=is_new)
        except Exception as error:  # noqa: BLE001 - the next traces are explained
            _log.exception("%s has no reason: internal error in traceloopd: please report it", trace_id)
            self._tell_without(trace_id, f"internal error in traceloopd: {error!r}")

    def _explain(self, trace_id: str, *, is_new: bool) -> None:
        try:
            fd = self._archive.open(trace_id)
        except (TraceGone, OSError) as error:  # closed or removed meanwhile, or `show` says why it cannot be read
            _log.debug("%s has no reason: %s", trace_id, error)
            self._tell_without(trace_id, str(error))
            return
        try:
            reason = self._ask(fd)
        except _ABSENT as error:  # nobody has set it up
            self._failed(trace_id, error, logging.DEBUG)
            return
        except (NotExplained, DecodeError, OSError) as error:
            self._tally.add(Counted.REASONS_ASKED)
            if not self._closed:
                self._tally.add(Counted.REASONS_FAILED)
            self._failed(trace_id, error, logging.WARNING)
            return
        finally:
            os.close(fd)
        self._tally.add(Counted.REASONS_ASKED)
        if reason:
            self._keep(trace_id, reason, is_new=is_new)
        else:
            self._tell_without(trace_id, "its calls tell none")

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

    def _failed(self, trace_id: str, error: Exception, level: int) -> None:
        if self._closed:  # that is why; what the journal is owed, it is told at the end
            level = logging.DEBUG
        elif self._tell_without(trace_id, f"{self._path}: {error}"):
            return
        _log.log(level, "%s has no reason: %s: %s", trace_id, self._path, error)

    def _keep(self, trace_id: str, reason: str, *, is_new: bool) -> None:
        owed = self._take_owed(trace_id)
        try:
            kept = self._archive.put_reason(trace_id, reason)
        except OSError as error:  # it is known until the daemon stops
            _log.warning("the reason of %s is not written: %s", trace_id, error)
            kept = True
        view = replace(owed, reason=reason) if owed is not None else None
        with self._traces.locked() as registry:
            trace = registry.get(trace_id) if kept else None
            if trace is not None:  # else it was closed or removed meanwhile
                trace.reason = reason
                view = trace.view()
                self._feed.tell(Happened.EXPLAINED, view)
        if view is not None and (owed is not None or is_new):
            _tell(view, told=owed is None)
            self._remembered.remove(trace_id)

    def _take_owed(self, trace_id: str) -> TraceView | None:
        with self._changed:
            owed, _ = self._owed.pop(trace_id, (None, 0.0))
        return owed

    def _tell_without(self, trace_id: str, why: str) -> bool:
        # Returns whether there was something to tell.
        view = self._take_owed(trace_id)
        if view is None:
            return False
        facts = view.facts
        how, explained = how_ended(facts.exit_code, facts.signal, facts.memory_end), fields(TRACE_UNEXPLAINED, view)
        text = "%s %s; its reason was not found: %s"
        _log.log(level_of_end(facts), text, view.id, how, why, extra=explained)
        self._remembered.remove(trace_id)
        return True


def _tell(view: TraceView, *, told: bool) -> None:
    facts = view.facts
    how = how_ended(facts.exit_code, facts.signal)
    explained = fields(TRACE_EXPLAINED, view)
    level = level_of_end(facts, told=told)
    _log.log(level, "%s %s: %s", view.id, how or "ended", view.reason, extra=explained)
