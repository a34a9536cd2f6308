# SPDX-License-Identifier: Apache-2.0
"""Takes snapshots of traces' rings, adds the facts that rings lack, and removes secrets."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

from traceloop_daemon.privacy.blotter import Blotter
from traceloop_daemon.privacy.redaction import Redactor
from traceloop_daemon.recording.trace import Trace
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import Later

_log = logging.getLogger(__name__)


class Snapshots:
    """Takes snapshots, then encodes them: two steps, as encoding takes as long as many registrations."""

    def __init__(self, redactor: Redactor | None, syscalls: Later) -> None:
        """redactor: None if secrets are not blotted out. syscalls: this kernel's calls that are newer than the tables.

        Raises OSError.
        """
        self._redactor, self._syscalls = redactor, syscalls
        self._blotter = None if redactor is None else Blotter(redactor)
        self.readers_turn = threading.Lock()
        """Held while a trace is read for a client, so that the archiver waits for one client at most."""

    def close(self) -> None:
        """Ends the process that searches for secrets."""
        if self._blotter is not None:
            self._blotter.close()

    def take(self, trace: Trace) -> Snapshot:
        """Copies a trace's ring, secrets included. The trace must have a ring, which must not be released meanwhile."""
        assert trace.recording is not None
        taken = trace.recording.ring.snapshot(trace.recording.started_ns)
        return replace(taken, open_files=trace.open_files, syscalls=self._syscalls)

    def encoded(self, snapshot: Snapshot, trace_id: str) -> bytes:
        """Encodes the snapshot of a trace, without secrets. Raises OSError."""
        encoded = snapshot.encode()
        return encoded if self._blotter is None else self._blotter.redacted(encoded, trace_id)

    def surely_encoded(self, snapshot: Snapshot, trace_id: str) -> bytes:
        """Encodes as `encoded` does, or, if that fails, in this process, while starting containers wait."""
        try:
            return self.encoded(snapshot, trace_id)
        except OSError as error:
            assert self._redactor is not None
            _log.error("%s: the daemon itself searches it for secrets, and hooks wait meanwhile: %s", trace_id, error)
            return self._redactor.redacted(snapshot, trace_id).encode()
