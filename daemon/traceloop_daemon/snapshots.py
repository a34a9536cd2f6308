# SPDX-License-Identifier: Apache-2.0
"""Snapshots of traces' rings as others may have them: with what is known beside the ring, and without secrets."""

from __future__ import annotations

from dataclasses import replace

from traceloop_daemon.redaction import Redactor
from traceloop_daemon.registry import Trace
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import Later


class Snapshots:
    """Takes them in two steps, as the second takes as long as many registrations."""

    def __init__(self, redactor: Redactor | None, syscalls: Later) -> None:
        """redactor: None where secrets stay. syscalls: those newer than the tables, as this kernel names them."""
        self._redactor, self._syscalls = redactor, syscalls

    def take(self, trace: Trace) -> Snapshot:
        """What is in the ring of a trace that has one, not redacted yet. Nobody may give the ring back meanwhile."""
        assert trace.recording is not None
        taken = trace.recording.ring.snapshot(trace.recording.started_ns)
        return replace(taken, open_files=trace.open_files, syscalls=self._syscalls)

    def redacted(self, snapshot: Snapshot, trace: Trace) -> Snapshot:
        """That of a trace without secrets."""
        return self._redactor.redacted(snapshot, trace.id) if self._redactor is not None else snapshot
