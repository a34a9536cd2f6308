# SPDX-License-Identifier: Apache-2.0
"""Converts traces to the information in archive files' heads, and back."""

from __future__ import annotations

from dataclasses import replace
from sys import intern
from typing import Any, Final

from traceloop_daemon.archive.kept_files import FileState, Kept
from traceloop_daemon.naming.labels import Labels
from traceloop_daemon.privacy.capture_policy import CapturePolicy
from traceloop_daemon.recording.trace import State, Trace, TraceEvent, losses, name_facts, names_of
from traceloop_daemon.system.host import host
from traceloop_decode.archive_file import TraceInfo
from traceloop_decode.capabilities import Capabilities
from traceloop_decode.ring_headers import Headers, unrecorded
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.trace_facts import NAMES, TraceFacts

FILE_EVENTS: Final = {
    FileState.WHOLE: TraceEvent.ARCHIVE,
    FileState.TRUNCATED: TraceEvent.TRUNCATE,
    FileState.MISSING: TraceEvent.LOSE,
    FileState.DAMAGED: TraceEvent.DAMAGE,
}
"""The event of a trace that corresponds to each state of its file."""
_SKIPPED_MAX: Final = 4096
_SHARED: Final = ("node", "container", "namespace", "image")
"""Facts that many traces have in common."""


def info_of(facts: TraceFacts, snapshot: Snapshot) -> TraceInfo:
    """Returns the information for an archive file. facts: just refreshed. snapshot: of the ring. Raises OSError."""
    counted = losses(facts.lost, Headers.parse(snapshot.headers[0], snapshot.cpus))
    values: dict[str, Any] = {name: getattr(facts, name) for name in NAMES} | counted
    values["io_uring_setups"] = unrecorded(snapshot).io_urings
    if snapshot.totals is not None:
        values |= snapshot.totals.facts()
    if (capabilities := Capabilities.of(snapshot)) is not None:
        values |= capabilities.facts()
    return TraceInfo(
        **values,
        arch=snapshot.arch,
        kernel=host().kernel,
        boot_id=host().boot_id,
        boot_offset_ns=snapshot.boot_offset_ns,
        version=host().version,
    )


def trace_of(kept: Kept) -> Trace:
    """Makes the trace of an archive file. If the file's head cannot be read, the trace has little more than an id."""
    facts = _bounded(TraceFacts.of(kept.info)) if kept.info is not None else TraceFacts(kept.trace_id)
    trace = Trace(facts, State.FROZEN, kept.size_bytes)
    if kept.state is not FileState.WAITING:
        trace.advance(FILE_EVENTS[kept.state])
    return trace


def _bounded(facts: TraceFacts) -> TraceFacts:
    # Anyone may have written the file, and all listed traces are in memory: names and labels are cut to the limits of a
    # registration.
    values: dict[str, Any] = {name: getattr(facts, name) for name in NAMES}
    values |= {name: intern(values[name]) for name in _SHARED} | {"capture": _known(facts.capture)}
    values["skipped"] = facts.skipped[:_SKIPPED_MAX]
    labels = Labels.of(facts.labels, facts.labels_left_out)
    names = replace(names_of(TraceFacts.of(values)), labels=labels)
    return TraceFacts.of(values | name_facts(names))


def _known(capture: str) -> str:
    # Returns the policy's word; empty if the file has none, or one that only a newer version knows.
    try:
        return CapturePolicy(capture).value
    except ValueError:
        return ""
