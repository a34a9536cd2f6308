# SPDX-License-Identifier: Apache-2.0
"""Tells which traces are of containers that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traceloop_decode.ending import EndKind, end_kind

if TYPE_CHECKING:
    from traceloop_proto import traceloop_pb2 as pb


def has_failed(trace: pb.Trace) -> bool:
    """Returns whether the container neither still runs, nor exited with 0, nor was asked to end by a signal."""
    if trace.HasField("signal"):
        return end_kind(None, trace.signal) is EndKind.FAILED
    return end_kind(trace.exit_code if trace.HasField("exit_code") else None, None) is EndKind.FAILED
