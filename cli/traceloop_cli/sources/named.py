# SPDX-License-Identifier: Apache-2.0
"""Gets the trace that a user's word means from the daemon, and tells on stderr if the word means older ones too."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from traceloop_cli.sources.client import DEADLINE_S
from traceloop_decode.safe_text import printable
from traceloop_proto.traceloop_pb2 import TraceRequest

if TYPE_CHECKING:
    from traceloop_proto import traceloop_pb2 as pb
    from traceloop_proto.traceloop_pb2_grpc import RecorderStub


def named(daemon: RecorderStub, word: str | None) -> pb.Trace:
    """Returns the trace that a word means; None: the newest. Raises what the call raises."""
    trace: pb.Trace = daemon.Get(TraceRequest(id=word or ""), timeout=DEADLINE_S)
    if trace.older:
        line = f"{word or 'no ID'}: {trace.id}, the newest of {trace.older + 1} traces"
        print(printable(f"{line}; {word}~1 is {trace.previous_id}" if word else line), file=sys.stderr, flush=True)
    return trace
