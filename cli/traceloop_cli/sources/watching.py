# SPDX-License-Identifier: Apache-2.0
"""Begins to watch a daemon's traces: the stream itself has no time limit, but its beginning has."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from traceloop_cli.errors import Unreachable
from traceloop_cli.sources.channel import DEADLINE_S
from traceloop_cli.sources.grpc_import import grpc
from traceloop_proto import traceloop_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from traceloop_proto.traceloop_pb2_grpc import RecorderStub


def begun(daemon: RecorderStub) -> Iterator[pb.Change]:
    """Returns the changes after this call. Raises Unreachable for a daemon that hangs, and what the call raises."""
    stream = daemon.Watch(pb.WatchRequest())
    is_late = threading.Event()

    def give_up() -> None:
        is_late.set()
        stream.cancel()

    timer = threading.Timer(DEADLINE_S, give_up)
    timer.daemon = True
    if hasattr(stream, "cancel"):  # several daemons have limits of their own
        timer.start()
    changes: Iterator[pb.Change] = iter(stream)
    try:
        next(changes, None)  # what a daemon sends when it watches
    except grpc.RpcError as error:
        if not is_late.is_set():
            raise
        message = f"the daemon did not answer within {DEADLINE_S} s: see `journalctl -u traceloopd`"
        raise Unreachable(message) from error
    finally:
        timer.cancel()
    return changes
