# SPDX-License-Identifier: Apache-2.0
"""Tells which traces are of containers that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from traceloop_proto import traceloop_pb2 as pb


def has_failed(trace: pb.Trace) -> bool:
    """Tells whether a trace's first process ended by a signal or with another status than 0."""
    return bool(trace.exit_code) or trace.HasField("signal")
