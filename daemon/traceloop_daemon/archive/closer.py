# SPDX-License-Identifier: Apache-2.0
"""Closes traces: a trace leaves the list, its recording ends if it is live, and its file is removed."""

from __future__ import annotations

import logging

from traceloop_daemon.archive.directory import FileArchive
from traceloop_daemon.errors import NoSuchTrace
from traceloop_daemon.recording.recordings import Recordings
from traceloop_daemon.recording.trace import TraceView
from traceloop_daemon.recording.traces import Traces

_log = logging.getLogger(__name__)


class Closer:
    """Closes traces, archived or live. Safe to use from several threads."""

    def __init__(self, archive: FileArchive, traces: Traces, recordings: Recordings) -> None:
        self._archive, self._traces, self._recordings = archive, traces, recordings

    def close(self, word: str) -> TraceView:
        """Forgets a trace, and ends its recording if it is live. Raises NoSuchTrace, AmbiguousTrace, OSError."""
        with self._traces.locked() as registry:
            trace_id = registry.find(word).id
        try:
            self._archive.delete(trace_id)  # first: if that fails, nothing has changed
        except OSError as error:
            text = f"trace {trace_id} is not closed: its file cannot be removed: {error.strerror}: {error.filename}"
            raise OSError(f"{text}; fix that, then close it again") from error
        with self._traces.locked() as registry:
            trace = registry.get(trace_id)
            if trace is None:
                raise NoSuchTrace(f"trace {trace_id} is closed")
            closed = self._recordings.close(trace)
        self._archive.delete(trace_id)  # again, as the archiver may have written it meanwhile
        _log.info("closed %s", trace_id)
        return closed
