# SPDX-License-Identifier: Apache-2.0
"""Snapshots of traces' rings as others may have them: with what is known beside the ring, and without secrets."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

from traceloop_daemon.privacy.blotter import Blotter
from traceloop_daemon.privacy.redaction import Redactor
from traceloop_daemon.recording.registry import Trace
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import Later

_log = logging.getLogger(__name__)


class Snapshots:
    """Takes them in two steps, as the second takes as long as many registrations."""

    def __init__(self, redactor: Redactor | None, syscalls: Later) -> None:
        """redactor: None where secrets stay. syscalls: those newer than the tables, as this kernel names them.

        Raises OSError.
        """
        self._redactor, self._syscalls = redactor, syscalls
        self._blotter = None if redactor is None else Blotter(redactor)
        self.readers_turn = threading.Lock()
        """Whoever reads a trace for a client has it: the archiver waits for one of them at most."""

    def close(self) -> None:
        """Ends the process that searches for secrets."""
        if self._blotter is not None:
            self._blotter.close()

    def take(self, trace: Trace) -> Snapshot:
        """What is in the ring of a trace that has one, not redacted yet. Nobody may give the ring back meanwhile."""
        assert trace.recording is not None
        taken = trace.recording.ring.snapshot(trace.recording.started_ns)
        return replace(taken, open_files=trace.open_files, syscalls=self._syscalls)

    def encoded(self, snapshot: Snapshot, trace: Trace) -> bytes:
        """That of a trace, without secrets. Raises OSError."""
        encoded = snapshot.encode()
        return encoded if self._blotter is None else self._blotter.redacted(encoded, trace.id)

    def surely_encoded(self, snapshot: Snapshot, trace: Trace) -> bytes:
        """The same, also where no process can be had for it: then containers that start wait for it."""
        try:
            return self.encoded(snapshot, trace)
        except OSError as error:
            assert self._redactor is not None
            _log.error("%s: searched for secrets in the daemon itself: %s", trace.id, error)
            return self._redactor.redacted(snapshot, trace.id).encode()
