# SPDX-License-Identifier: Apache-2.0
"""The end of a recording, as the daemon's stream of changes reports it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from traceloop_cli.errors import CliError, Failed, Unreachable
from traceloop_cli.sources.client import DEADLINE_S, connected
from traceloop_cli.sources.named import named
from traceloop_cli.sources.watching import begun
from traceloop_proto import traceloop_pb2 as pb

if TYPE_CHECKING:
    from traceloop_proto.traceloop_pb2_grpc import RecorderStub

_GONE: Final = {
    pb.CHANGE_KIND_CLOSED: "was closed",
    pb.CHANGE_KIND_DROPPED: "was removed to make room",
}


def ended(daemon: RecorderStub, trace: str) -> pb.Trace:
    """Returns a trace once its recording has ended; at once if it has.

    trace: an id or a prefix of one. Raises Failed if the trace is removed before, Unreachable if the daemon stops; and
    what `connected` translates.
    """
    changes = begun(daemon)  # so no change after the next answer is missed
    found = named(daemon, trace)
    if found.state != pb.STATE_RECORDING:
        return found
    for change in changes:
        if change.missed:
            now: pb.Trace = daemon.Get(pb.TraceRequest(id=found.id), timeout=DEADLINE_S)
            if now.state != pb.STATE_RECORDING:
                return now
        if not change.HasField("trace") or change.trace.id != found.id:
            continue
        if change.kind in _GONE:
            raise Failed(f"trace {found.id} {_GONE[change.kind]} before its recording ended")
        if change.kind != pb.CHANGE_KIND_STARTED:
            final: pb.Trace = daemon.Get(pb.TraceRequest(id=found.id), timeout=DEADLINE_S)
            return final
    raise Unreachable("the daemon stopped: see `systemctl status traceloopd`")


class Ending:
    """Awaits the end of a recording in a thread with a connection of its own."""

    def __init__(self, address: str, trace: str) -> None:
        self._ended = threading.Event()
        self._error: CliError | None = None
        threading.Thread(target=self._await, args=(address, trace), daemon=True).start()

    def _await(self, address: str, trace: str) -> None:
        try:
            with connected(address) as daemon:
                ended(daemon, trace)
        except CliError as error:
            self._error = error
        finally:
            self._ended.set()

    def wait(self, timeout_s: float) -> bool:
        """Returns whether the recording ended within a time. Raises CliError as `ended` does."""
        has_ended = self._ended.wait(timeout_s)
        if self._error is not None:
            raise self._error
        return has_ended
